"""A board in Python."""

from __future__ import annotations

from snnc.compiler.link import Session
from snnc.compiler.link.port import Port

__all__ = ["connect"]


def connect(port: str, *, baud: int = 1_000_000) -> Session:
    """Greet the board at a serial port; its core is reset.

    Parameters
    ----------
    port
        Such as ``"/dev/ttyUSB1"``.
    baud
        That of the board, as ``snnc boards`` lists it.

    Raises
    ------
    LinkError
        The port cannot be opened, or no board of snnc answers there.
    MissingError
        pyserial is not installed.
    """
    return Session(Port(port, baud))
