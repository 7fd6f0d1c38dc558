"""From pixels to what the first layer receives at every time step (``docs/semantics.md`` section 3).

A batch is encoded to ``[T, B, C, H, W]``, except that `direct` gives ``[B, C, H, W]``: its input is the same at every
step, so that the first layer's current is computed once and used ``T`` times.
"""

from __future__ import annotations

from typing import assert_never

import torch
from torch import Tensor

from snnc.compiler.ir.neurons import Encoding

__all__ = ["bernoulli_events", "channels_last", "encode", "quantise_pixels", "rate_code"]


def encode(
    images: Tensor, encoding: Encoding, *, bits: int, time_steps: int, generator: torch.Generator | None = None
) -> Tensor:
    """Encode 8-bit images ``[B, C, H, W]`` uint8.

    Parameters
    ----------
    bits
        Width of a pixel of `direct` and `rate`.
    generator
        Source of the spikes of `events`; the other encodings are deterministic.

    Returns
    -------
    Tensor
        Integers as float32: pixels ``[B, C, H, W]`` for `direct`, spikes ``[T, B, C, H, W]`` otherwise.
    """
    match encoding:
        case Encoding.DIRECT:
            return quantise_pixels(images, bits).float()
        case Encoding.RATE:
            return rate_code(quantise_pixels(images, bits), bits=bits, time_steps=time_steps)
        case Encoding.EVENTS:
            return bernoulli_events(images, time_steps=time_steps, generator=generator)
        case _:
            assert_never(encoding)


def channels_last(maps: Tensor) -> Tensor:
    """``[B, C, H, W]`` with the channels of a place beside each other: twice as fast in a convolution on a CPU.

    A map of one channel is in both memory formats at once, and torch then goes on in the slow one. Only the stride of
    its channel, which no element depends on, tells which one is meant.
    """
    maps = maps.contiguous(memory_format=torch.channels_last)
    _, channels, height, width = maps.shape
    if channels > 1:
        return maps
    return maps.as_strided(maps.shape, (height * width, 1, width, 1))


def quantise_pixels(pixels: Tensor, bits: int) -> Tensor:
    """8-bit pixels to ``bits`` bits: ``x = (p * (2**bits - 1) + 127) // 255``, int32."""
    return (pixels.int() * (2**bits - 1) + 127) // 255


def rate_code(x: Tensor, *, bits: int, time_steps: int) -> Tensor:
    """Spikes ``[T, ...]`` of the deterministic encoder neuron.

    ``E[-1] = 0;  E += x;  s = 1 and E -= 2**bits - 1  where  E >= 2**bits - 1``: over ``2**bits - 1`` steps a pixel
    ``x`` gives exactly ``x`` spikes, evenly spread.
    """
    full = 2**bits - 1
    level = torch.zeros_like(x)
    steps = []
    for _ in range(time_steps):
        level = level + x
        spikes = level >= full
        level = torch.where(spikes, level - full, level)
        steps.append(spikes.float())
    return torch.stack(steps)


def bernoulli_events(pixels: Tensor, *, time_steps: int, generator: torch.Generator | None) -> Tensor:
    """Spikes ``[T, ...]``, each independent with probability ``pixel / 255``.

    Stands in for an event camera where a data set has images only.
    """
    return (torch.rand(time_steps, *pixels.shape, generator=generator).to(pixels.device) * 255 < pixels).float()
