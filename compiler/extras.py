"""What an installation may lack: the extras of the package, and the sentence that says how to get one.

``pip install snnc`` brings what compiles, verifies and builds for iCE40. Everything else is an extra, so that an
engineer with a trained network does not install what trains one.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from snnc.compiler.errors import MissingError

__all__ = ["EXTRAS", "install_command", "needed", "require"]

EXTRAS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "torch": "distill",
        "scipy": "distill",
        "matplotlib": "evaluate",
        "PIL": "evaluate",
        "h5py": "nir",
        "nir": "nir",
        "onnx": "onnx",
        "onnxruntime": "onnx",
        "pylibfst": "waves",
        "serial": "boards",
        "optuna": "explore",
        "distributed": "explore",
    }
)
"""By the name of a module, the first extra that brings it. A family's tools name their own (`compiler.tools`)."""


def install_command(extra: str) -> str:
    """What to type for an extra, quoted for a shell."""
    return f"pip install 'snnc[{extra}]'"


@contextlib.contextmanager
def needed() -> Iterator[None]:
    """Turn a missing module of an extra into one sentence.

    Raises
    ------
    MissingError
        The block imported a module that an extra brings and that is not installed. Any other missing module is a bug
        or a broken installation, and stays as it is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").split(".")[0]
        if name not in EXTRAS:
            raise
        raise MissingError(
            f"This needs the Python package {name}, which is not installed: {install_command(EXTRAS[name])}."
        ) from None


def require(name: str) -> None:
    """Say that a module of an extra is missing before work begins that would end with it; nothing is imported.

    Raises
    ------
    MissingError
        It is not installed.
    """
    with needed():
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
