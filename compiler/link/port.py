"""A serial port as a transport."""

from __future__ import annotations

from typing import Any

from snnc.compiler.extras import needed
from snnc.compiler.link.session import LinkError

__all__ = ["Port"]


class Port:
    """An open serial port.

    Raises
    ------
    LinkError
        It does not exist, may not be opened, or another program has it.
    MissingError
        pyserial is not installed.
    """

    def __init__(self, name: str, baud: int) -> None:
        with needed():
            import serial
        self._name = name
        self._fault: type[Exception] = serial.SerialException
        try:
            self._serial: Any = serial.Serial(name, baud, timeout=0, write_timeout=5, exclusive=True)
        except (serial.SerialException, ValueError) as error:
            raise LinkError(
                f"The port '{name}' cannot be opened ({error}): is the board plugged in, may you open it "
                "(group dialout), and does no other program use it?"
            ) from None

    def read(self, timeout: float) -> bytes:
        try:
            self._serial.timeout = timeout
            data: bytes = self._serial.read(1)
            self._serial.timeout = 0
            return data + self._serial.read(4096)
        except (self._fault, OSError) as error:
            raise self._vanished(error) from None

    def write(self, data: bytes) -> None:
        try:
            self._serial.write(data)
        except (self._fault, OSError) as error:
            raise self._vanished(error) from None

    def close(self) -> None:
        self._serial.close()

    def _vanished(self, error: Exception) -> LinkError:
        return LinkError(f"The port '{self._name}' is gone ({error}): was the board unplugged? Start again.")
