"""Reads a waveform with the reader of a viewer (Surfer's): what we write is read by somebody else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Waves"]


class Waves:
    """A VCD or FST file as a viewer has it."""

    def __init__(self, path: Path) -> None:
        from pywellen import Waveform

        self._signals = {variable.full_name: variable for variable in Waveform(str(path)).all_vars()}
        self.names = set(self._signals)

    def at(self, name: str, times: Iterable[int]) -> list[Any]:
        """What the signal is in these cycles; None where it is not known."""
        variable = self._signals[name]
        return [self._read(variable, variable.signal.value_at(int(time))) for time in times]

    def pulses(self, name: str) -> npt.NDArray[np.int64]:
        """The cycles in which a bit, or a text, is not 0 or empty."""
        signal = list(self._signals[name].tv)
        ends = [*(time for time, _ in signal[1:]), signal[-1][0]]
        return np.array(
            [
                time
                for (start, value), end in zip(signal, ends, strict=True)
                for time in range(start, end)
                if value not in (0, "")
            ]
        )

    @staticmethod
    def _read(variable: Any, value: Any) -> Any:
        if value is None or (isinstance(value, str) and variable.var_type != "String"):
            return None
        if variable.var_type == "Integer" and value >> (variable.bitwidth - 1):
            return value - (1 << variable.bitwidth)
        return value
