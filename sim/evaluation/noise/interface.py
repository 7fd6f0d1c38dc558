"""What a family of noise is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import Graph

__all__ = ["Faulty", "HardwareNoise", "Images", "Noise", "PixelNoise"]

Images: TypeAlias = npt.NDArray[np.float64]
"""Brightness 0 to 1, ``(sample, channel, height, width)``; noise may leave that range and is clipped afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Faulty:
    """An integer network with faults.

    Attributes
    ----------
    graph
        Its parameters as they have become.
    stuck
        Neurons whose output is stuck, as `snnc.sim.models.golden.run` takes them.
    """

    graph: Graph
    stuck: Mapping[str, npt.NDArray[np.int8]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelNoise:
    """Noise of the image, before it is quantised to the network's input bits.

    Attributes
    ----------
    title
        For people.
    axis
        What a level is.
    levels
        Those that are tried, ascending.
    apply
        Noisy images from images, a level and a source of randomness.
    clean
        The level that changes nothing.
    """

    title: str
    axis: str
    levels: tuple[float, ...]
    apply: Callable[[Images, float, np.random.Generator], Images]
    clean: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareNoise:
    """Faults of the machine: as `PixelNoise`, but `apply` changes the network."""

    title: str
    axis: str
    levels: tuple[float, ...]
    apply: Callable[[Graph, float, np.random.Generator], Faulty]
    clean: float = 0.0


Noise: TypeAlias = PixelNoise | HardwareNoise
