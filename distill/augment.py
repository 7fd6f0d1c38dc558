"""Seeded distortions of training images: affine, elastic, by whole pixels, of brightness, and with parts missing.

A *copy* of the training set is its images distorted with one seed.  The teacher's answers to a copy are computed once
and kept (ten numbers an image); the copy itself is made again from its seed when its turn comes, which costs less than
the teacher's forward pass and no memory.

Affine and elastic maps resample the image; the rest moves and clears whole pixels and is ten times as fast.  Random
numbers are drawn only for what is on, in a fixed order that begins with the resampler's, so that a recorded run is
repeated by later versions that can do more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from snnc.compiler.errors import OptionError

__all__ = ["Augmentation", "augment"]

_CHUNK = 2000
"""Images per call of the resampler: its working set then stays within a few tens of MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """How far an image may be changed; 0 is not at all.

    Unless it says otherwise, an amount is drawn uniformly from ``[-amount, amount]`` for every image.

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
    crop
        Translation by whole pixels along each axis: a random crop of the image in a black frame.
    flip
        Probability of swapping left and right.
    contrast, brightness
        Relative change of the distance from the image's mean, and what is added, as a fraction of white.
    cutout
        Side of a square that is cleared at a random place, partly outside at times (DeVries and Taylor, 2017).
    gain, turn, tempo, onset
        Of signals, see `snnc.distill.signals`: relative amplitude, rotation of triples of axes in degrees, relative
        speed, and samples by which a window begins earlier or later.
    time_shift, time_mask, band_mask
        For maps of a sound, ``H`` frames by ``W`` bands (after SpecAugment, Park et al., 2019): translation by whole
        frames; at most so many neighbouring frames, and bands, that are cleared.
    """

    shift: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0
    crop: int = 0
    flip: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    cutout: int = 0
    time_shift: int = 0
    time_mask: int = 0
    band_mask: int = 0
    gain: float = 0.0
    turn: float = 0.0
    tempo: float = 0.0
    onset: int = 0

    @property
    def of_signals(self) -> bool:
        """Whether it changes what only signals have."""
        return any((self.gain, self.turn, self.tempo, self.onset))

    @property
    def of_images(self) -> bool:
        """Whether it changes what only images have."""
        return self != Augmentation(gain=self.gain, turn=self.turn, tempo=self.tempo, onset=self.onset)

    @property
    def resamples(self) -> bool:
        """Whether pixels of a distorted image are interpolated between those of the original."""
        return any((self.shift, self.rotation, self.scale, self.shear, self.elastic))


def augment(images: Tensor, amount: Augmentation, generator: torch.Generator) -> Tensor:
    """Distort every image in its own random way.

    Parameters
    ----------
    images
        8-bit pixels, ``[N, C, H, W]`` uint8, or events, ``[N, T, C, H, W]``, whose steps are all distorted alike.
    generator
        The only source of randomness: the same seed gives the same copy.

    Returns
    -------
    Tensor
        Distorted 8-bit pixels of the same shape, uint8; black moves in at the edges.
    """
    if amount.of_signals:
        raise OptionError("gain, turn, tempo and onset distort signals, and these samples are none: leave them out.")
    steps = images.shape[1] if images.ndim == 5 else 1
    if images.ndim == 5 and (amount.contrast or amount.brightness):
        raise OptionError("Events have no contrast or brightness to change; set both to 0.")
    planes = images.flatten(1, 2) if images.ndim == 5 else images
    chunks = planes.split(max(1, _CHUNK // steps))
    return torch.cat([_augment_chunk(chunk, amount, generator) for chunk in chunks]).view(images.shape)


def _augment_chunk(images: Tensor, amount: Augmentation, generator: torch.Generator) -> Tensor:
    if amount.resamples:
        images = _resample(images, amount, generator)
    if amount.crop or amount.time_shift:
        images = _translate(images, amount, generator)
    if amount.flip:
        images = _flip(images, amount.flip, generator)
    if amount.contrast or amount.brightness:
        images = _change_light(images, amount, generator)
    if amount.cutout:
        images = _cut_out(images, amount.cutout, generator)
    if amount.time_mask:
        images = images * ~_stripe(len(images), images.shape[2], amount.time_mask, generator)[:, None, :, None]
    if amount.band_mask:
        images = images * ~_stripe(len(images), images.shape[3], amount.band_mask, generator)[:, None, None, :]
    return images


def _translate(images: Tensor, amount: Augmentation, generator: torch.Generator) -> Tensor:
    """Translate by whole pixels: every image is a window of itself in a black frame."""
    count, channels, height, width = images.shape

    def draw(limit: int) -> Tensor:
        return torch.randint(2 * limit + 1, (count,), generator=generator)

    rows, columns = torch.zeros(count, dtype=torch.long), torch.zeros(count, dtype=torch.long)
    if amount.crop:
        rows, columns = draw(amount.crop), draw(amount.crop)
    if amount.time_shift:
        rows = rows + draw(amount.time_shift)
    above, left = amount.crop + amount.time_shift, amount.crop
    # NumPy, which copies whole windows here where torch would look up every pixel, three times as slowly.
    framed = np.zeros((count, channels, height + 2 * above, width + 2 * left), dtype=np.uint8)
    framed[:, :, above : above + height, left : left + width] = images.numpy()
    windows = np.lib.stride_tricks.sliding_window_view(framed, (height, width), axis=(2, 3))
    return torch.from_numpy(windows[np.arange(count), :, rows.numpy(), columns.numpy()])


def _flip(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    flipped = (torch.rand(len(images), generator=generator) < probability).nonzero()[:, 0]
    return images.index_copy(0, flipped, images[flipped].flip(-1))


def _change_light(images: Tensor, amount: Augmentation, generator: torch.Generator) -> Tensor:
    factor, offset = torch.ones(len(images)), torch.zeros(len(images))
    if amount.contrast:
        factor = 1 + (torch.rand(len(images), generator=generator) * 2 - 1) * amount.contrast
    if amount.brightness:
        offset = (torch.rand(len(images), generator=generator) * 2 - 1) * (255 * amount.brightness)
    pixels = images.float()
    offset += pixels.mean(dim=(1, 2, 3)) * (1 - factor)
    pixels = pixels.mul_(factor[:, None, None, None]).add_(offset[:, None, None, None])
    return pixels.round_().clamp_(0, 255).to(torch.uint8)


def _cut_out(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    count, _, height, width = images.shape
    inside = []
    for size in (height, width):
        start = torch.randint(size, (count, 1), generator=generator) - side // 2
        inside.append((torch.arange(size) >= start) & (torch.arange(size) < start + side))
    return images * ~(inside[0][:, None, :, None] & inside[1][:, None, None, :])


def _stripe(count: int, size: int, longest: int, generator: torch.Generator) -> Tensor:
    """A run of 0 to ``longest`` neighbours at a random place of every row of ``[count, size]``: bool."""
    length = torch.randint(longest + 1, (count, 1), generator=generator)
    start = (torch.rand(count, 1, generator=generator) * (size - length + 1)).long()
    return (torch.arange(size) >= start) & (torch.arange(size) < start + length)


def _resample(images: Tensor, amount: Augmentation, generator: torch.Generator) -> Tensor:
    """Affine and elastic maps, by bilinear interpolation."""
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
