"""Additive white Gaussian noise."""

from __future__ import annotations

import numpy as np

from snnc.sim.evaluation.noise.interface import Images, PixelNoise

__all__ = ["GAUSSIAN"]


def _apply(images: Images, level: float, generator: np.random.Generator) -> Images:
    return images + generator.normal(0.0, level, images.shape)


GAUSSIAN = PixelNoise(
    title="Gaussian noise",
    axis="standard deviation (full brightness = 1)",
    levels=(0.05, 0.1, 0.2, 0.3, 0.4, 0.5),
    apply=_apply,
)
