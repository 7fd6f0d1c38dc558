"""Structures without hardware of their own, in Verilator: what equals them runs, and gives what they give."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnc.compiler.commands.verify import random_inputs
from snnc.compiler.ir import Dense, Encoding, Graph, Pooling, Projection, Reset, frozen
from snnc.sim.models import golden
from snnc.sim.trust.verify import verify_build
from tests.networks import Conv, Full, Pool, build_graph, spatial_chain


def pooled_pixels() -> Graph:
    layer = Conv(channels=4, kernel=(2, 3), padding=(1, 1), dilation=(1, 2), stride=(1, 2), groups=2, pool=2)
    return spatial_chain((2, 8, 8), [layer, Full(shape=(4, 1, 1))], encoding=Encoding.DIRECT, value_bits=3)


def convolution_into_the_readout() -> Graph:
    chain = spatial_chain((2, 6, 6), [Conv(channels=4), Conv(channels=2, stride=(2, 3), groups=2, pool=2)])
    return beside(chain, dense(chain, "hidden0", "readout", delay=1))


def pooling_into_the_readout() -> Graph:
    """Sums of windows whose weights take two dense projections, from one source and without a delay."""
    chain = spatial_chain((3, 6, 6), [Conv(channels=3), Pool(kernel=(3, 3), stride=(3, 3), largest=1)])
    readout = chain.projections[-1]
    assert isinstance(readout, Pooling)
    wide = dataclasses.replace(readout, target="readout", weight=frozen(np.array([700, -3, 129])))
    flat = spatial_chain((3, 6, 6), [Conv(channels=3), Full(shape=(3, 2, 2))])
    return dataclasses.replace(flat, projections=(flat.projections[0], wide))


def branched_input() -> Graph:
    chain = spatial_chain((2, 5, 5), [Conv(channels=3), Full(shape=(6, 1, 1)), Full(shape=(4, 1, 1))], reset=Reset.HARD)
    return beside(chain, dense(chain, "input", "hidden1", delay=2), dense(chain, "input", "readout"))


def late_input() -> Graph:
    chain = spatial_chain((8, 1, 1), [Full(shape=(6, 1, 1)), Full(shape=(4, 1, 1))], encoding=Encoding.RATE)
    late = dataclasses.replace(chain.projections[0], delay=1)
    return dataclasses.replace(chain, projections=(late, chain.projections[1]))


def late_layers() -> Graph:
    """A convolution and two dense layers that keep in step with what is sent before them, one with feedback, too."""
    convolutions = Conv(channels=4), Conv(channels=6, stride=(2, 2))
    chain = spatial_chain((2, 6, 6), [*convolutions, Full(shape=(8, 1, 1)), Full(shape=(4, 1, 1))], time_steps=6)
    late = [dataclasses.replace(projection, delay=1 + k % 2) for k, projection in enumerate(chain.projections[1:])]
    chain = dataclasses.replace(chain, projections=(chain.projections[0], *late))
    return beside(chain, dense(chain, "hidden2", "hidden2", delay=1))


def dense(graph: Graph, source: str, target: str, **fields: Any) -> Dense:
    sizes = graph.population(target).size, graph.population(source).size
    weight = np.random.default_rng(2).integers(-3, 4, sizes)
    return Dense(source=source, target=target, weight=frozen(weight), bits=3, **fields)


def beside(graph: Graph, *more: Projection) -> Graph:
    return dataclasses.replace(graph, projections=(*graph.projections, *more))


ICE40, ECP5 = ("ice40", "hx8k"), ("ecp5", "25k")


@pytest.mark.parametrize(
    ("make", "chip"),
    [
        (pooled_pixels, ICE40),
        (pooled_pixels, ECP5),
        (convolution_into_the_readout, ECP5),
        (pooling_into_the_readout, ICE40),
        (branched_input, ECP5),
        (late_input, ICE40),
        (late_layers, ECP5),
        (late_layers, ICE40),
    ],
)
def test_it_runs_as_its_equal(tmp_path: Path, make: Callable[[], Graph], chip: tuple[str, str]) -> None:
    (target, device), graph = chip, make()
    build = build_graph(graph, tmp_path / "build", target=target, device=device)
    inputs = random_inputs(build.plan, 12, time_steps=graph.time_steps, density=0.4, seed=5)
    verdict = verify_build(build, inputs)
    assert all(rate > 0.02 for rate in verdict.firing_rates.values())
    sealed = build.load_graph()
    assert [engine.name for engine in build.plan.engines] == [layer.name for layer in sealed.layers]
    before, after = (golden.run(network, inputs, time_steps=graph.time_steps) for network in (graph, sealed))
    assert before.logits.any()
    np.testing.assert_array_equal(before.logits, after.logits)
    for name, trace in before.populations.items():
        np.testing.assert_array_equal(trace.spikes, after.populations[name].spikes)
