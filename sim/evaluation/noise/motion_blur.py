"""Motion blur: each image moves along a line during its exposure."""

from __future__ import annotations

import numpy as np

from snnc.sim.evaluation.noise.interface import Images, PixelNoise

__all__ = ["MOTION_BLUR"]

_DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))


def _apply(images: Images, level: float, generator: np.random.Generator) -> Images:
    length = round(level)
    before = (length - 1) // 2
    direction = generator.integers(len(_DIRECTIONS), size=len(images))
    blurred = np.empty_like(images)
    height, width = images.shape[2:]
    margin = length
    padded = np.pad(images, ((0, 0), (0, 0), (margin, margin), (margin, margin)))
    for index, (down, right) in enumerate(_DIRECTIONS):
        moving = padded[direction == index]
        total = np.zeros_like(images[direction == index])
        for place in range(-before, length - before):
            top, left = margin + place * down, margin + place * right
            total += moving[:, :, top : top + height, left : left + width]
        blurred[direction == index] = total / length
    return blurred


MOTION_BLUR = PixelNoise(
    title="Motion blur",
    axis="pixels moved, in one of four directions",
    levels=(3.0, 5.0, 7.0, 9.0),
    apply=_apply,
    clean=1.0,
)
