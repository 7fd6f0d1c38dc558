"""Seeded distortions of windows of a signal, before it is coded as events.

A window is distorted as its sensor could have been: worn a little turned, moved more or less and faster or slower, and
looked at a little earlier or later.  A window brings what lies around it, so that there is something to move in from;
beyond that its first and last samples go on.
"""

from __future__ import annotations

import torch
from torch import Tensor

from snnc.compiler.errors import OptionError
from snnc.distill.augment import Augmentation

__all__ = ["distort"]

_AXES = 3


def distort(windows: Tensor, amount: Augmentation, generator: torch.Generator) -> Tensor:
    """Distort every window in its own random way.

    Parameters
    ----------
    windows
        Samples ``[N, time, channel]`` of 16 bits, each with what lies around it.
    amount
        `gain`: relative amplitude, drawn from ``[-gain, gain]`` for all channels together.  `turn`: degrees by which
        the axes of a sensor, three neighbouring channels each, are turned about an axis in a random direction, the same
        for all sensors.  `tempo`: relative speed, about the middle.  `onset`: samples by which time is shifted.
    generator
        The only source of randomness: the same seed gives the same copy.

    Returns
    -------
    Tensor
        ``[N, time, channel]`` int16, rounded and clipped.
    """
    if amount.of_images:
        raise OptionError("Signals are distorted by gain, turn, tempo and onset alone: leave other distortions out.")
    count, length, channels = windows.shape
    if amount.turn and channels % _AXES:
        raise OptionError(f"turn is for channels in triples of axes, and these are {channels}: leave it out.")

    def draw(limit: float) -> Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * limit

    values = windows.float()
    if amount.tempo or amount.onset:
        speed, late = 1 + draw(amount.tempo), draw(amount.onset)
        middle = (length - 1) / 2
        place = (torch.arange(length) - middle) * speed[:, None] + middle + late[:, None]
        values = _sampled(values, place.clamp_(0, length - 1))
    if amount.turn:
        values = values.unflatten(2, (channels // _AXES, _AXES)) @ _rotations(draw(amount.turn), generator)[:, None]
        values = values.flatten(2)
    if amount.gain:
        values = values * (1 + draw(amount.gain))[:, None, None]
    least, most = torch.iinfo(torch.int16).min, torch.iinfo(torch.int16).max
    return values.round().clamp(least, most).to(torch.int16)


def _sampled(values: Tensor, place: Tensor) -> Tensor:
    """Values ``[N, time, channel]`` at places ``[N, time]`` between samples, by linear interpolation."""
    before = place.floor().clamp(max=values.shape[1] - 2)
    part = (place - before)[..., None]
    index = before.long()[..., None].expand(-1, -1, values.shape[2])
    return values.gather(1, index) * (1 - part) + values.gather(1, index + 1) * part


def _rotations(degrees: Tensor, generator: torch.Generator) -> Tensor:
    """Rotations ``[N, 3, 3]`` by angles ``[N]`` about axes drawn evenly from the sphere (Rodrigues' formula)."""
    x, y, z = torch.nn.functional.normalize(torch.randn(len(degrees), _AXES, generator=generator), dim=1).unbind(1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).view(-1, _AXES, _AXES)
    angle = torch.deg2rad(degrees)[:, None, None]
    return torch.eye(_AXES) + angle.sin() * cross + (1 - angle.cos()) * (cross @ cross)
