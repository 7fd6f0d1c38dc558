"""Leaky readouts of the libraries: their last membranes against our logits, by fraction bits.

Integer weights are exact in ours, so that nothing differs but what a leak rounds down: less than one unit a step, of
which ``2^k`` are left at most.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from snnc.compiler.formats.foreign.assumptions import Assumptions
from snnc.compiler.formats.foreign.findings import Verdict
from snnc.compiler.ir import Readout
from snnc.compiler.passes.normalise import normalised
from snnc.compiler.passes.quantise import quantised
from snnc.distill.importers import from_norse, from_sinabs, from_snntorch
from snnc.sim.models import golden
from tests.importers import BATCH, INPUTS, NEURONS, SEEDS, STEPS, stimulus

SHIFT = 2


class OverTime(nn.Module):
    """A dense layer and a library's integrator, whose last membrane is the answer; ``(time, batch, input)``."""

    def __init__(self, seed: int, cell: nn.Module, *, membrane: int) -> None:
        super().__init__()
        generator = np.random.default_rng(seed)
        self.fc, self.cell, self.membrane = nn.Linear(INPUTS, NEURONS).double(), cell, membrane
        with torch.no_grad():
            weight = generator.integers(-7, 8, (NEURONS, INPUTS))
            weight[0, 0] = 7  # the step of all is 1
            self.fc.weight.copy_(torch.from_numpy(weight))
            self.fc.bias.copy_(torch.from_numpy(generator.integers(-2, 4, NEURONS)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state, answer = None, x[0]
        for step in x:
            current = self.fc(step)
            found: Any = self.cell(current) if state is None else self.cell(current, state)
            answer, state = found[self.membrane], found[1]
        return answer


class AllSteps(OverTime):
    """The same of a layer that takes all steps at once, the batch outermost."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.cell(self.fc(x))
        return answer


def snntorch_module(seed: int) -> nn.Module:
    library = pytest.importorskip("snntorch")
    return OverTime(seed, library.Leaky(beta=0.75, reset_mechanism="none"), membrane=1)


def norse_module(seed: int) -> nn.Module:
    norse = pytest.importorskip("norse.torch")
    parameters = norse.LIBoxParameters(tau_mem_inv=torch.tensor(250.0, dtype=torch.float64))
    return OverTime(seed, norse.LIBoxCell(parameters, dt=0.001), membrane=0)


def sinabs_module(seed: int) -> nn.Module:
    layers = pytest.importorskip("sinabs.layers")
    cell = layers.ExpLeak(tau_mem=4.0, norm_input=False, train_alphas=True)
    cell.alpha_mem.data.fill_(0.75)
    return AllSteps(seed, cell, membrane=0)


def library_logits(module: nn.Module, events: np.ndarray) -> np.ndarray:
    x = torch.from_numpy(events).double()
    with torch.no_grad():
        if isinstance(module, AllSteps):
            return np.asarray(module.double()(x.transpose(0, 1))[:, -1].numpy())
        return np.asarray(module.double()(x).numpy())


@pytest.mark.nightly
@pytest.mark.parametrize("fraction_bits", [0, 4, 8])
@pytest.mark.parametrize(
    ("made", "convert", "gain"),
    [(snntorch_module, from_snntorch, 1.0), (norse_module, from_norse, 0.25), (sinabs_module, from_sinabs, 1.0)],
)
def test_logits_are_the_librarys_membranes(
    made: Callable[[int], nn.Module], convert: Callable[..., Any], gain: float, fraction_bits: int
) -> None:
    same = 0
    for seed in SEEDS:
        expected = library_logits(made(seed), stimulus(seed))
        options = Assumptions(time_steps=STEPS, fraction_bits=fraction_bits, weight_bits=4)
        example = torch.zeros((2, 3, INPUTS), dtype=torch.float64)
        found = convert(made(seed).double(), example, leading=2, assumptions=options)
        assert found.verdict is Verdict.EXACT
        graph = quantised(normalised(found.accepted()), 4)
        assert graph.readout.neuron == Readout(leak_shift=SHIFT)
        trace = golden.run(graph, stimulus(seed), time_steps=STEPS)
        scaled = trace.logits * gain / 2**fraction_bits
        assert (scaled >= expected - 1e-9).all()  # what leaks is rounded down
        assert (scaled - expected).max() < gain * 2**SHIFT / 2**fraction_bits
        same += int((trace.classes == expected.argmax(axis=1)).sum())
    print(f"{same} of {len(SEEDS) * BATCH} classes agree with {fraction_bits} fraction bits")
    assert same >= (len(SEEDS) * BATCH * 0.97 if fraction_bits == 0 else len(SEEDS) * BATCH * 0.999)
