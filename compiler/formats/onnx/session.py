"""onnxruntime as it is opened and run here: on the processor, on one thread, silent, and wrong in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import CheckpointError
from snnc.compiler.extras import needed

__all__ = ["open_session", "run_session"]


def open_session(contents: bytes) -> Any:
    """A session of the network in `contents`; in memory it can name no other files.

    Raises
    ------
    CheckpointError
        It is no network that onnxruntime runs.
    MissingError
        onnxruntime is not installed.
    """
    with needed():
        import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        # A second try with the same provider would print what the first one said.
        return onnxruntime.InferenceSession(contents, options, ["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:  # onnxruntime's own kinds of error have no other base
        raise CheckpointError(f"it cannot be read as an ONNX network ({_said(error)}); export it again.") from None


def run_session(session: Any, values: npt.NDArray[Any]) -> Sequence[npt.NDArray[Any]]:
    """All outputs for the values of the only input.

    Raises
    ------
    CheckpointError
        It takes no such values.
    """
    try:
        outputs: Sequence[npt.NDArray[Any]] = session.run(None, {session.get_inputs()[0].name: values})
    except Exception as error:
        shape = "x".join(map(str, np.shape(values)))
        raise CheckpointError(f"it does not run on an input of {shape} ({_said(error)}).") from None
    return outputs


def _said(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:160]
