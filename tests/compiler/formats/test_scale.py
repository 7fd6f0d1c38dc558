"""Fraction bits of networks that were trained elsewhere: as many as are proven to fit, and never more."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.compiler.calibration.layers import widest_shift
from snnc.compiler.formats.foreign.assumptions import Assumptions
from snnc.compiler.formats.foreign.scale import with_fractions
from snnc.compiler.ir import Dense, Encoding, Graph, InputSource, IntegrateAndFire, Level, Population, Readout, frozen
from snnc.compiler.passes.normalise import normalised

BITS = 16
"""Fraction bits that are asked for: more than any of these layers has room for."""


def network(seed: int, *, leak_shift: int | None, time_steps: int) -> Graph:
    """Behind pixels, of many sources: its sums leave little room in 32 bits."""
    generator = np.random.default_rng(seed)
    threshold = frozen(generator.uniform(0.5, 2, 6))
    populations = (
        Population(
            name="input",
            shape=(1, 20, 20),
            neuron=InputSource(encoding=Encoding.DIRECT, bits=8),
            bias=frozen(np.zeros(1)),
        ),
        Population(
            name="hidden",
            shape=(6, 1, 1),
            neuron=IntegrateAndFire(threshold=threshold, leak_shift=leak_shift),
            bias=frozen(generator.normal(size=6) / 10),
        ),
        Population(name="readout", shape=(3, 1, 1), neuron=Readout(), bias=frozen(np.zeros(3))),
    )
    projections = (
        Dense(source="input", target="hidden", weight=frozen(generator.normal(size=(6, 400)) / 20), bits=8),
        Dense(source="hidden", target="readout", weight=frozen(generator.normal(size=(3, 6))), bits=8),
    )
    return Graph(
        name="net", level=Level.IMPORTED, populations=populations, projections=projections, time_steps=time_steps
    )


@pytest.mark.parametrize("time_steps", [1, 4, 25, 200])
@pytest.mark.parametrize("leak_shift", [None, 1, 4, 8])
def test_as_many_fraction_bits_as_are_proven_to_fit(leak_shift: int | None, time_steps: int) -> None:
    lost = []
    for seed in range(5):
        graph = network(seed, leak_shift=leak_shift, time_steps=time_steps)
        given = with_fractions(graph, Assumptions(encoding=Encoding.DIRECT, time_steps=time_steps, fraction_bits=BITS))
        (hidden,) = given.weighted("hidden")
        lost.append(widest_shift(normalised(graph), "hidden", BITS) - hidden.shift)
    assert min(lost) >= 0
    assert max(lost) <= 1
