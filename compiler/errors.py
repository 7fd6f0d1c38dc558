"""The one tree of errors that a user can cause.

Every message is one sentence or two that say what is wrong, where (the layer or file by name), what was measured
against what is allowed, and what to do next. The command line prints the message alone and exits with status 1;
anything outside this tree is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

__all__ = [
    "BuildError",
    "CheckpointError",
    "DataError",
    "FitError",
    "InterruptedRun",
    "MissingError",
    "OptionError",
    "SnncError",
    "ToolError",
    "TrainingError",
    "UnsupportedError",
    "VerificationError",
]


class SnncError(Exception):
    """Base of all errors that a user can cause."""


class OptionError(SnncError):
    """An option or argument has a value that cannot be."""


class CheckpointError(SnncError):
    """A student file is truncated, foreign, hostile or inconsistent."""


class _RemediedError(SnncError):
    """An error of compiling whose remedy names options of `snnc compile`.

    Attributes
    ----------
    measured
        What is wrong, without the remedy: a command with other options names its own.
    """

    def __init__(self, measured: str, remedy: str = "") -> None:
        super().__init__(f"{measured} {remedy}".rstrip())
        self.measured = measured


class UnsupportedError(_RemediedError):
    """The network is well formed, but asks for something that is not built."""


class FitError(_RemediedError):
    """The network does not fit the device, or a register would be wider than allowed."""


class BuildError(SnncError):
    """A build folder is missing, incomplete, of another version, or was edited by hand."""


class MissingError(SnncError):
    """A Python package is not installed that one of the extras brings."""


class ToolError(SnncError):
    """An outside tool is missing, failed or timed out."""


class VerificationError(SnncError):
    """The hardware and the golden model differ."""


class DataError(SnncError):
    """A data set is missing or not in its format."""


class TrainingError(SnncError):
    """A training run cannot start or go on."""


class InterruptedRun(SnncError):
    """Ctrl-C or SIGTERM in the middle of a long run; the message says what is kept and how to go on."""
