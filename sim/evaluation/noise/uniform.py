"""Additive uniform noise."""

from __future__ import annotations

import numpy as np

from snnc.sim.evaluation.noise.interface import Images, PixelNoise

__all__ = ["UNIFORM"]


def _apply(images: Images, level: float, generator: np.random.Generator) -> Images:
    return images + generator.uniform(-level, level, images.shape)


UNIFORM = PixelNoise(
    title="Uniform noise",
    axis="largest change of a pixel (full brightness = 1)",
    levels=(0.1, 0.2, 0.3, 0.5, 0.7),
    apply=_apply,
)
