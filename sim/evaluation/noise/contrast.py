"""Reduced contrast with additive white Gaussian noise, after the n-MNIST data set of Basu et al. (2017)."""

from __future__ import annotations

from typing import Final

import numpy as np

from snnc.sim.evaluation.noise.interface import Images, PixelNoise

__all__ = ["CONTRAST"]

_NOISE: Final = 0.2
"""Standard deviation of the noise per unit of lost contrast, so that level 0 is the clean image: 0.1 at half."""


def _apply(images: Images, level: float, generator: np.random.Generator) -> Images:
    return images * (1 - level) + generator.normal(0.0, _NOISE * level, images.shape)


CONTRAST = PixelNoise(
    title="Low contrast and noise",
    axis="share of contrast lost; Gaussian noise of 0.2 times that",
    levels=(0.2, 0.4, 0.5, 0.6, 0.8),
    apply=_apply,
)
