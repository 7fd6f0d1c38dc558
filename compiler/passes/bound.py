"""Nothing overflows: the ranges of every current and membrane, proven by interval arithmetic.

A sample has at most ``T_max`` steps, which are followed one by one. A stream has no end: its membranes are proven to
stay in an interval that no step leaves (`_invariant`), or the network is refused by the layer's name.
"""

from __future__ import annotations

import dataclasses
from typing import Final, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt

from snnc.compiler.design import Bounds, Design, Firing
from snnc.compiler.errors import FitError
from snnc.compiler.ir import (
    Convolution,
    Dense,
    Encoding,
    Graph,
    Initial,
    InputSource,
    IntegrateAndFire,
    Level,
    Pooling,
    Population,
    Projection,
    Readout,
    Reset,
    Shape,
    kernel_positions,
    pooled_shape,
    verify,
    window,
)
from snnc.compiler.plan import Range
from snnc.compiler.plan.residual import Residual, leaked

__all__ = ["WIDTH_LIMIT", "Interval", "bound", "firing_warnings", "for_streams", "layer_bounds"]

WIDTH_LIMIT: Final = 32
"""Bits of the widest accumulator."""

_NO_FLOOR: Final = -(2**62)

_Integers: TypeAlias = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """Inclusive bounds per neuron: `low` and `high` of shape ``(neurons,)``."""

    low: _Integers
    high: _Integers

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.low + other.low, self.high + other.high)

    def union(self, other: Interval) -> Interval:
        return Interval(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    def summary(self) -> Range:
        """Bounds over all neurons."""
        return Range(low=int(self.low.min()), high=int(self.high.max()))


def for_streams(graph: Graph) -> Graph:
    """The same network for streams, with widths that are proven for ever.

    Raises
    ------
    UnsupportedError, FitError
        It takes no events, or a layer has no such widths; the message says what would help.
    """
    found = dataclasses.replace(graph, stream=True)
    verify(found)
    for layer in found.layers:
        layer_bounds(found, layer)
    return found


def bound(design: Design) -> Design:
    """Prove the ranges of ``I``, ``U``, ``V`` and of the stored residual for at most ``T_max`` steps.

    Invariant: no sample of at most ``T_max`` steps leaves the ranges, nor a stream that is answered as often, and every
    accumulator fits `WIDTH_LIMIT`.
    """
    graph = design.graph
    assert graph.level is Level.INTEGER
    bounds = tuple(layer_bounds(graph, population) for population in graph.layers)
    for population, found in zip(graph.layers, bounds, strict=True):
        bits = max(found.residual.bits, found.before_reset.bits)
        if bits > WIDTH_LIMIT:
            endless = graph.stream and not (population is graph.readout and graph.restarts)
            over = "in a stream" if endless else f"over {graph.time_steps} time steps"
            raise FitError(
                f"The membranes of layer '{population.name}' need {bits} bits {over}; {WIDTH_LIMIT} are the most.",
                "Use fewer time steps (--time-steps), fewer weight bits, or fewer fraction_bits in the student (its "
                "layer's shift; docs/checkpoint.md).",
            )
    return dataclasses.replace(design, bounds=bounds)


def firing_warnings(graph: Graph) -> tuple[str, ...]:
    """A sentence for each layer whose neurons are proven to be all silent, or all firing in every step."""
    steps, found = graph.time_steps, []
    for population in graph.layers:
        firing = layer_bounds(graph, population).firing
        if firing is Firing.NEVER:
            found.append(
                f"Warning: layer '{population.name}' can never fire: no input of {steps} time steps brings any of its "
                "neurons to its threshold, and what follows sees nothing of the input through it. Its thresholds may "
                "be of another scale than its weights."
            )
        if firing is Firing.ALWAYS:
            found.append(
                f"Warning: every neuron of layer '{population.name}' fires in every time step, whatever the input is: "
                "what follows sees nothing of the input through it. Its biases or thresholds may be of another scale "
                "than its weights."
            )
    return tuple(found)


def layer_bounds(graph: Graph, population: Population) -> Bounds:
    """Ranges of one layer of an integer graph."""
    into = graph.into(population.name)
    weighted = [_weighted(graph, projection) for projection in into]
    bias = _per_neuron(population.bias, population)
    current, firing = Interval(bias, bias), Firing.DEPENDS
    for interval, projection in zip(weighted, into, strict=True):
        current += Interval(interval.low << projection.shift, interval.high << projection.shift)
    match population.neuron:
        case IntegrateAndFire() as neuron:
            steps = None if graph.stream else graph.time_steps
            before, after, residual, firing = _firing(population, neuron, current, steps)
        case Readout(leak_shift=None):
            total = Interval(current.low * graph.time_steps, current.high * graph.time_steps)
            before = current.union(total)
            after = residual = _point(np.zeros_like(bias)).union(before)
        case Readout(leak_shift=int(shift)):
            steps = None if graph.stream else graph.time_steps
            before, after, residual = _leaky(population, shift, current, steps)
        case InputSource():
            raise AssertionError("an input has no membrane")
    return Bounds(
        input_current=current.summary(),
        before_reset=before.summary(),
        after_reset=after.summary(),
        residual=residual.summary(),
        weighted=tuple(interval.summary() for interval in weighted),
        firing=firing,
    )


def _leaky(
    population: Population, shift: int, current: Interval, steps: int | None
) -> tuple[Interval, Interval, Interval]:
    """Ranges of ``U``, ``V`` and the residual of a readout that leaks; without a number of `steps`, for ever."""
    zero = np.zeros_like(current.low)
    after = _point(zero)
    if steps is None:
        _check_single_step(population.name, current)
        if shift >= WIDTH_LIMIT:
            raise _unbounded(
                population.name,
                f"grow in every step: its leak of 2^-{shift} takes nothing of what {WIDTH_LIMIT} bits hold",
                "A smaller leak shift",
            )
        after = after.union(_held_by_leak(current, shift))
    before = _leaked(after, shift) + current
    for _ in range(0 if steps is None else steps - 1):
        reached = after.union(before)
        if (reached.low == after.low).all() and (reached.high == after.high).all():
            break
        after = reached
        before = before.union(_leaked(after, shift) + current)
    reached = after.union(before)
    if steps is None and not ((reached.low == after.low).all() and (reached.high == after.high).all()):
        raise AssertionError(f"a step leaves the interval that was to hold readout {population.name!r}")
    after = reached
    kept = Residual.of(population)
    lowest, highest = (
        kept.held(before=one, unclamped=other, after=other)
        for one, other in ((before.low, after.low), (before.high, after.high))
    )
    return before, after, Interval(np.minimum.reduce(lowest), np.maximum.reduce(highest))


def _weighted(graph: Graph, projection: Projection) -> Interval:
    """Range of one step's weighted sum before the shift: only negative weights get an input, or only positive ones."""
    source, target = graph.population(projection.source), graph.population(projection.target)
    largest = window(projection)
    match source.neuron:
        case InputSource(encoding=Encoding.DIRECT, bits=bits):
            largest *= 2**bits - 1
    weight = projection.weight.astype(np.int64)
    low, high = (
        largest * _sum_of_all(projection, part, source.shape, target)
        for part in (np.minimum(weight, 0), np.maximum(weight, 0))
    )
    return Interval(low, high)


def _sum_of_all(projection: Projection, weight: _Integers, source: Shape, target: Population) -> _Integers:
    """The weights that reach each neuron of the target, summed; ``(neurons,)``."""
    match projection:
        case Dense():
            return weight.sum(axis=1)
        case Convolution():
            _, height, width = pooled_shape(source, projection)
            rows, columns = (
                _taps(projection, axis, size, count)
                for axis, (size, count) in enumerate(zip((height, width), target.shape[1:], strict=True))
            )
            # Padding is missed by a row and by a column of the kernel independently.
            return np.einsum("yu,ouv,xv->oyx", rows, weight.sum(axis=1), columns, optimize=True).reshape(-1)
        case Pooling():
            return _per_neuron(weight, target)
        case _ as unreachable:
            assert_never(unreachable)


def _taps(projection: Convolution, axis: int, size: int, count: int) -> _Integers:
    """1 where a kernel position of an output lies inside the source, else 0; ``(output, kernel position)``."""
    position = kernel_positions(projection, axis, count)
    return ((position >= 0) & (position < size)).astype(np.int64)


def _firing(
    population: Population, neuron: IntegrateAndFire, current: Interval, steps: int | None
) -> tuple[Interval, Interval, Interval, Firing]:
    """Ranges of ``U``, ``V`` and the residual, the union over all steps of what one step can make of the last one's.

    And whether neurons fire at all. Without a number of `steps` there is no end to them.
    """
    threshold = _per_neuron(neuron.threshold, population)
    bias = _per_neuron(population.bias, population)
    floor = np.full_like(bias, _NO_FLOOR) if neuron.floor is None else _per_neuron(neuron.floor, population)
    # Positions of a channel differ at the borders only: each kind of neuron is followed once.
    taken = threshold if neuron.subtracted is None else _per_neuron(neuron.subtracted, population)
    kinds = np.unique(np.stack([threshold, bias, floor, taken, current.low, current.high]), axis=1)
    threshold, bias, floor, taken = kinds[:4]
    current = Interval(kinds[4], kinds[5])
    initial = threshold >> 1 if neuron.initial is Initial.HALF else np.zeros_like(threshold)
    membrane = after = _point(initial)
    before = _leaked(membrane, neuron.leak_shift) + current
    unclamped = after
    if steps is None:
        floors = None if neuron.floor is None else floor
        membrane = after = _invariant(population.name, neuron, current, threshold, taken, floors, initial)
    for _ in range(1 if steps is None else steps):
        drive = _leaked(membrane, neuron.leak_shift) + current
        before = before.union(drive)
        reached = _reset(drive, threshold, neuron.reset, taken)
        unclamped = unclamped.union(reached)
        reached = Interval(np.maximum(reached.low, floor), np.maximum(reached.high, floor))
        # Once a step adds nothing new, no later one does.
        settled = bool((reached.low >= after.low).all() and (reached.high <= after.high).all())
        if steps is None and not settled:
            raise AssertionError(f"a step leaves the interval that was to hold layer {population.name!r}")
        after = after.union(reached)
        membrane = after
        if settled:
            break
    kept = Residual(
        bias=bias,
        threshold=threshold,
        floor=None if neuron.floor is None else floor,
        initial=initial,
        leak_shift=neuron.leak_shift,
        subtracted=None if neuron.subtracted is None else taken,
    )
    lowest = kept.held(before=before.low, unclamped=unclamped.low, after=after.low)
    highest = kept.held(before=before.high, unclamped=unclamped.high, after=after.high)
    residual = Interval(np.minimum.reduce(lowest), np.maximum.reduce(highest))
    firing = Firing.DEPENDS
    if (before.high < threshold).all():
        firing = Firing.NEVER
    elif (before.low >= threshold).all():
        firing = Firing.ALWAYS
    return before, after, residual, firing


def _invariant(
    name: str,
    neuron: IntegrateAndFire,
    current: Interval,
    threshold: _Integers,
    taken: _Integers,
    floor: _Integers | None,
    initial: _Integers,
) -> Interval:
    """Membranes that no step leaves: from ``V`` inside, whatever comes, to ``V`` inside.

    With a leak of ``k`` bits, ``leak(V) + I <= V`` as soon as ``V >> k >= I``, so that nothing rises above ``I << k``,
    and ``leak(V) + I >= V`` as soon as ``V >> k <= I``. Without one, a neuron that does not fire is below its
    threshold; one that fires is set to 0, or loses `taken`, which must be all that a step can add; and what falls must
    meet a floor.

    Raises
    ------
    FitError
        There are none; the message says what would help.
    """
    hard = neuron.reset is Reset.HARD
    left = np.zeros_like(taken) if hard else taken
    # A leak that takes nothing of what `WIDTH_LIMIT` holds is none.
    shift = neuron.leak_shift if neuron.leak_shift is not None and neuron.leak_shift < WIDTH_LIMIT else None
    _check_single_step(name, current)
    high = np.maximum(np.maximum(initial, threshold - 1), 0)
    excess = current.high - left
    if not hard:
        if shift is not None:
            high = np.maximum(high, _held_by_leak(Interval(current.low, excess), shift).high)
        elif (excess > 0).any():
            at = int(excess.argmax())
            raise _unbounded(
                name,
                f"grow by {int(excess[at])} in a step that fires: as much as its input of {int(current.high[at])} "
                f"exceeds the {int(taken[at])} that a spike takes away",
                "A leak (--leak-shift) or a hard reset (--reset hard)",
            )
    low = np.minimum(np.minimum(initial, 0), threshold - left)
    if shift is not None:
        low = np.minimum(low, _held_by_leak(current, shift).low)
    elif floor is None and (current.low < 0).any():
        raise _unbounded(
            name,
            f"fall by {-int(current.low.min())} in every step",
            "A leak (--leak-shift) or a floor of its membranes",
        )
    if floor is not None:
        held = np.where((shift is not None) | (current.low >= 0), np.maximum(low, floor), floor)
        low, high = np.minimum(held, initial), np.maximum(high, floor)
    return Interval(low, high)


def _check_single_step(name: str, current: Interval) -> None:
    if current.summary().bits > WIDTH_LIMIT:
        raise _unbounded(name, f"need {current.summary().bits} bits after a single step", "Fewer weight bits")


def _held_by_leak(current: Interval, shift: int) -> Interval:
    """Membranes from which a leak and whatever comes lead to such again: ``I << k`` and what `_invariant` says."""
    high = np.maximum(current.high, 0) << shift
    return Interval((np.minimum(current.low + 1, 1) << shift) - 1, high)


def _unbounded(name: str, what: str, help_by: str) -> FitError:
    return FitError(
        f"Layer '{name}' has no widths for a stream without an end: its membranes may {what}.",
        f"{help_by} would hold them; train the network with it.",
    )


def _leaked(membrane: Interval, shift: int | None) -> Interval:
    """The leak keeps the order of membranes, so that it maps bounds to bounds."""
    return Interval(leaked(membrane.low, shift), leaked(membrane.high, shift))


def _reset(drive: Interval, threshold: _Integers, reset: Reset, taken: _Integers) -> Interval:
    """``V`` for ``U`` in `drive`: the silent part below the threshold and the fired part from it on, if not empty.

    `taken` is what a soft reset subtracts.
    """
    silent, fired = drive.low < threshold, drive.high >= threshold
    match reset:
        case Reset.SOFT:
            lowest = np.maximum(drive.low, threshold) - taken
            highest = drive.high - taken
        case Reset.HARD:
            lowest = highest = np.zeros_like(threshold)
    low = np.where(silent, np.where(fired, np.minimum(drive.low, lowest), drive.low), lowest)
    below = np.minimum(drive.high, threshold - 1)
    high = np.where(silent, np.where(fired, np.maximum(below, highest), below), highest)
    return Interval(low, high)


def _point(value: _Integers) -> Interval:
    return Interval(value, value)


def _per_neuron(values: npt.NDArray[np.int64] | npt.NDArray[np.float64], population: Population) -> _Integers:
    return np.repeat(values.astype(np.int64), population.size // population.channels)
