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
                    by identity where the shapes agree, else (``64r3s2``) through a 1 x 1 convolution of that stride;
                    ``d2`` lets the block's input arrive two steps later; an even kernel, with an even stride
                    (``64r4s2``), is the first convolution's, as 3 x 3 where zeros are padded below and right alone, and
                    the second one's is smaller by one
``64R``             recurrent dense layer: its own spikes of the step before are a second input
``32t5``            temporal taps: a dense layer that hears its source at delays 0 to 4, each through weights of its own
                    (a causal convolution over time); also behind a convolution or a recurrent layer: ``16c3t3``,
                    ``32Rt5``; ``32t5x4`` hears at every fourth delay, 0 to 16 (a dilated one)
==================  ==============================================================================================

A kernel, stride, padding or window of two numbers is height x width: ``16c1x5s1x2``, ``m1x2``, ``a2x1``.

``784-32-10`` is fully connected, ``1x28x28-16c5s2-32c3s2-48c3s2-10`` convolutional.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from enum import Enum

from snnc.compiler.errors import OptionError

__all__ = [
    "INPUT",
    "Architecture",
    "Pair",
    "PopulationSpec",
    "ProjectionKind",
    "ProjectionSpec",
    "Role",
    "Shape",
    "parse_architecture",
]

INPUT = "input"
"""Name of the input population."""

_LARGEST_SIZE = 1 << 16
_MOST_WEIGHTS = 1 << 26
_MOST_NEURONS = 1 << 22
_MOST_TOKENS = 200

_MOST_TAPS = 64
"""As many projections into one layer as a checkpoint may have; a recurrent layer has one tap less."""
_LONGEST_DELAY = 1 << 12

_PAIR = r"(\d+(?:x\d+)?)"
_CONVOLUTION = re.compile(rf"(\d+)c{_PAIR}(?:s{_PAIR})?(?:p{_PAIR})?(?:g(\d+))?(?:t(\d+(?:x\d+)?))?")
_RESIDUAL = re.compile(rf"(\d+)r{_PAIR}(?:s{_PAIR})?(?:d(\d+))?")
_POOLING = re.compile(rf"([am]){_PAIR}")
_DENSE = re.compile(r"(\d+)(R?)(?:t(\d+(?:x\d+)?))?")
_SHAPE = re.compile(r"(\d+)x(\d+)x(\d+)")

Shape = tuple[int, int, int]

Pair = tuple[int, int]
"""Height and width."""


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
    kernel, stride, padding
        Height and width.
    pool
        The source is averaged over non-overlapping windows of this height and width first.
    delay
        Time steps until a spike takes effect; 1 on a recurrent projection.
    weights
        Shape of the weight tensor: ``(out, in)``, ``(C_out, C_in / groups, *kernel)`` or ``(C,)``.
    """

    kind: ProjectionKind
    source: str
    weights: tuple[int, ...]
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    groups: int = 1
    pool: Pair = (1, 1)
    delay: int = 0

    @property
    def square(self) -> bool:
        """Whether the windows of `pool` are as high as wide, as the contract has them; see `compiler.ir.spreading`."""
        return self.pool[0] == self.pool[1]


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

    @property
    def loop(self) -> ProjectionSpec | None:
        """The projection of its own spikes, which is the last; None where it has none."""
        last = self.projections[-1]
        return last if last.source == self.name else None


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

    def shape_of(self, source: str) -> Shape:
        """Of the input or a population, by its name."""
        return self.shape if source == INPUT else next(p.shape for p in self.populations if p.name == source)

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
            math.prod(projection.weights) * (1 if projection.square else math.prod(projection.pool))
            for population in self.populations
            for projection in population.projections
            if projection.kind is not ProjectionKind.POOLING
        )

    @property
    def recurrent(self) -> bool:
        """Whether a layer hears itself."""
        return any(population.loop is not None for population in self.populations)


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


def _half(kernel: Pair) -> Pair:
    return kernel[0] // 2, kernel[1] // 2


def _tapped(projection: ProjectionSpec, delays: range) -> list[ProjectionSpec]:
    """The projection at each of these delays."""
    return [replace(projection, delay=delay) for delay in delays]


def _pair(text: str | None, default: Pair) -> Pair:
    """``3`` is ``3x3``; a part that is not there is the default."""
    if text is None:
        return default
    height, _, width = text.partition("x")
    return _number(height), _number(width or height)


class _Builder:
    """Appends the populations of one token after another to a chain."""

    def __init__(self, text: str, shape: Shape) -> None:
        self.text = text
        self.input = shape
        self.populations: list[PopulationSpec] = []
        self._pool: Pair = (1, 1)

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
            self._dense("readout", token, token, Role.READOUT)
        elif match := _DENSE.fullmatch(token):
            size, loop, taps = match.groups()
            name = f"{'rec' if loop else 'dense'}{index}"
            self._dense(name, token, size, Role.SPIKING, loop=bool(loop), taps=self._taps(token, taps, loops=len(loop)))
        elif match := _CONVOLUTION.fullmatch(token):
            channels, kernel, stride, padding, groups, taps = match.groups()
            size_of = _pair(kernel, (1, 1))
            self._convolution(
                f"conv{index}",
                token,
                _number(channels),
                size_of,
                stride=_pair(stride, (1, 1)),
                padding=_pair(padding, _half(size_of)),
                groups=1 if groups is None else _number(groups),
                taps=self._taps(token, taps),
            )
        elif match := _RESIDUAL.fullmatch(token):
            channels, kernel, stride, delay = match.groups()
            late = 0 if delay is None else _number(delay)
            self._residual(index, token, _number(channels), _pair(kernel, (1, 1)), _pair(stride, (1, 1)), late)
        elif match := _POOLING.fullmatch(token):
            kind, window = match.groups()
            self._pooling(index, token, _pair(window, (1, 1)), maximum=kind == "m")
        else:
            raise self._wrong(token, "known are sizes, 16c5s2, 32r3, 64R, 32t5, a2 and m2")

    def _taps(self, token: str, taps: str | None, *, loops: int = 0) -> range:
        """The delays that a layer hears its source at, from 0 on."""
        if taps is None:
            return range(1)
        digits, _, apart = taps.partition("x")
        count, spacing, most = _number(digits), _number(apart or "1"), _MOST_TAPS - loops
        if not 2 <= count <= most:
            raise self._wrong(token, f"it has 2 to {most} temporal taps, the delays 0 to {most - 1}")
        if not 1 <= spacing * (count - 1) <= _LONGEST_DELAY:
            raise self._wrong(token, f"its taps are at least 1 step apart, and the last delay is {_LONGEST_DELAY:,}")
        return range(0, count * spacing, spacing)

    def _dense(
        self, name: str, token: str, digits: str, role: Role, *, loop: bool = False, taps: range = range(1)
    ) -> None:
        size = self._checked(token, _number(digits))
        projection = ProjectionSpec(
            kind=ProjectionKind.DENSE,
            source=self._source,
            weights=(size, math.prod(self._pooled())),
            pool=self._take_pool(),
        )
        projections = _tapped(projection, taps)
        if loop:
            projections.append(ProjectionSpec(kind=ProjectionKind.DENSE, source=name, weights=(size, size), delay=1))
        self._append(name, (size, 1, 1), role, projections, token)

    def _convolution(
        self,
        name: str,
        token: str,
        channels: int,
        kernel: Pair,
        *,
        stride: Pair,
        padding: Pair,
        groups: int = 1,
        taps: range = range(1),
    ) -> None:
        projection, shape = self._convolving(
            token, self._source, self._pooled(), channels, kernel, stride, padding, groups
        )
        projections = _tapped(replace(projection, pool=self._take_pool()), taps)
        self._append(name, shape, Role.SPIKING, projections, token)

    def _residual(self, index: int, token: str, channels: int, kernel: Pair, stride: Pair, delay: int) -> None:
        if any(side % 2 == 0 and step % 2 for side, step in zip(kernel, stride, strict=True)):
            raise self._wrong(token, "a residual block has an odd kernel, so that it keeps the size, or an even stride")
        if self._pool != (1, 1):
            raise self._wrong(token, "average pooling stands in front of a convolution or a dense layer")
        if not self.populations:
            raise self._wrong(token, "a residual block adds spikes, so a layer has to come before it")
        if delay > _LONGEST_DELAY:
            raise self._wrong(token, f"what it adds is delayed by at most {_LONGEST_DELAY:,} steps")
        source, before = self._source, self._shape
        odd = kernel[0] - 1 + kernel[0] % 2, kernel[1] - 1 + kernel[1] % 2
        self._convolution(f"res{index}a", token, channels, kernel, stride=stride, padding=_half(odd))
        main, shape = self._convolving(token, self._source, self._shape, channels, odd, (1, 1), _half(odd), 1)
        if before == shape:
            shortcut = ProjectionSpec(kind=ProjectionKind.POOLING, source=source, weights=(channels,))
        else:
            shortcut, found = self._convolving(token, source, before, channels, (1, 1), stride, (0, 0), 1)
            if found != shape:
                size = f"{before[1]} x {before[2]}"
                raise self._wrong(token, f"an even kernel needs a map that its stride divides, not {size}")
        self._append(f"res{index}b", shape, Role.SPIKING, [main, replace(shortcut, delay=delay)], token)

    def _pooling(self, index: int, token: str, window: Pair, *, maximum: bool) -> None:
        if not 1 <= min(window) <= max(window) <= _LARGEST_SIZE or window == (1, 1):
            raise self._wrong(token, "a pooling window is at least 2 wide or 2 high")
        channels, height, width = self._shape
        if self._pool != (1, 1):
            raise self._wrong(token, "one pooling follows another; write one of their product")
        if height % window[0] or width % window[1]:
            shown = str(window[0]) if window[0] == window[1] else f"{window[0]}x{window[1]}"
            raise self._wrong(token, f"{shown} does not divide the {height} x {width} map in front of it")
        if not maximum:
            self._pool = window
            return
        if not self.populations:
            raise self._wrong(token, "max pooling takes spikes, so a layer has to come before it")
        shape = (channels, height // window[0], width // window[1])
        projection = ProjectionSpec(
            kind=ProjectionKind.POOLING, source=self._source, weights=(channels,), kernel=window, stride=window
        )
        self._append(f"max{index}", shape, Role.MAX, [projection], token)

    def _convolving(
        self,
        token: str,
        source: str,
        shape: Shape,
        channels: int,
        kernel: Pair,
        stride: Pair,
        padding: Pair,
        groups: int,
    ) -> tuple[ProjectionSpec, Shape]:
        self._checked(token, channels)
        inputs, height, width = shape
        if min(*kernel, *stride) < 1 or any(p >= max(k, 1) for p, k in zip(padding, kernel, strict=True)):
            raise self._wrong(token, "kernel and stride are at least 1 and the padding is smaller than the kernel")
        if kernel[0] > height + 2 * padding[0] or kernel[1] > width + 2 * padding[1]:
            raise self._wrong(token, f"the kernel is larger than its {height} x {width} input with padding")
        if groups < 1 or inputs % groups or channels % groups:
            raise self._wrong(token, f"{groups} groups do not divide {inputs} inputs and {channels} channels")
        projection = ProjectionSpec(
            kind=ProjectionKind.CONVOLUTION,
            source=source,
            weights=(channels, inputs // groups, *kernel),
            kernel=kernel,
            stride=stride,
            padding=padding,
            groups=groups,
        )
        return projection, (
            channels,
            (height + 2 * padding[0] - kernel[0]) // stride[0] + 1,
            (width + 2 * padding[1] - kernel[1]) // stride[1] + 1,
        )

    def _append(self, name: str, shape: Shape, role: Role, projections: list[ProjectionSpec], token: str) -> None:
        population = PopulationSpec(name=name, shape=shape, role=role, projections=tuple(projections))
        if population.size > _MOST_NEURONS:
            raise self._wrong(token, f"it has {population.size:,} neurons, more than {_MOST_NEURONS:,}")
        self.populations.append(population)

    def _pooled(self) -> Shape:
        """Shape of what the next layer sees."""
        channels, height, width = self._shape
        return channels, height // self._pool[0], width // self._pool[1]

    def _take_pool(self) -> Pair:
        pool, self._pool = self._pool, (1, 1)
        return pool

    def _checked(self, token: str, size: int) -> int:
        if not 1 <= size <= _LARGEST_SIZE:
            raise self._wrong(token, f"sizes are 1 to {_LARGEST_SIZE:,}")
        return size

    def _wrong(self, token: str, why: str) -> OptionError:
        return OptionError(f"Token {token[:40]!r} of architecture {self.text[:80]!r} cannot be built: {why}.")
