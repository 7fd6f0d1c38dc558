"""Which plans of streams have queues that cannot overflow."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from snnc.compiler.errors import FitError, UnsupportedError
from snnc.compiler.formats.random_network import RandomNetwork, random_graph
from snnc.compiler.ir import Dense, Encoding, Graph, frozen
from snnc.compiler.lanes.streams import check_stream
from snnc.compiler.plan import Plan
from tests.networks import compile_graph, random_chain
from tests.streams import streaming


def drawn(architecture: str, time_steps: int) -> Graph:
    network = RandomNetwork(architecture=architecture, encoding=Encoding.EVENTS, time_steps=time_steps)
    return streaming(random_graph(network), hard=True)


def plan_of(graph: Graph) -> Plan:
    return compile_graph(graph).complete_plan


def test_a_chain_needs_nothing() -> None:
    plan = plan_of(streaming(random_chain((24, 9, 3), time_steps=2)))
    assert plan.stream
    check_stream(plan)
    # Its own spikes of the step before have always left.
    check_stream(plan_of(drawn("12-8R-5", 2)))


def test_a_skip_has_room_for_what_its_source_is_ahead() -> None:
    """With as many steps as the refusal asks for it fits, and with one fewer it does not."""
    with pytest.raises(FitError) as refused:
        plan_of(drawn("2x6x6-4c3s2-6r3-5", 4))
    wanted = int(str(refused.value).rsplit("--time-steps ", 1)[1].rstrip("."))
    assert 4 < wanted < 200
    check_stream(plan_of(drawn("2x6x6-4c3s2-6r3-5", wanted)))
    with pytest.raises(FitError, match=f"may be {wanted} steps ahead of .* holds {wanted - 1}: as many as a sample"):
        plan_of(drawn("2x6x6-4c3s2-6r3-5", wanted - 1))


def test_branches_that_may_drift_apart_are_refused() -> None:
    """Two layers hear the same one last, and nothing else: neither keeps the other waiting."""
    chain = streaming(random_chain((24, 9, 8, 3), time_steps=6))
    first, second = chain.layers[0], chain.layers[1]
    twin = dataclasses.replace(second, name="twin")
    (into,) = chain.into(second.name)
    (out,) = chain.out_of(second.name)
    also = (dataclasses.replace(into, target="twin"), dataclasses.replace(out, source="twin"))
    assert all(isinstance(projection, Dense) for projection in also)
    graph = dataclasses.replace(
        chain,
        populations=(chain.input, first, second, twin, chain.readout),
        projections=(*chain.projections, *also),
    )
    with pytest.raises(UnsupportedError, match="Layer 'hidden0' is what 'hidden1' and 'twin' wait for in each step"):
        plan_of(graph)
    samples = dataclasses.replace(graph, stream=False)
    assert not plan_of(samples).stream


def test_a_delayed_skip_needs_its_delay_as_well() -> None:
    chain = streaming(random_chain((24, 9, 3), time_steps=64))
    hidden = chain.layers[0]
    late = Dense(
        source=hidden.name,
        target=chain.readout.name,
        weight=frozen(np.ones((3, 9), np.int64)),
        bits=4,
        shift=0,
        delay=60,
    )
    graph = dataclasses.replace(chain, projections=(*chain.projections, late))
    with pytest.raises(FitError, match=r"steps ahead of 'readout' in a stream, but the queue between them holds 64"):
        plan_of(graph)
    check_stream(plan_of(dataclasses.replace(graph, time_steps=100)))
