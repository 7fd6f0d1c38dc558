"""Families of noise: one file each, listed in `NOISES`.

The networks are trained without any. Levels follow the protocol in ``docs/evaluation.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from snnc.sim.evaluation.noise.contrast import CONTRAST
from snnc.sim.evaluation.noise.gaussian import GAUSSIAN
from snnc.sim.evaluation.noise.interface import Faulty, HardwareNoise, Images, Noise, PixelNoise
from snnc.sim.evaluation.noise.motion_blur import MOTION_BLUR
from snnc.sim.evaluation.noise.poisson import POISSON
from snnc.sim.evaluation.noise.salt_pepper import SALT_PEPPER
from snnc.sim.evaluation.noise.stuck import STUCK_AT_0, STUCK_AT_1
from snnc.sim.evaluation.noise.thresholds import THRESHOLDS
from snnc.sim.evaluation.noise.uniform import UNIFORM
from snnc.sim.evaluation.noise.weight_bits import WEIGHT_BITS

__all__ = ["NOISES", "Faulty", "HardwareNoise", "Images", "Noise", "PixelNoise"]

NOISES: Final[Mapping[str, Noise]] = MappingProxyType(
    {
        "gaussian": GAUSSIAN,
        "salt-pepper": SALT_PEPPER,
        "uniform": UNIFORM,
        "motion-blur": MOTION_BLUR,
        "contrast": CONTRAST,
        "poisson": POISSON,
        "weight-bits": WEIGHT_BITS,
        "thresholds": THRESHOLDS,
        "stuck-at-0": STUCK_AT_0,
        "stuck-at-1": STUCK_AT_1,
    }
)
"""By the name that `--noise` takes."""
