"""Poisson input: each pixel is a count of photons."""

from __future__ import annotations

import numpy as np

from snnc.sim.evaluation.noise.interface import Images, PixelNoise

__all__ = ["POISSON"]


def _apply(images: Images, level: float, generator: np.random.Generator) -> Images:
    photons = 1 / level**2  # a count of mean n has the relative standard deviation 1 / sqrt(n)
    return generator.poisson(images * photons) / photons


POISSON = PixelNoise(
    title="Poisson input",
    axis="relative standard deviation of a white pixel",
    levels=(0.1, 0.2, 0.4, 0.7, 1.0),
    apply=_apply,
)
