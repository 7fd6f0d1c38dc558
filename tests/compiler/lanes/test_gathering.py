"""Which layers can gather, and what is said of the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from snnc.compiler.design import Engines
from snnc.compiler.ir import ActivityRecord, Encoding, Exit, Graph, Pooling, frozen
from snnc.compiler.lanes.gathering import gatherable, mapped, scattered, sparse, ways_to_gather
from snnc.rtl.engines.gather.plan import GatherKind
from tests.networks import Conv, Full, Pool, compile_graph, spatial_chain

Layer: TypeAlias = Conv | Full | Pool

LAYERS: list[Layer] = [
    Conv(channels=6),
    Conv(channels=8, stride=(2, 2)),
    Pool(kernel=(2, 2)),
    Conv(channels=5),
    Full(shape=(4, 1, 1)),
]


def network(layers: Sequence[Layer] | None = None, encoding: Encoding = Encoding.DIRECT) -> Graph:
    return spatial_chain((1, 8, 8), layers or LAYERS, encoding=encoding)


def busy(layers: Sequence[Layer] | None = None, *, pixels: float = 0.95) -> Graph:
    """The network with a record: so many of its pixels are not 0."""
    return busy_of(network(layers), pixels=pixels)


def busy_of(graph: Graph, *, pixels: float = 0.95) -> Graph:
    shares = frozen(np.full(graph.input.shape[1:], pixels))
    record = ActivityRecord(data="made up", samples=1, events={}, pixels=shares, digits=shares)
    return dataclasses.replace(graph, activity=record)


def beside(graph: Graph, source: str, target: str, *, delay: int = 0) -> Graph:
    channels = graph.population(source).channels
    more = Pooling(
        source=source,
        target=target,
        shift=0,
        delay=delay,
        weight=frozen(np.ones(channels, np.int64)),
        kernel=(1, 1),
        stride=(1, 1),
    )
    return dataclasses.replace(graph, projections=(*graph.projections, more))


def test_convolutions_and_poolings_behind_pixels_can() -> None:
    graph = network()
    assert gatherable(graph) == ("hidden1", "hidden2", "hidden3")
    assert mapped(graph, frozenset(["hidden1"])) == {"hidden0", "hidden1"}


def test_nothing_can_behind_events_or_a_dense_layer() -> None:
    assert gatherable(network(encoding=Encoding.EVENTS)) == ()
    dense_first: list[Layer] = [Full(shape=(3, 4, 4)), Conv(channels=4), Full(shape=(4, 1, 1))]
    assert gatherable(network(dense_first)) == ()


def test_what_cannot_is_scattered_with_what_is_behind_it() -> None:
    # A layer that hears itself as well has a delay, so that neither it nor its source may write a map.
    assert gatherable(beside(network(), "hidden2", "hidden2", delay=1)) == ()
    # The readout hears a map alone, or none.
    layers: list[Layer] = [*LAYERS[:4], Conv(channels=5, pool=2), Full(shape=(4, 1, 1))]
    assert gatherable(network(layers)) == ("hidden1", "hidden2", "hidden3")
    # The sums of windows are no taps.
    pooled: list[Layer] = [Conv(channels=6), Conv(channels=8, pool=2), Conv(channels=4), Full(shape=(4, 1, 1))]
    assert gatherable(network(pooled)) == ()


BLOCK: list[Layer] = [Conv(channels=6), Conv(channels=6), Conv(channels=6), Conv(channels=5), Full(shape=(4, 1, 1))]


def test_residual_sums_can() -> None:
    block = beside(network(BLOCK), "hidden0", "hidden2")
    assert gatherable(block) == ("hidden1", "hidden2", "hidden3")
    assert scattered(block) == ()
    # Where just the first convolution of the block gathered, its second one would hear two maps, and read none itself.
    assert ways_to_gather(busy_of(block)) == ((), ("hidden1", "hidden2"), ("hidden1", "hidden2", "hidden3"))
    # With a delay, neither can the block nor anything behind what it hears.
    assert gatherable(beside(network(BLOCK), "hidden0", "hidden2", delay=1)) == ()


def test_a_block_that_gathers_has_a_map_for_each_projection_and_a_register_behind_their_weights() -> None:
    graph = beside(network(BLOCK), "hidden0", "hidden2")
    options: dict[str, Any] = {"lanes": (6, 6, 6, 5, 4), "engines": Engines.GATHER}
    for target, device in (("ecp5", "85k"), ("ice40", "hx8k")):
        plan = compile_graph(graph, target=target, device=device, **options).complete_plan
        block = plan.engine("hidden2")
        assert [one.source for one in block.projections] == ["hidden0", "hidden1"]
        assert all(one.queue.steps == graph.time_steps for one in block.projections)
        assert block.registered
        assert block.pipeline == 3 + any(one.weights.registered for one in block.projections)
        assert not [*plan.faults()]


def test_maps_that_are_read_in_turn_have_as_many_registers() -> None:
    graph = beside(network(BLOCK), "hidden0", "hidden2")
    options: dict[str, Any] = {"lanes": (6, 6, 6, 5, 4), "column_banks": (1, 2, 2, 1, 1), "engines": Engines.GATHER}
    plan = compile_graph(graph, target="ecp5", device="85k", **options).complete_plan
    block = plan.engine("hidden2")
    # The first one alone would have one: a single bank is written.
    assert [one.queue.registers for one in block.projections] == [2, 2]
    assert plan.engine("hidden1").main.queue.registers == 1
    options["column_banks"] = (2, 1, 2, 1, 1)
    other = compile_graph(graph, target="ecp5", device="85k", **options).complete_plan.engine("hidden2")
    assert [one.queue.registers for one in other.projections] == [2, 2]
    first, main = block.projections
    assert not [*block.faults()]
    fewer = dataclasses.replace(first, queue=dataclasses.replace(first.queue, latency=3))
    (fault,) = dataclasses.replace(block, projections=(fewer, main)).faults()
    assert fault.field == "projections[0].queue.latency"
    assert isinstance(block.kind, GatherKind)
    late = dataclasses.replace(block, kind=dataclasses.replace(block.kind, late=True), pipeline=1 + block.pipeline)
    assert [fault.field for fault in late.faults()] == ["kind.late"]
    (fault,) = dataclasses.replace(block, registered=False).faults()
    assert fault.field == "registered"


def test_a_window_outside_its_source_cannot() -> None:
    holes = Conv(channels=4, kernel=(2, 2), dilation=(4, 4), padding=(4, 4))  # six windows over two positions
    assert gatherable(network([Conv(channels=4, stride=(4, 4)), holes, Full(shape=(4, 1, 1))])) == ()


def test_what_is_scattered_is_said_by_name() -> None:
    assert scattered(network()) == ()
    pooled: list[Layer] = [Conv(channels=6), Conv(channels=8, pool=2), Conv(channels=4), Full(shape=(4, 1, 1))]
    graph = network(pooled)
    assert scattered(graph) == (
        "Layer 'hidden1' is scattered, not gathered: its kernel is over sums of 2 x 2 windows.",
        "Layer 'hidden2' is scattered, not gathered: its source 'hidden1' neither gathers nor hears pixels, and sends "
        "step after step.",
    )
    assert compile_graph(graph, target="ecp5", device="25k", engines=Engines.GATHER).notes == scattered(graph)
    assert compile_graph(graph, target="ecp5", device="25k", engines=Engines.SCATTER).notes == ()
    recurrent = scattered(beside(network(), "hidden2", "hidden2", delay=1))
    assert recurrent[1] == ("Layer 'hidden2' is scattered, not gathered: it hears 'hidden2' with a delay.")
    assert "'hidden2' hears 'hidden1' beside others or with a delay" in recurrent[0]
    events = scattered(network(encoding=Encoding.EVENTS))
    assert events[0] == (
        "Layer 'hidden0' is scattered, not gathered: it hears the network's input, and not a spike map."
    )


def test_with_an_exit_all_layers_gather_or_none() -> None:
    sealed, every = Exit(margin=3, steps=(1,)), ("hidden1", "hidden2", "hidden3")
    assert ways_to_gather(busy()) == tuple(every[:count] for count in range(4))
    assert ways_to_gather(dataclasses.replace(busy(), exit=sealed)) == ((), every)
    layers: list[Layer] = [*LAYERS[:4], Full(shape=(6, 1, 1)), Full(shape=(4, 1, 1))]
    assert len(ways_to_gather(busy(layers))) == 4
    ending = dataclasses.replace(busy(layers), exit=sealed)
    assert ways_to_gather(ending) == ((),)
    assert scattered(ending) == tuple(
        f"Layer '{name}' is scattered, not gathered: samples may end early, and 'hidden4' cannot gather."
        for name in every
    )


def test_pixels_of_0_are_skipped_where_there_are_enough() -> None:
    assert sparse(busy()) is None
    for graph in (network(), busy(pixels=0.5)):
        assert sparse(graph) == "hidden0"
        first, *more = ways_to_gather(graph)
        assert first == ()
        assert more == [("hidden0", *every) for every in ways_to_gather(busy())]
        # What is in front of the image's spikes is no layer that gathers them.
        assert mapped(graph, frozenset(["hidden0"])) == set()
    assert sparse(network(encoding=Encoding.EVENTS)) is None
    assert sparse(network([Full(shape=(3, 4, 4)), Full(shape=(4, 1, 1))])) is None


def test_a_plan_with_an_exit_has_spike_maps_everywhere_or_nowhere() -> None:
    graph = dataclasses.replace(network(), exit=Exit(margin=3, steps=(1,)))
    chip: dict[str, Any] = {"target": "ecp5", "device": "85k", "lanes": (6, 8, 8, 5, 4)}
    gathered, scattered_all = (
        compile_graph(graph, **chip, engines=engines).complete_plan for engines in (Engines.GATHER, Engines.SCATTER)
    )
    assert not [*gathered.faults(), *scattered_all.faults()]
    mixed = (*gathered.engines[:3], scattered_all.engines[3], gathered.engines[4])
    (fault,) = dataclasses.replace(gathered, engines=mixed).faults()
    assert (fault.field, fault.sentence) == (
        "engines[3].kind",
        "must do as the others with spike maps, since samples may end early",
    )
