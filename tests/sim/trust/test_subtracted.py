"""A soft reset of another amount than the threshold, in Verilator: every spike, membrane and cycle."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from snnc.compiler.ir import Encoding, IntegrateAndFire, frozen
from snnc.sim.models import golden
from snnc.sim.trust.verify import verify_build
from tests.networks import build_graph, random_chain


@pytest.mark.heavy
@pytest.mark.parametrize(("encoding", "leak"), [(Encoding.DIRECT, 4), (Encoding.EVENTS, None)])
def test_the_hardware_is_the_golden_model(encoding: Encoding, leak: int | None, tmp_path: Path) -> None:
    chain = random_chain((24, 9, 3), encoding=encoding, time_steps=7)
    hidden = chain.layers[0]
    assert isinstance(hidden.neuron, IntegrateAndFire)
    amount = hidden.neuron.threshold.astype(np.int64) * np.array([16, 8, 24] * 3) // 15
    neuron = dataclasses.replace(hidden.neuron, leak_shift=leak, subtracted=frozen(amount))
    layers = (chain.input, dataclasses.replace(hidden, neuron=neuron), chain.readout)
    graph = dataclasses.replace(chain, populations=layers)
    generator = np.random.default_rng(0)
    direct = encoding is Encoding.DIRECT
    inputs = generator.integers(0, 16, (12, 24)) if direct else generator.integers(0, 2, (7, 12, 24))
    with_amount, without = (golden.run(item, inputs, time_steps=7).populations[hidden.name] for item in (graph, chain))
    assert not np.array_equal(with_amount.spikes, without.spikes)
    verdict = verify_build(build_graph(graph, tmp_path / "build", lanes=(4, 3)), inputs, seed=0)
    assert verdict.samples == 12
