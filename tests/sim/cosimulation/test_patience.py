"""A bench gives up on a core that hangs, and on no other, however long its samples are."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from snnc.compiler.commands.verify import random_inputs
from snnc.compiler.errors import VerificationError
from snnc.compiler.ir import Encoding
from snnc.sim.cosimulation import simulator
from snnc.sim.cosimulation.patience import patience
from snnc.sim.models import golden
from snnc.sim.models.stimulus import stimulus
from snnc.sim.models.timing.exact import predict
from snnc.sim.trust import protocol
from tests.networks import build_graph, compile_graph, random_chain


def test_the_limit_follows_from_the_prediction():
    """64-128-10 on one lane each takes more than the 200,000 cycles that were the limit of every network."""
    graph = dataclasses.replace(random_chain(sizes=(64, 128, 10)), time_steps=300)
    plan = compile_graph(graph, lanes=(1, 1)).complete_plan
    inputs = random_inputs(plan, 1, time_steps=300, density=0.15, seed=0)
    beats = stimulus(plan.input, inputs, time_steps=300)
    spikes = {name: layer.spikes for name, layer in golden.run(graph, inputs, time_steps=300).populations.items()}
    longest = int(predict(plan, beats, spikes).cycles.max())
    assert longest > 200_000
    # Where nine of ten cycles are pauses, each beat takes ten.
    assert patience(plan, beats, longest) > longest + 10 * beats.beats
    assert patience(plan, beats, longest, beat_cycles=8) > longest + 8 * beats.beats


def test_a_core_that_is_being_loaded_does_not_hang():
    """Its first result comes after a word of the load image in every cycle, however short its samples are."""
    graph = random_chain(sizes=(784, 128, 10), encoding=Encoding.DIRECT)
    plan = compile_graph(graph, device="up5k", spram=True).complete_plan
    beats = stimulus(plan.input, np.eye(1, 784, dtype=np.int64), time_steps=1)
    assert plan.load_words > 25_000
    assert patience(plan, beats, 100) > plan.load_words + 100


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    graph = random_chain(sizes=(12, 10, 4), seed=0)
    return build_graph(graph, tmp_path_factory.mktemp("patience") / "build")


def test_a_core_that_hangs_is_given_up(build, monkeypatch):
    """As if every core were too slow: the limit of each bench is the one that it is told."""
    inputs = random_inputs(build.plan, 2, time_steps=4, density=0.4, seed=0)
    monkeypatch.setattr(simulator, "patience", lambda *_, **__: 3)
    beats = stimulus(build.plan.input, inputs, time_steps=4)
    with pytest.raises(VerificationError, match="ended no sample for a long time"):
        simulator.simulate(build, beats, longest=1, optimised=False)
    monkeypatch.setattr(protocol, "patience", lambda *_, **__: 3)
    with pytest.raises(VerificationError, match="no result 0 within 3 cycles"):
        protocol.verify_protocol(build, inputs, time_steps=4)
