"""What must hold of a graph at its level; checked after every pass and before every run."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import CheckpointError, UnsupportedError
from snnc.compiler.ir.activity import MOST_SAMPLES, MOST_TYPICAL, ActivityRecord, most_digits
from snnc.compiler.ir.exits import LARGEST_MARGIN, Exit
from snnc.compiler.ir.graph import Graph, Level, Population
from snnc.compiler.ir.neurons import Array, Comparison, Encoding, InputSource, IntegrateAndFire, Readout, Reset
from snnc.compiler.ir.projections import Pooling, Projection, target_shape, weight_shape

__all__ = ["verify"]

_TITLE = re.compile(r"[A-Za-z0-9 _.,+-]{1,100}")


def verify(graph: Graph) -> None:
    """Check the invariants of `graph.level`.

    Raises
    ------
    CheckpointError
        The graph contradicts itself: shapes, names, values.
    UnsupportedError
        It is sound, but asks for what no machine can do (a loop without a delay).
    """
    if not _TITLE.fullmatch(graph.name):
        # It is written into generated source files.
        raise CheckpointError(
            f"The network's name {graph.name[:60]!r} must be 1 to 100 letters, digits, spaces and any of '_.,+-'."
        )
    names = [population.name for population in graph.populations]
    if len(set(names)) != len(names):
        raise CheckpointError(
            f"Two layers of '{graph.name}' have the same name: {', '.join(sorted(names))}. Rename one."
        )
    if (
        len(names) < 2
        or not isinstance(graph.input.neuron, InputSource)
        or not isinstance(graph.readout.neuron, Readout)
    ):
        raise CheckpointError(f"'{graph.name}' needs an input population first and a readout last.")
    if graph.time_steps < 1:
        raise CheckpointError(f"'{graph.name}' runs for {graph.time_steps} time steps; at least 1 is needed.")
    if graph.exit is not None:
        _verify_exit(graph, graph.exit)
    if graph.stream:
        _verify_stream(graph)
    for population in graph.populations:
        _verify_population(population, graph.level)
    order = {name: position for position, name in enumerate(names)}
    by_name = {population.name: population for population in graph.populations}
    for projection in graph.projections:
        for end in (projection.source, projection.target):
            if end not in order:
                raise CheckpointError(f"A projection of '{graph.name}' names the unknown layer '{end}'.")
        if projection.delay == 0 and order[projection.source] >= order[projection.target]:
            raise UnsupportedError(
                f"The projection from '{projection.source}' to '{projection.target}' closes a loop without a delay; "
                "give it a delay of at least one time step."
            )
        _verify_projection(by_name, projection, graph.level)
    fed = {projection.target for projection in graph.projections}
    for population in graph.layers:
        if population.name not in fed:
            raise CheckpointError(f"Layer '{population.name}' has no input.")
    if graph.activity is not None:
        _verify_activity(graph, graph.activity)


def _verify_exit(graph: Graph, sealed: Exit) -> None:
    if not 1 <= sealed.margin <= LARGEST_MARGIN:
        raise CheckpointError(
            f"The exit of '{graph.name}' has a margin of {sealed.margin}; 1 to {LARGEST_MARGIN} are possible."
        )
    steps = sealed.steps
    if not steps or list(steps) != sorted(set(steps)) or not 1 <= steps[0] <= steps[-1] < graph.time_steps:
        raise CheckpointError(
            f"The exit of '{graph.name}' is asked after the steps {list(steps)[:20]}; they must ascend, from 1 on and "
            f"below its {graph.time_steps} time steps."
        )
    if graph.readout.size < 2:
        raise CheckpointError(f"'{graph.name}' has an exit, but a single class, which no margin sets apart.")


def _verify_stream(graph: Graph) -> None:
    if graph.exit is not None:
        raise UnsupportedError(
            f"'{graph.name}' has an early exit, which ends samples; a stream has none to end. Use the network without "
            "its exit."
        )
    if graph.source.encoding is not Encoding.EVENTS:
        raise UnsupportedError(
            f"'{graph.name}' takes images ({graph.source.encoding.value} encoding), which are samples by themselves; a "
            "stream is one of events (--encoding events)."
        )


def _verify_population(population: Population, level: Level) -> None:
    name, channels = population.name, population.channels
    if not name.isidentifier() or not name.isascii():
        raise CheckpointError(f"'{name}' cannot name a layer; use letters, digits and '_', starting with a letter.")
    if min(population.shape) < 1:
        raise CheckpointError(f"Layer '{name}' has the shape {population.shape}; every dimension must be at least 1.")
    arrays = {"bias": population.bias}
    if isinstance(population.neuron, IntegrateAndFire):
        arrays["threshold"] = population.neuron.threshold
        if population.neuron.floor is not None:
            arrays["floor"] = population.neuron.floor
        if population.neuron.subtracted is not None:
            arrays["subtracted amount"] = population.neuron.subtracted
    for what, array in arrays.items():
        _verify_array(array, f"the {what} of layer '{name}'", (channels,), level)
    leak = None if isinstance(population.neuron, InputSource) else population.neuron.leak_shift
    if leak is not None and leak < 0:
        raise CheckpointError(f"The leak of layer '{name}' shifts by {leak}; 0 or more is needed.")
    if isinstance(population.neuron, IntegrateAndFire):
        if level is Level.INTEGER and population.neuron.comparison is not Comparison.AT_LEAST:
            raise CheckpointError(f"Layer '{name}' compares by '{population.neuron.comparison.value}' in integers.")
        least = 1 if level is Level.INTEGER else 0
        smallest = population.neuron.threshold.min()
        if smallest < least or smallest <= 0:
            raise CheckpointError(
                f"A threshold of layer '{name}' is {smallest}; it must be {'at least 1' if least else 'positive'}."
            )
        taken = population.neuron.subtracted
        if taken is not None and (population.neuron.reset is not Reset.SOFT or taken.min() <= 0):
            raise CheckpointError(
                f"Layer '{name}' subtracts {taken.min()} after a spike, with a {population.neuron.reset.value} reset; "
                "a positive amount and a soft reset are needed."
            )
    if population.norm is not None and level >= Level.NORMALISED:
        raise CheckpointError(f"Layer '{name}' still has a batch norm after normalisation.")


def _verify_projection(populations: Mapping[str, Population], projection: Projection, level: Level) -> None:
    source, target = populations[projection.source], populations[projection.target]
    where = f"the weights from '{source.name}' to '{target.name}'"
    if isinstance(target.neuron, InputSource):
        raise CheckpointError(f"A projection from '{source.name}' ends in the input '{target.name}'; it takes none.")
    _verify_array(projection.weight, where, weight_shape(projection, source.shape, target.shape), level)
    reached = target_shape(projection, source.shape)
    if reached is not None and reached != target.shape:
        raise CheckpointError(
            f"Layer '{target.name}' has the shape {target.shape}, but its projection from '{source.name}' gives "
            f"{reached}; make them equal."
        )
    if not isinstance(projection, Pooling):
        for what, array, shapes in (
            ("step", projection.step, ((target.channels,), (1,))),
            ("gain", projection.gain, ((target.channels,),)),
        ):
            if array is None:
                continue
            if level is Level.INTEGER or array.shape not in shapes or not np.isfinite(array).all():
                raise CheckpointError(f"{_capital(where)} have a {what} that cannot be at level {level.name}.")
        if level is Level.INTEGER:
            if projection.bits is None or not 1 <= projection.bits <= 8:
                raise CheckpointError(f"{_capital(where)} have {projection.bits} bits; 1 to 8 are possible.")
            largest, allowed = int(np.abs(projection.weight).max()), max(1, 2 ** (projection.bits - 1) - 1)
            if largest > allowed:
                raise CheckpointError(f"{_capital(where)} reach {largest}; {projection.bits} bits hold {allowed}.")
    if not 0 <= projection.shift <= 16 or projection.delay < 0:
        raise CheckpointError(f"{_capital(where)}: shift {projection.shift}, delay {projection.delay}.")


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _verify_activity(graph: Graph, record: ActivityRecord) -> None:
    """What is recorded is of this network, and nothing in it is more than its neurons can do."""
    direct = graph.source.encoding is Encoding.DIRECT
    if not 1 <= record.samples <= MOST_SAMPLES:
        raise _bad_activity(f"is that of {record.samples:,} samples")
    wanted = {layer.name: layer for layer in graph.layers if isinstance(layer.neuron, IntegrateAndFire)}
    if not direct:
        wanted[graph.input.name] = graph.input
    for name in [*(name for name in record.events if name not in wanted), *wanted.keys() - record.events.keys()]:
        raise _bad_activity(f"{'lacks' if name in wanted else 'names'} '{name}'")
    for name, events in record.events.items():
        shape = (record.time_steps, *wanted[name].shape[1:])
        _verify_sums(f"the spikes of '{name}'", events, shape, wanted[name].channels)
    if record.typical:
        _verify_typical(record, {name: wanted[name].size for name in record.events})
    shares = record.exits.values()
    if not all(0 <= share <= 1 for share in shares) or sum(shares) > 1.000001 or min(record.exits, default=1) < 1:
        raise _bad_activity(f"has shares of samples that end early, {dict(record.exits)}, which cannot be")
    if (record.pixels is not None, record.digits is not None) != (direct, direct):
        raise _bad_activity(f"has {'no' if direct else 'an'} image")
    if record.pixels is None or record.digits is None:
        return
    _verify_sums("the pixels", record.pixels, graph.input.shape[1:], graph.input.channels)
    most = most_digits(graph.source.bits)
    _verify_sums("the digits", record.digits, graph.input.shape[1:], graph.input.channels * most)
    # Sums of a mean in single precision.
    if (record.digits < record.pixels * 0.999).any() or (record.digits > record.pixels * most * 1.001).any():
        raise _bad_activity("has a pixel with more or fewer digits than it can have")


def _verify_typical(record: ActivityRecord, sizes: Mapping[str, int]) -> None:
    """Spikes of the steps of a few samples, of the same populations."""
    if record.typical.keys() != sizes.keys():
        raise _bad_activity("has typical samples of other populations than events")
    count = len(next(iter(record.typical.values())))
    if not 1 <= count <= MOST_TYPICAL:
        raise _bad_activity(f"has {count} typical samples, where 1 to {MOST_TYPICAL} are possible")
    for name, counts in record.typical.items():
        _verify_sums(f"the typical spikes of '{name}'", counts, (count, record.time_steps), sizes[name])


def _verify_sums(what: str, values: npt.NDArray[np.float64], shape: tuple[int, ...], most: int) -> None:
    """Means over samples of what up to `most` channels do at a position."""
    if values.shape != shape or 0 in shape:
        raise _bad_activity(f"has the shape {list(values.shape)} for {what}, not {list(shape)}")
    low, high = float(values.min()), float(values.max())
    if not 0 <= low <= high <= most * 1.001:  # NaN is not, either
        raise _bad_activity(f"reaches from {low:.6g} to {high:.6g} for {what}, where 0 to {most} are possible")


def _bad_activity(what: str) -> CheckpointError:
    return CheckpointError(f"The recorded activity {what}; measure it again (snnc activity).")


def _verify_array(array: Array, what: str, shape: tuple[int, ...], level: Level) -> None:
    if array.shape != shape:
        raise CheckpointError(f"Shape of {what}: {array.shape}, expected {shape}.")
    if level is Level.INTEGER:
        if array.dtype != np.int64:
            raise CheckpointError(f"Values of {what} are {array.dtype}, expected int64.")
    elif not np.isfinite(array).all():
        raise CheckpointError(f"There is a NaN or an infinity in {what}; train again from the last good checkpoint.")
