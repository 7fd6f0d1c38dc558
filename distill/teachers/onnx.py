"""A classifier in an ONNX file as a teacher: whatever framework it comes from, with its weights as they are.

It reads pixels in ``[0, 1]``, ``(N, C, H, W)`` as float32 with ``N`` free, and answers with logits ``(N, K)``; scaling
and normalisation are inside.  It has logits only: no features, and no class activation map.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import torch
from torch import Tensor

from snnc.compiler.errors import CheckpointError
from snnc.compiler.formats.onnx.session import open_session
from snnc.distill.data import Dataset
from snnc.distill.teachers.interface import Teacher

__all__ = ["OnnxTeacher", "read_onnx_teacher"]

_BYTES_LIMIT: Final = 1 << 30


class OnnxTeacher(Teacher):
    """A frozen network that onnxruntime computes, on the processor and on one thread."""

    kind: ClassVar[str] = "onnx"

    def __init__(self, session: Any, digest: str) -> None:
        super().__init__()
        self._session = session
        self._input = session.get_inputs()[0].name
        self._digest = digest

    def extra_repr(self) -> str:
        """Of the file: what tells one such teacher from another, since it has no weights that torch knows of."""
        return self._digest

    def forward(self, images: Tensor) -> Tensor:
        pixels = np.ascontiguousarray(images.cpu().numpy(), dtype=np.float32)
        return torch.from_numpy(self._session.run(None, {self._input: pixels})[0]).to(images.device)


def read_onnx_teacher(path: Path, dataset: Dataset) -> OnnxTeacher:
    """The network in a file, for the images and the classes of a data set.

    Raises
    ------
    CheckpointError
        It cannot be read, or takes or gives something else.
    MissingError
        onnxruntime is not installed.
    """
    try:
        if path.stat().st_size > _BYTES_LIMIT:
            raise CheckpointError(f"{path} has more than {_BYTES_LIMIT:,} bytes; choose a smaller teacher.")
        contents = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); check --teacher-from.") from None
    try:
        session = open_session(contents)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    inputs, outputs = session.get_inputs(), session.get_outputs()
    wanted = "x".join(map(str, dataset.shape))
    if (
        len(inputs) != 1
        or inputs[0].type != "tensor(float)"
        or len(inputs[0].shape) != 4
        or isinstance(inputs[0].shape[0], int)
        or tuple(inputs[0].shape[1:]) != dataset.shape
    ):
        found = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs)[:160]
        raise CheckpointError(
            f"The teacher {path} takes {found}, but must take one float input (N, C, H, W) with N free, and "
            f"{dataset.name} has {wanted}; export it so, or choose another."
        )
    teacher = OnnxTeacher(session, hashlib.sha256(contents).hexdigest())
    shape = tuple(teacher(torch.zeros(2, *dataset.shape)).shape) if len(outputs) == 1 else ()
    if shape != (2, len(dataset.classes)):
        raise CheckpointError(
            f"The teacher {path} answers two images with {shape or f'{len(outputs)} outputs'}, but {dataset.name} has "
            f"{len(dataset.classes)} classes: logits (N, {len(dataset.classes)}) are needed; choose another."
        )
    return teacher.eval()
