"""Seeded distortions of training images: affine and elastic.

A *copy* of the training set is its images distorted with one seed.  The teacher's answers to a copy are computed once
and kept (ten numbers an image); the copy itself is made again from its seed when its turn comes, which costs less than
the teacher's forward pass and no memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Augmentation", "augment"]

_CHUNK = 2000
"""Images per call of the resampler: its working set then stays within a few tens of MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """How far an image may be moved; every amount is drawn uniformly from ``[-amount, amount]`` per image.

    Attributes
    ----------
    shift
        Translation, in pixels, along each axis.
    rotation
        In degrees.
    scale
        Relative change of size along each axis.
    shear
        Horizontal shear, as a fraction of the height.
    elastic
        Root mean square of a smooth random displacement field, in pixels (after Simard et al., ICDAR 2003).
    """

    shift: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0


def augment(images: Tensor, amount: Augmentation, generator: torch.Generator) -> Tensor:
    """Distort every image by its own random map.

    Parameters
    ----------
    images
        8-bit pixels, ``[N, C, H, W]`` uint8.
    generator
        The only source of randomness: the same seed gives the same copy.

    Returns
    -------
    Tensor
        Distorted 8-bit pixels, ``[N, C, H, W]`` uint8; black moves in at the edges.
    """
    return torch.cat([_augment_chunk(chunk, amount, generator) for chunk in images.split(_CHUNK)])


def _augment_chunk(images: Tensor, amount: Augmentation, generator: torch.Generator) -> Tensor:
    count, _, height, width = images.shape

    def draw(limit: float) -> Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * limit

    angle = draw(math.radians(amount.rotation))
    scale_x, scale_y = 1 + draw(amount.scale), 1 + draw(amount.scale)
    shear = draw(amount.shear)
    # Sampling coordinates run from -1 to 1 over the image: two units are the whole width.
    shift_x, shift_y = draw(2 * amount.shift / width), draw(2 * amount.shift / height)
    cos, sin = torch.cos(angle), torch.sin(angle)
    x = torch.linspace(1 / width - 1, 1 - 1 / width, width)  # centres of the pixels
    y = torch.linspace(1 / height - 1, 1 - 1 / height, height)[:, None]
    grid = torch.empty(count, height, width, 2)
    grid[..., 0] = _affine(x, y, scale_x * cos, scale_x * (shear * cos - sin), shift_x)
    grid[..., 1] = _affine(x, y, scale_y * sin, scale_y * (shear * sin + cos), shift_y)
    if amount.elastic:
        grid += _smooth_field(count, height, width, amount.elastic, generator)
    moved = F.grid_sample(images.float(), grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return moved.round_().clamp_(0, 255).to(torch.uint8)


def _affine(x: Tensor, y: Tensor, along_x: Tensor, along_y: Tensor, offset: Tensor) -> Tensor:
    """One coordinate of an affine map: positions ``[W]`` and ``[H, 1]``, coefficients ``[n]``, to ``[n, H, W]``."""
    return along_x[:, None, None] * x + (along_y[:, None, None] * y + offset[:, None, None])


def _smooth_field(count: int, height: int, width: int, rms: float, generator: torch.Generator) -> Tensor:
    """Displacements ``[n, H, W, 2]`` in sampling coordinates: a coarse random grid under wide Gaussians."""
    knots = max(3, min(height, width) // 5)  # one every five pixels: strokes bend, but do not tear
    coarse = torch.randn(count, knots, knots, 2, generator=generator)
    rows, columns = _bumps(height, knots), _bumps(width, knots)
    # Scaled so that the field, a sum of independent normal numbers, has the variance `rms^2` on average.
    rows, columns = rows / rows.square().sum(dim=1).mean().sqrt(), columns / columns.square().sum(dim=1).mean().sqrt()
    field = torch.einsum("hr,nrcd,wc->nhwd", rows, coarse, columns)
    return field * torch.tensor([2 * rms / width, 2 * rms / height])


def _bumps(size: int, knots: int) -> Tensor:
    """Gaussians at ``knots`` evenly spaced places, sampled at ``size`` pixels: ``[size, knots]``."""
    distance = torch.linspace(0, knots - 1, size)[:, None] - torch.arange(knots)
    return torch.exp(-2 * distance.square())
