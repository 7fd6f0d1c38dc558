"""The architecture of a network: a short string, and the populations and projections that it stands for.

Students are trained from it (`snnc distill --architecture`), and random networks drawn (`snnc compile --random`).

Tokens joined by ``-``: the input, the layers, and last the number of classes.

==================  ==============================================================================================
token               meaning
==================  ==============================================================================================
``784``             first: an input of 784 values; in the middle: a dense IF layer; last: the readout
``1x28x28``         an input of shape ``C x H x W``
``16c5s2``          convolution: 16 channels, kernel 5, stride 2, padding 5 // 2; IF.  ``p0`` sets the padding,
                    ``g16`` the groups
``a2``              average pooling over 2 x 2 windows, in front of the next layer (no neurons of its own)
``m2``              max pooling: neurons that fire where any spike of their 2 x 2 window does
``32r3``            residual block: two 3 x 3 convolutions, and the block's input added to the second one's current,
                    by identity where the shapes agree, else (``64r3s2``) through a 1 x 1 convolution of that stride
``64R``             recurrent dense layer: its own spikes of the step before are a second input
==================  ==============================================================================================

``784-32-10`` is fully connected, ``1x28x28-16c5s2-32c3s2-48c3s2-10`` convolutional.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from enum import Enum

from snnc.compiler.errors import OptionError

__all__ = ["INPUT", "Architecture", "PopulationSpec", "ProjectionKind", "ProjectionSpec", "Role", "parse_architecture"]

INPUT = "input"
"""Name of the input population."""

_LARGEST_SIZE = 1 << 16
_MOST_WEIGHTS = 1 << 26
_MOST_NEURONS = 1 << 22
_MOST_TOKENS = 200

_CONVOLUTION = re.compile(r"(\d+)c(\d+)(?:s(\d+))?(?:p(\d+))?(?:g(\d+))?")
_RESIDUAL = re.compile(r"(\d+)r(\d+)(?:s(\d+))?")
_POOLING = re.compile(r"([am])(\d+)")
_RECURRENT = re.compile(r"(\d+)R")
_SHAPE = re.compile(r"(\d+)x(\d+)x(\d+)")

Shape = tuple[int, int, int]


class ProjectionKind(Enum):
    """What connects two populations (``docs/semantics.md`` section 1)."""

    DENSE = "dense"
    CONVOLUTION = "convolution"
    POOLING = "pooling"
    """One number per channel times the sum of a window; a window of one neuron is an identity."""


class Role(Enum):
    """What a population is for."""

    SPIKING = "spiking"
    """IF or LIF, with a batch norm."""
    MAX = "max"
    """Fires where any spike of its window does: no parameters."""
    READOUT = "readout"
    """Never fires; a bias, no batch norm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionSpec:
    """Synapses from one population.

    Attributes
    ----------
    pool
        The source is averaged over non-overlapping ``pool x pool`` windows first.
    delay
        Time steps until a spike takes effect; 1 on a recurrent projection.
    weights
        Shape of the weight tensor: ``(out, in)``, ``(C_out, C_in / groups, k, k)`` or ``(C,)``.
    """

    kind: ProjectionKind
    source: str
    weights: tuple[int, ...]
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    groups: int = 1
    pool: int = 1
    delay: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationSpec:
    """Neurons of one shape ``(C, H, W)`` and the synapses into them."""

    name: str
    shape: Shape
    role: Role
    projections: tuple[ProjectionSpec, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A parsed architecture string.

    Attributes
    ----------
    shape
        Of the input, ``(C, H, W)``; ``(N, 1, 1)`` where only a number was given.
    populations
        In topological order, the readout last.
    """

    text: str
    shape: Shape
    populations: tuple[PopulationSpec, ...]

    @property
    def classes(self) -> int:
        return self.populations[-1].size

    @property
    def hidden(self) -> tuple[PopulationSpec, ...]:
        return self.populations[:-1]

    @property
    def weights(self) -> int:
        """Synaptic weights: what a memory holds. An identity's constants are not counted: they are one per channel."""
        return sum(
            math.prod(projection.weights)
            for population in self.populations
            for projection in population.projections
            if projection.kind is not ProjectionKind.POOLING
        )

    @property
    def recurrent(self) -> bool:
        return any(projection.delay for population in self.populations for projection in population.projections)


def parse_architecture(text: str) -> Architecture:
    """Read an architecture string.

    Raises
    ------
    OptionError
        The token that cannot be read or built, and why.
    """
    tokens = text.split("-")
    if not 2 <= len(tokens) <= _MOST_TOKENS or not text.isascii():
        raise OptionError(
            f"Architecture {text[:80]!r} must be an input, layers and a number of classes joined by '-', such as "
            "784-32-10 or 1x28x28-16c5s2-32c3s2-10."
        )
    builder = _Builder(text, _input_shape(text, tokens[0]))
    for index, token in enumerate(tokens[1:], start=1):
        builder.add(index, token, last=index == len(tokens) - 1)
    architecture = Architecture(text=text, shape=builder.input, populations=tuple(builder.populations))
    if architecture.weights > _MOST_WEIGHTS:
        raise OptionError(
            f"Architecture {text!r} has {architecture.weights:,} weights, more than the allowed {_MOST_WEIGHTS:,}."
        )
    return architecture


def _input_shape(text: str, token: str) -> Shape:
    match = _SHAPE.fullmatch(token)
    sizes = tuple(map(_number, match.groups())) if match else (_number(token), 1, 1) if token.isdigit() else ()
    if len(sizes) != 3 or not all(1 <= size <= _LARGEST_SIZE for size in sizes) or math.prod(sizes) > _MOST_NEURONS:
        raise OptionError(
            f"The input {token[:40]!r} of architecture {text[:80]!r} must be a size such as 784 or a shape such as "
            f"1x28x28, of at most {_MOST_NEURONS:,} values."
        )
    return sizes


def _number(digits: str) -> int:
    """Digits to an integer; one that is far too long is as wrong as one that is too large."""
    return int(digits) if len(digits) <= 9 else 1 << 30


class _Builder:
    """Appends the populations of one token after another to a chain."""

    def __init__(self, text: str, shape: Shape) -> None:
        self.text = text
        self.input = shape
        self.populations: list[PopulationSpec] = []
        self._pool = 1

    @property
    def _source(self) -> str:
        return self.populations[-1].name if self.populations else INPUT

    @property
    def _shape(self) -> Shape:
        return self.populations[-1].shape if self.populations else self.input

    def add(self, index: int, token: str, *, last: bool) -> None:
        if last:
            if not token.isdigit():
                raise self._wrong(token, "the last token is the number of classes")
            self._dense("readout", token, Role.READOUT)
        elif token.isdigit():
            self._dense(f"dense{index}", token, Role.SPIKING)
        elif match := _CONVOLUTION.fullmatch(token):
            channels, kernel, stride, padding, groups = (None if g is None else _number(g) for g in match.groups())
            assert channels is not None
            assert kernel is not None
            self._convolution(
                f"conv{index}",
                token,
                channels,
                kernel,
                stride=1 if stride is None else stride,
                padding=kernel // 2 if padding is None else padding,
                groups=1 if groups is None else groups,
            )
        elif match := _RESIDUAL.fullmatch(token):
            self._residual(index, token, *(1 if g is None else _number(g) for g in match.groups()))
        elif match := _POOLING.fullmatch(token):
            kind, window = match.group(1), _number(match.group(2))
            self._pooling(index, token, window, maximum=kind == "m")
        elif match := _RECURRENT.fullmatch(token):
            name = f"rec{index}"
            self._dense(name, match.group(1), Role.SPIKING, loop=True)
        else:
            raise self._wrong(token, "known are sizes, 16c5s2, 32r3, 64R, a2 and m2")

    def _dense(self, name: str, token: str, role: Role, *, loop: bool = False) -> None:
        size = self._checked(token, _number(token))
        channels, height, width = self._pooled(token)
        projections = [
            ProjectionSpec(
                kind=ProjectionKind.DENSE,
                source=self._source,
                weights=(size, channels * height * width),
                pool=self._take_pool(),
            )
        ]
        if loop:
            projections.append(ProjectionSpec(kind=ProjectionKind.DENSE, source=name, weights=(size, size), delay=1))
        self._append(name, (size, 1, 1), role, projections, token)

    def _convolution(
        self, name: str, token: str, channels: int, kernel: int, *, stride: int, padding: int, groups: int
    ) -> None:
        projection, shape = self._convolving(
            token, self._source, self._pooled(token), channels, kernel, stride, padding, groups
        )
        self._append(name, shape, Role.SPIKING, [replace(projection, pool=self._take_pool())], token)

    def _residual(self, index: int, token: str, channels: int, kernel: int, stride: int) -> None:
        if kernel % 2 == 0:
            raise self._wrong(token, "the kernel of a residual block is odd, so that it keeps the size")
        if self._pool > 1:
            raise self._wrong(token, "average pooling stands in front of a convolution or a dense layer")
        if not self.populations:
            raise self._wrong(token, "a residual block adds spikes, so a layer has to come before it")
        source, before = self._source, self._shape
        self._convolution(f"res{index}a", token, channels, kernel, stride=stride, padding=kernel // 2, groups=1)
        main, shape = self._convolving(token, self._source, self._shape, channels, kernel, 1, kernel // 2, 1)
        if before == shape:
            shortcut = ProjectionSpec(kind=ProjectionKind.POOLING, source=source, weights=(channels,))
        else:
            shortcut, _ = self._convolving(token, source, before, channels, 1, stride, 0, 1)
        self._append(f"res{index}b", shape, Role.SPIKING, [main, shortcut], token)

    def _pooling(self, index: int, token: str, window: int, *, maximum: bool) -> None:
        if not 1 < window <= _LARGEST_SIZE:
            raise self._wrong(token, "a pooling window is at least 2 wide")
        channels, height, width = self._shape
        if self._pool > 1:
            raise self._wrong(token, "one pooling follows another; write one of their product")
        if height % window or width % window:
            raise self._wrong(token, f"{window} does not divide the {height} x {width} map in front of it")
        if not maximum:
            self._pool = window
            return
        if not self.populations:
            raise self._wrong(token, "max pooling takes spikes, so a layer has to come before it")
        shape = (channels, height // window, width // window)
        projection = ProjectionSpec(
            kind=ProjectionKind.POOLING, source=self._source, weights=(channels,), kernel=window, stride=window
        )
        self._append(f"max{index}", shape, Role.MAX, [projection], token)

    def _convolving(
        self, token: str, source: str, shape: Shape, channels: int, kernel: int, stride: int, padding: int, groups: int
    ) -> tuple[ProjectionSpec, Shape]:
        self._checked(token, channels)
        inputs, height, width = shape
        if kernel < 1 or stride < 1 or padding >= max(kernel, 1):
            raise self._wrong(token, "kernel and stride are at least 1 and the padding is smaller than the kernel")
        if kernel > height + 2 * padding or kernel > width + 2 * padding:
            raise self._wrong(token, f"the kernel is larger than its {height} x {width} input with padding")
        if groups < 1 or inputs % groups or channels % groups:
            raise self._wrong(token, f"{groups} groups do not divide {inputs} inputs and {channels} channels")
        projection = ProjectionSpec(
            kind=ProjectionKind.CONVOLUTION,
            source=source,
            weights=(channels, inputs // groups, kernel, kernel),
            kernel=kernel,
            stride=stride,
            padding=padding,
            groups=groups,
        )
        return projection, (
            channels,
            (height + 2 * padding - kernel) // stride + 1,
            (width + 2 * padding - kernel) // stride + 1,
        )

    def _append(self, name: str, shape: Shape, role: Role, projections: list[ProjectionSpec], token: str) -> None:
        population = PopulationSpec(name=name, shape=shape, role=role, projections=tuple(projections))
        if population.size > _MOST_NEURONS:
            raise self._wrong(token, f"it has {population.size:,} neurons, more than {_MOST_NEURONS:,}")
        self.populations.append(population)

    def _pooled(self, token: str) -> Shape:
        """Shape of what the next layer sees."""
        channels, height, width = self._shape
        return channels, height // self._pool, width // self._pool

    def _take_pool(self) -> int:
        pool, self._pool = self._pool, 1
        return pool

    def _checked(self, token: str, size: int) -> int:
        if not 1 <= size <= _LARGEST_SIZE:
            raise self._wrong(token, f"sizes are 1 to {_LARGEST_SIZE:,}")
        return size

    def _wrong(self, token: str, why: str) -> OptionError:
        return OptionError(f"Token {token[:40]!r} of architecture {self.text[:80]!r} cannot be built: {why}.")
