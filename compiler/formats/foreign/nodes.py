"""The vocabulary: what nodes of networks made elsewhere do in one time step, whatever their library calls them.

Parameters of neurons are arrays of one value, of one per channel or of one per neuron; `build` sees to it that they do
not differ within a channel. Every equation is discrete: the reader has put in the length of the time step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.formats.foreign.assumptions import Assumption, ResetKind
from snnc.compiler.ir import Comparison, Pair, Shape

__all__ = [
    "Affine",
    "ChannelAffine",
    "Convolve",
    "Firing",
    "Floats",
    "Integrator",
    "MaxPool",
    "Network",
    "Node",
    "Operation",
    "Pass",
    "Pool",
    "Refused",
    "Sink",
    "Source",
    "Wait",
]

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The input.

    Attributes
    ----------
    shape
        ``(C, H, W)``.
    """

    shape: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """The output: what arrives here is the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """Hands on what it gets: a flattening (flat indices stay), the doors of a nested graph, dropout after training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """``y[t] = x[t - steps]``."""

    steps: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Affine:
    """``y = W x + b`` over flat indices: `weight` ``(out, in)``, `bias` ``(out,)`` or None."""

    weight: Floats
    bias: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Convolve:
    """Convolution: `weight` ``(O, C // groups, kh, kw)``, `bias` ``(O,)`` or None.

    Attributes
    ----------
    padding
        Zeros on both sides; None for as many as keep the size (``same``).
    declared
        Height and width of the input as the source states them; None where it does not.
    offset_everywhere
        An offset of its input counts as if it lay in the padding, too; else it is refused, since borders would need a
        bias of their own.
    """

    weight: Floats
    bias: Floats | None = None
    stride: Pair = (1, 1)
    padding: Pair | None = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    declared: tuple[int, ...] | None = None
    offset_everywhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChannelAffine:
    """``y = scale x + offset`` with one value per channel: a scaling, or a batch norm after training."""

    scale: Floats
    offset: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Sums over windows, or averages.

    Attributes
    ----------
    kernel
        None for one window, the whole map (*global*).
    """

    kernel: Pair | None
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    average: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPool:
    """The largest of each window."""

    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Firing:
    """``U = beta V + gain I + drive;  s = U > threshold (or >=);  V = U - threshold s``, or `v_reset` where ``s``.

    Attributes
    ----------
    beta
        What a step leaves of the membrane; one value for a layer.
    gain, drive
        Factor of the current and what is added to it in each step.
    threshold
        Of ``U``.
    reset
        `ResetKind.LATE`: ``U[t+1] = beta U[t] + gain I[t+1] + drive - threshold s[t]``.
    v_reset
        Of a hard reset.
    initial
        The membrane before the first step.
    floor
        Lower clamp of the membrane, after the reset; None for none.
    caveat
        How the library's equation differs from this one; empty where it does not.
    """

    beta: Floats
    gain: Floats
    threshold: Floats
    drive: Floats
    reset: ResetKind
    comparison: Comparison
    v_reset: Floats
    initial: Floats
    floor: Floats | None = None
    caveat: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Integrator:
    """``V = beta V + gain I + drive``, without spikes.

    Attributes
    ----------
    beside_spikes
        Of a module: it gives spikes as well, which reset nothing, and its membranes after them.
    """

    beta: Floats
    gain: Floats
    drive: Floats
    beside_spikes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Something that the reader knows not to be expressible.

    Attributes
    ----------
    text, remedy
        Sentences: why, and what would help.
    shaped
        It gives as much as it gets, so that what comes after it can be judged all the same.
    """

    text: str
    remedy: str = ""
    shaped: bool = True


Operation: TypeAlias = (
    Source | Sink | Pass | Wait | Affine | Convolve | ChannelAffine | Pool | MaxPool | Firing | Integrator | Refused
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Node:
    """One node: its `name` and `kind` as the source has them, and what it does."""

    name: str
    kind: str
    operation: Operation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """Nodes and the edges between them, by name; what reaches a node over several edges adds up.

    Attributes
    ----------
    title
        A name for the graph.
    assumed
        What the reader had to assume to say the nodes.
    """

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str], ...]
    assumed: tuple[Assumption, ...] = ()
