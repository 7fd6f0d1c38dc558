"""Salt and pepper: some pixels become black or white."""

from __future__ import annotations

import numpy as np

from snnc.sim.evaluation.noise.interface import Images, PixelNoise

__all__ = ["SALT_PEPPER"]


def _apply(images: Images, level: float, generator: np.random.Generator) -> Images:
    count, channels, height, width = images.shape
    # A broken pixel is broken in all of its colours.
    drawn = np.broadcast_to(generator.random((count, 1, height, width)), (count, channels, height, width))
    return np.where(drawn < level / 2, 0.0, np.where(drawn < level, 1.0, images))


SALT_PEPPER = PixelNoise(
    title="Salt and pepper",
    axis="share of pixels that are replaced",
    levels=(0.02, 0.05, 0.1, 0.15, 0.2),
    apply=_apply,
)
