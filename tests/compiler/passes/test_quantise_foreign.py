"""Membranes that fire above their threshold, and floors, in integers: ``docs/semantics.md``, section 4."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.compiler.ir import (
    Comparison,
    Dense,
    Encoding,
    Graph,
    Initial,
    InputSource,
    IntegrateAndFire,
    Level,
    Pooling,
    Population,
    Readout,
    Reset,
    frozen,
    verify,
)
from snnc.compiler.passes.quantise import quantised

SHIFT = 6


def graph(comparison: Comparison, reset: Reset, leak: int | None, *, steps: int = 10) -> Graph:
    """Three neurons of threshold 5 and floor -2 behind weights of 1 to 3, whose integer step is 1."""
    threshold = frozen(np.full(3, 5.0))
    neuron = IntegrateAndFire(
        threshold=threshold,
        reset=reset,
        initial=Initial.ZERO,
        leak_shift=leak,
        floor=frozen(np.full(3, -2.0)),
        comparison=comparison,
    )
    weight = np.array([[3.0, -1], [3, 2], [-3, 1]])
    back = Pooling(source="a", target="a", weight=frozen(np.full(3, -1.25)), kernel=(1, 1), stride=(1, 1), delay=1)
    spikes = Pooling(source="a", target="readout", weight=frozen(np.ones(3)), kernel=(1, 1), stride=(1, 1))
    return Graph(
        name="x",
        level=Level.NORMALISED,
        populations=(
            Population(
                name="input",
                shape=(2, 1, 1),
                neuron=InputSource(encoding=Encoding.EVENTS, bits=1),
                bias=frozen(np.zeros(2)),
            ),
            Population(name="a", shape=(3, 1, 1), neuron=neuron, bias=frozen(np.zeros(3))),
            Population(name="readout", shape=(3, 1, 1), neuron=Readout(), bias=frozen(np.zeros(3))),
        ),
        projections=(
            Dense(source="input", target="a", weight=frozen(weight), bits=3, shift=SHIFT),
            back,
            spikes,
        ),
        time_steps=steps,
    )


@pytest.mark.parametrize(
    ("reset", "leak", "steps", "margin", "returned"),
    [
        (Reset.SOFT, None, 10, 1, 1),
        (Reset.SOFT, 2, 10, 4, 3),
        (Reset.SOFT, 4, 10, 10, 9),
        (Reset.SOFT, 4, 100, 16, 15),
        (Reset.HARD, 2, 10, 4, 0),
    ],
)
def test_the_threshold_grows_by_a_margin_that_the_own_synapse_returns(
    reset: Reset, leak: int | None, steps: int, margin: int, returned: int
) -> None:
    integers = quantised(graph(Comparison.ABOVE, reset, leak, steps=steps))
    verify(integers)
    neuron = integers.population("a").neuron
    assert isinstance(neuron, IntegrateAndFire)
    assert neuron.comparison is Comparison.AT_LEAST
    assert neuron.threshold.tolist() == [5 * 2**SHIFT + margin] * 3
    assert neuron.floor is not None
    assert neuron.floor.tolist() == [-2 * 2**SHIFT] * 3
    assert integers.into("a")[1].weight.tolist() == [round(-1.25 * 2**SHIFT) + returned] * 3
    assert integers.into("readout")[0].weight.tolist() == [1] * 3


def test_at_its_threshold_nothing_is_added() -> None:
    integers = quantised(graph(Comparison.AT_LEAST, Reset.SOFT, 2))
    neuron = integers.population("a").neuron
    assert isinstance(neuron, IntegrateAndFire)
    assert neuron.threshold.tolist() == [5 * 2**SHIFT] * 3
    assert integers.into("a")[1].weight.tolist() == [-80] * 3
