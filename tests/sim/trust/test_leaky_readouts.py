"""Readouts that leak, in Verilator: every spike, membrane, logit and cycle, of samples that end early, too."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnc.compiler.design import Engines
from snnc.compiler.ir import Encoding, Exit, Graph, Readout
from snnc.sim.models import golden
from snnc.sim.trust.verify import verify_build
from tests.networks import Conv, Full, Pool, build_graph, random_chain, spatial_chain

STEPS, SAMPLES = 7, 16


def leaky(graph: Graph, shift: int, sealed: Exit | None = None) -> Graph:
    readout = dataclasses.replace(graph.readout, neuron=Readout(leak_shift=shift))
    return dataclasses.replace(graph, populations=(*graph.populations[:-1], readout), exit=sealed)


def stimulus(graph: Graph) -> Any:
    generator = np.random.default_rng(0)
    if graph.source.encoding is Encoding.DIRECT:
        return generator.integers(0, 2**graph.source.bits, (SAMPLES, graph.input.size))
    return generator.random((graph.time_steps, SAMPLES, graph.input.size)) < 0.3


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("sizes", "lanes", "encoding", "shift"),
    [
        ((24, 9, 3), (4, 3), Encoding.EVENTS, 2),
        ((24, 9, 3), (4, 2), Encoding.RATE, 0),
        ((24, 9, 3), (3, 1), Encoding.DIRECT, 3),
        ((24, 3), (2,), Encoding.DIRECT, 1),  # its current is stored
    ],
)
@pytest.mark.parametrize("exits", [False, True])
def test_the_hardware_is_the_golden_model(
    sizes: tuple[int, ...], lanes: tuple[int, ...], encoding: Encoding, shift: int, exits: bool, tmp_path: Path
) -> None:
    chain = random_chain(sizes, encoding=encoding, time_steps=STEPS, shift=2)
    inputs = stimulus(chain)
    # One that half of the samples reach in the middle of their time.
    logits = np.sort(golden.run(leaky(chain, shift), inputs, time_steps=STEPS).populations["readout"].membranes, axis=2)
    margin = max(1, int(np.median(logits[3, :, -1] - logits[3, :, -2])))
    graph = leaky(chain, shift, Exit(margin=margin, steps=(1, 4)) if exits else None)
    trace = golden.run(graph, inputs, time_steps=STEPS)
    assert (len(set(trace.steps.tolist())) > 1) == exits
    summed = golden.run(dataclasses.replace(chain, exit=graph.exit), inputs, time_steps=STEPS)
    assert not np.array_equal(trace.logits, summed.logits)
    assert verify_build(build_graph(graph, tmp_path / "build", lanes=lanes), inputs, seed=0).samples == SAMPLES


@pytest.mark.heavy
@pytest.mark.parametrize("sealed", [None, Exit(margin=8, steps=(1, 2, 4))])
def test_behind_words_that_gather(sealed: Exit | None, tmp_path: Path) -> None:
    """A sample with an exit is computed in attempts, and the readout begins with each of them anew."""
    layers: list[Conv | Full | Pool] = [Conv(channels=4, stride=(2, 2)), Conv(channels=4), Full(shape=(5, 1, 1))]
    graph = leaky(spatial_chain((1, 8, 8), layers, encoding=Encoding.DIRECT, time_steps=5, seed=3), 2, sealed)
    build = build_graph(graph, tmp_path / "build", engines=Engines.GATHER, target="ecp5", device="25k")
    assert any(engine.kind.reads_maps for engine in build.plan.engines)
    verdict = verify_build(build, stimulus(graph), seed=0)
    assert (verdict.steps.least < verdict.steps.most) == (sealed is not None)
