"""Networks that are no chains, in Verilator: the ones that people build, and how long they take."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from snnc.compiler.commands.verify import random_inputs
from snnc.compiler.formats.student import student_graph
from snnc.compiler.ir import Graph, Pooling, frozen
from snnc.compiler.passes.normalise import normalise
from snnc.compiler.passes.quantise import quantise
from snnc.sim.models import golden
from snnc.sim.models.stimulus import stimulus
from snnc.sim.models.timing.bound import pipeline_bound, share_of_bound
from snnc.sim.models.timing.exact import predict
from snnc.sim.trust.verify import verify_build
from tests.compiler.networks import deep_checkpoint, design_of
from tests.networks import Conv, Full, build_graph, spatial_chain


@pytest.mark.parametrize(("target", "device"), [("ice40", "up5k"), ("ecp5", "25k")])
def test_a_student_with_every_kind_of_layer(tmp_path: Path, target: str, device: str) -> None:
    graph = quantise(normalise(design_of(student_graph(deep_checkpoint())))).graph
    build = build_graph(graph, tmp_path / "build", target=target, device=device)
    assert [len(engine.projections) for engine in build.plan.engines] == [1, 2, 1, 2, 1, 2]
    verdict = verify_build(build, random_inputs(build.plan, 25, time_steps=4, density=0.5, seed=3))
    assert all(rate > 0.02 for rate in verdict.firing_rates.values())


def residual_network(blocks: int, *, channels: int = 8, size: int = 6) -> Graph:
    """A convolution, then blocks of two with the block's input added in front of the second one's neurons."""
    layers = [Conv(channels=channels) for _ in range(1 + 2 * blocks)]
    chain = spatial_chain((2, size, size), [*layers, Full(shape=(5, 1, 1))], time_steps=6, seed=1)
    skips = [
        Pooling(
            source=f"hidden{2 * block}",
            target=f"hidden{2 * block + 2}",
            weight=frozen(np.full(channels, 12)),
            kernel=(1, 1),
            stride=(1, 1),
        )
        for block in range(blocks)
    ]
    return dataclasses.replace(chain, projections=(*chain.projections, *skips))


def test_branches_do_not_serialise(tmp_path: Path) -> None:
    graph = residual_network(2)
    build = build_graph(graph, tmp_path / "build", target="ecp5", device="85k")
    plan = build.plan
    inputs = random_inputs(plan, 20, time_steps=6, density=0.4, seed=0)
    trace = golden.run(graph, inputs, time_steps=6)
    beats = stimulus(plan.input, inputs, time_steps=6)
    spikes = {name: population.spikes for name, population in trace.populations.items()}
    cycles, bound = predict(plan, beats, spikes).cycles, pipeline_bound(plan, beats, spikes)
    assert (bound <= cycles).all()
    assert share_of_bound(bound, cycles) > 0.9
    verify_build(build, inputs)
