"""How a network is quantised after training."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from snnc.compiler.errors import OptionError

__all__ = ["CalibrationSettings", "Rounding", "Scales"]


class Scales(Enum):
    """By what the quantiser steps of a layer are chosen."""

    WEIGHTS = "weights"
    """The least squared rounding error of the weights themselves."""
    CURRENTS = "currents"
    """The least squared error of the input currents on the calibration samples."""


class Rounding(Enum):
    """How weights become integers of a chosen step."""

    NEAREST = "nearest"
    COMPENSATED = "compensated"
    """One after the other; what each leaves is made up for by those after it (GPTQ; Frantar et al., ICLR 2023)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationSettings:
    """Options of `calibrate`.

    Attributes
    ----------
    weight_bits
        Of every weight, 1 to 8.
    scales, rounding
        See `Scales`, `Rounding`.
    biases, thresholds
        Whether those of each layer are corrected.
    fraction_bits
        The most of any layer, 0 to 16; fewer where 32-bit membranes would not hold the sums.
    tolerance
        Share of a layer's spikes that may differ from those with all its fraction bits, for the sake of having fewer.
    """

    weight_bits: int = 4
    scales: Scales = Scales.CURRENTS
    rounding: Rounding = Rounding.COMPENSATED
    biases: bool = True
    thresholds: bool = True
    fraction_bits: int = 8
    tolerance: float = 0.001

    def __post_init__(self) -> None:
        for name, low, high in (("weight_bits", 1, 8), ("fraction_bits", 0, 16), ("tolerance", 0, 1)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise OptionError(f"{name} is {value}; {low} to {high} are possible.")
