"""Structures that have no hardware become equal ones that have it."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt

from snnc.compiler.design import Design
from snnc.compiler.errors import FitError, UnsupportedError
from snnc.compiler.ir import (
    Convolution,
    Dense,
    Encoding,
    Graph,
    Initial,
    IntegrateAndFire,
    Level,
    Pair,
    Pooling,
    Population,
    Projection,
    Reset,
    Shape,
    as_convolution,
    frozen,
    kernel_positions,
    pooled_shape,
)

__all__ = ["WEIGHTS_LIMIT", "lower", "lowered"]

WEIGHTS_LIMIT: Final = 2**22
"""Weights of a projection that is written out: at two bits each, twice the memory of the largest device."""

_SHIFT_LIMIT: Final = 16
_DIGIT_BITS: Final = 7
"""Bits by which the parts of a wide weight are apart; such a part is in -64 .. 63, the highest one in -127 .. 127."""

_Integers: TypeAlias = npt.NDArray[np.int64]


def lower(design: Design) -> Design:
    """Rewrite what has no hardware of its own.

    Invariant: every population is still there, under its name, with the same spikes and membranes of every sample. The
    readout is flat and hears dense projections alone; nothing hears the readout; pixels are not pooled; one projection
    hears spikes from the input, without a delay; every layer hears something without a delay, unless pixels are all
    that comes before it. A network of which all this is true passes as the same object. Raises `FitError` where too
    many weights would be written out, and `UnsupportedError` where weights are too wide for it.
    """
    graph, rewrites = lowered(design.graph)
    return dataclasses.replace(design, graph=graph, rewrites=rewrites)


def lowered(graph: Graph) -> tuple[Graph, tuple[str, ...]]:
    """`lower`, of a graph alone, and what was rewritten: a sentence each."""
    assert graph.level is Level.INTEGER
    rewrites: list[str] = []
    for step in _STEPS:
        graph, said = step(graph)
        rewrites += said
    return graph, tuple(rewrites)


_Step: TypeAlias = Callable[[Graph], tuple[Graph, list[str]]]


def _unheard_readout(graph: Graph) -> tuple[Graph, list[str]]:
    """A readout never fires, so that what hears it hears nothing."""
    name = graph.readout.name
    dropped = graph.out_of(name)
    said = [f"Layer '{projection.target}' does not hear the readout, which never fires." for projection in dropped]
    return _exchanged(graph, dict.fromkeys(dropped, ())), said


def _flat_readout(graph: Graph) -> tuple[Graph, list[str]]:
    """A channel for each neuron of a readout with rows and columns, behind dense projections alone."""
    readout = graph.readout
    exchanged: dict[Projection, Sequence[Projection]] = {}
    said: list[str] = []
    for projection in graph.into(readout.name):
        if isinstance(projection, Dense):
            continue
        source = graph.population(projection.source)
        exchanged[projection] = tuple(_written_out(projection, source, readout))
        weights = sum(dense.weight.size for dense in exchanged[projection])
        said.append(
            f"What the readout '{readout.name}' hears of '{source.name}' is dense: {weights:,} weights instead of "
            f"{projection.weight.size:,}."
        )
    graph = _exchanged(graph, exchanged)
    if readout.size == readout.channels:
        return graph, said
    said.append(f"The readout '{readout.name}' is flat: {readout.size} neurons instead of {_by(readout.shape)}.")
    bias = np.repeat(readout.bias.astype(np.int64), readout.size // readout.channels)
    flat = dataclasses.replace(readout, shape=(readout.size, 1, 1), bias=frozen(bias))
    return dataclasses.replace(graph, populations=(*graph.populations[:-1], flat)), said


def _written_out(projection: Convolution | Pooling, source: Population, readout: Population) -> Iterator[Dense]:
    """Every synapse a weight of its own; more than one dense projection where a weight has more than 8 bits."""
    kind = "pooling" if isinstance(projection, Pooling) else "convolution"
    for part in _narrow(projection) if isinstance(projection, Pooling) else (projection,):
        assert part.bits is not None
        pooled = pooled_shape(source.shape, part)
        _check_count(
            readout.size * math.prod(pooled),
            f"Layer '{readout.name}' is a readout behind a {kind}, of which every synapse from '{source.name}' needs a "
            "weight of its own",
            "Average over windows of its source (pool), use a larger stride, or make the layers smaller",
        )
        rows, columns = (
            _seen(part, axis, size, count)
            for axis, (size, count) in enumerate(zip(pooled[1:], readout.shape[1:], strict=True))
        )
        groups = part.groups
        weight = part.weight.astype(np.int64).reshape(groups, -1, *part.weight.shape[1:])
        full = np.einsum(
            "gk,goiuv,yuh,xvw->goyxkihw", np.eye(groups, dtype=np.int64), weight, rows, columns, optimize=True
        )
        yield Dense(
            source=part.source,
            target=part.target,
            weight=frozen(full.reshape(readout.size, -1)),
            bits=max(2, part.bits),  # synapses that are not there weigh 0
            shift=part.shift,
            delay=part.delay,
            pool=part.pool,
        )


def _narrow(projection: Pooling) -> Iterator[Convolution]:
    """Convolutions of at most 8 bits that add up to a pooling, over pooled sums where its windows are such."""
    weight, shift = projection.weight.astype(np.int64), projection.shift
    every_bit = int(np.bitwise_or.reduce(np.abs(weight)))
    if every_bit:
        spare = min((every_bit & -every_bit).bit_length() - 1, _SHIFT_LIMIT - shift)
        weight, shift = weight >> spare, shift + spare
    parts: list[tuple[_Integers, int]] = []
    while weight.any() or not parts:
        part, apart = weight, min(_DIGIT_BITS, _SHIFT_LIMIT - shift)
        if np.abs(weight).max() >= 2**_DIGIT_BITS:
            if not apart:
                raise UnsupportedError(
                    f"Layer '{projection.target}' is a readout that hears '{projection.source}' through a pooling, "
                    f"whose weights need {every_bit.bit_length() + projection.shift} bits; "
                    f"{_SHIFT_LIMIT + _DIGIT_BITS} are the most that is built. Use smaller weights, or a dense "
                    "projection."
                )
            part = (weight + 2 ** (apart - 1)) % 2**apart - 2 ** (apart - 1)
        if part.any() or not weight.any():
            parts.append((part, shift))
        weight, shift = (weight - part) >> apart, shift + apart
    size = projection.kernel[0]
    for part, shift in parts:
        convolution = as_convolution(dataclasses.replace(projection, weight=part, shift=shift))
        if projection.kernel == projection.stride == (size, size):
            # Windows that do not overlap are what a pooled sum is of, with a weight for each instead of each neuron.
            weight = part.reshape(-1, 1, 1, 1)
            convolution = dataclasses.replace(convolution, weight=weight, stride=(1, 1), pool=size)
        yield convolution


def _seen(projection: Convolution, axis: int, size: int, count: int) -> _Integers:
    """1 where an output sees a source position through a kernel position; ``(output, kernel position, source)``."""
    position = kernel_positions(projection, axis, count)
    return (position[..., None] == np.arange(size)).astype(np.int64)


def _single_pixels(graph: Graph) -> tuple[Graph, list[str]]:
    """Below a kernel, a pixel gets the weight of the window that it is in; a dense layer finds its window's."""
    if graph.source.encoding is not Encoding.DIRECT:
        return graph, []
    exchanged: dict[Projection, Sequence[Projection]] = {}
    said: list[str] = []
    for projection in graph.out_of(graph.input.name):
        if isinstance(projection, Pooling | Dense) or projection.pool == 1:
            continue
        single = _of_single_pixels(projection)
        exchanged[projection] = (single,)
        said.append(
            f"What layer '{projection.target}' hears of pixels is not pooled: {single.weight.size:,} weights of single "
            f"pixels instead of {projection.weight.size:,} of windows of {projection.pool} x {projection.pool}."
        )
    return _exchanged(graph, exchanged), said


def _of_single_pixels(projection: Convolution) -> Convolution:
    pool, outer = projection.pool, projection.weight.shape[:2]
    assert projection.bits is not None
    extents = [d * (k - 1) + 1 for k, d in zip(projection.kernel, projection.dilation, strict=True)]
    what = f"Layer '{projection.target}' pools pixels, each of which needs a weight of its own"
    _check_count(math.prod((*outer, *extents)) * pool**2, what, "Make the images smaller beforehand")
    kernel = np.zeros((*outer, *extents), np.int64)
    kernel[:, :, :: projection.dilation[0], :: projection.dilation[1]] = projection.weight
    return dataclasses.replace(
        projection,
        weight=frozen(_repeated(kernel, pool)),
        stride=_times(projection.stride, pool),
        padding=_times(projection.padding, pool),
        dilation=(1, 1),
        bits=projection.bits if kernel.size == projection.weight.size else max(2, projection.bits),
        pool=1,
    )


def _repeated(maps: npt.NDArray[np.int64] | npt.NDArray[np.float64], count: int) -> _Integers:
    return np.repeat(np.repeat(maps.astype(np.int64), count, axis=2), count, axis=3)


def _relayed_input(graph: Graph) -> tuple[Graph, list[str]]:
    """Neurons that repeat the input's spikes in the same step, where it does not have one listener without a delay."""
    source, heard = graph.input, graph.out_of(graph.input.name)
    waits = any(projection.delay == 0 for projection in graph.into(graph.layers[0].name))
    if graph.source.encoding is Encoding.DIRECT or (waits and [projection.delay for projection in heard] == [0]):
        return graph, []
    ones = frozen(np.ones(source.channels, np.int64))
    relay = Population(
        name=_free_name(graph, f"{source.name}_relay"),
        shape=source.shape,
        neuron=IntegrateAndFire(threshold=ones, reset=Reset.HARD, initial=Initial.ZERO),
        bias=frozen(np.zeros(source.channels, np.int64)),
    )
    # Nothing but a spike moves the membrane, which is at its threshold with one and back at 0 then.
    repeated = Pooling(source=source.name, target=relay.name, weight=ones, kernel=(1, 1), stride=(1, 1))
    moved = {projection: (dataclasses.replace(projection, source=relay.name),) for projection in heard}
    graph = _exchanged(graph, moved)
    activity = graph.activity
    if activity is not None:
        events = {**activity.events, relay.name: activity.events[source.name]}
        typical = {**activity.typical, relay.name: activity.typical[source.name]} if activity.typical else {}
        activity = dataclasses.replace(activity, events=events, typical=typical)
    graph = dataclasses.replace(
        graph,
        populations=(source, relay, *graph.layers),
        projections=(repeated, *graph.projections),
        activity=activity,
    )
    return graph, [
        f"Layer '{relay.name}', {_by(relay.shape)} neurons, repeats the spikes of '{source.name}', which one "
        "projection can hear, without a delay."
    ]


def _free_name(graph: Graph, wanted: str) -> str:
    taken = {population.name for population in graph.populations}
    numbered = (f"{wanted}{k}" for k in itertools.count(2))
    return next(name for name in itertools.chain((wanted,), numbered) if name not in taken)


def _kept_in_step(graph: Graph) -> tuple[Graph, list[str]]:
    """A layer learns that a step is over from what it hears without a delay: here, through weights of 0."""
    added: list[Projection] = []
    said: list[str] = []
    for place, population in enumerate(graph.layers):
        into = graph.into(population.name)
        of_pixels = graph.source.encoding is Encoding.DIRECT and any(
            projection.source == graph.input.name for projection in into
        )
        if not place or of_pixels or any(projection.delay == 0 for projection in into):
            continue
        # A dense layer's membranes are visited in turn, which a convolution would end.
        dense = population is graph.readout or all(isinstance(projection, Dense) for projection in into)
        choices = [_silent(source, population, dense=dense) for source in reversed(graph.layers[:place])]
        synapses = [_synapses(projection, population) for projection in choices]
        silent = choices[synapses.index(min(synapses))]
        _check_count(
            silent.weight.size,
            f"Layer '{population.name}' hears nothing without a delay, and needs weights of 0 to keep in step with "
            f"'{silent.source}'",
            "Give it a projection without a delay",
        )
        added.append(dataclasses.replace(silent, weight=frozen(silent.weight)))
        said.append(
            f"Layer '{population.name}', which hears all else with a delay, keeps in step with '{silent.source}' "
            f"through {silent.weight.size:,} weights of 0."
        )
    return (dataclasses.replace(graph, projections=(*graph.projections, *added)) if added else graph), said


def _silent(source: Population, target: Population, *, dense: bool) -> Dense | Convolution:
    """As few weights of 0 as there can be, which take no memory yet; a convolution where `dense` does not forbid it."""
    zero = np.zeros((), np.int64)
    (channels, height, width), (outputs, rows, columns) = source.shape, target.shape
    stride = _stride(height, rows), _stride(width, columns)
    if not dense and ((height - 1) // stride[0] + 1, (width - 1) // stride[1] + 1) == (rows, columns):
        groups = math.gcd(channels, outputs)
        return Convolution(
            source=source.name,
            target=target.name,
            weight=np.broadcast_to(zero, (outputs, channels // groups, 1, 1)),
            stride=stride,
            groups=groups,
            bits=2,
        )
    pool = math.gcd(height, width)
    weight = np.broadcast_to(zero, (target.size, source.size // pool**2))
    return Dense(source=source.name, target=target.name, weight=weight, bits=2, pool=pool)


def _stride(size: int, count: int) -> int:
    """The stride at which a kernel of 1 sees so many of the positions, if there is one."""
    return max(1, (size - 1) // (count - 1)) if count > 1 else size


def _synapses(projection: Dense | Convolution, target: Population) -> int:
    """What an event of each source neuron costs."""
    match projection:
        case Dense():
            return projection.weight.size * projection.pool**2
        case Convolution():
            return target.size * projection.weight.shape[1]
        case _ as unreachable:
            assert_never(unreachable)


def _check_count(count: int, what: str, remedy: str) -> None:
    """Refuse before the memory is taken."""
    if count > WEIGHTS_LIMIT:
        raise FitError(f"{what}: {count:,} weights; {WEIGHTS_LIMIT:,} are the most. {remedy}.")


def _exchanged(graph: Graph, exchanged: Mapping[Projection, Sequence[Projection]]) -> Graph:
    """`graph` with other projections in the place of some; itself if there are none."""
    if not exchanged:
        return graph
    projections = (new for old in graph.projections for new in exchanged.get(old, (old,)))
    return dataclasses.replace(graph, projections=tuple(projections))


def _times(pair: Pair, factor: int) -> Pair:
    return pair[0] * factor, pair[1] * factor


def _by(shape: Shape) -> str:
    return " x ".join(map(str, shape))


_STEPS: Final[tuple[_Step, ...]] = (_unheard_readout, _flat_readout, _single_pixels, _relayed_input, _kept_in_step)
"""In order: what is written out for a readout may pool pixels, and a relay may be what a layer keeps in step with."""
