"""Modules in the styles of their libraries, read by one pass; neurons stand for those of the libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as functional
from torch import nn

from snnc.compiler.errors import CheckpointError, OptionError, UnsupportedError
from snnc.compiler.formats.foreign.assumptions import Assumptions
from snnc.compiler.formats.foreign.findings import Verdict
from snnc.compiler.ir import Convolution, Dense, IntegrateAndFire, Readout, Reset
from snnc.compiler.passes.normalise import normalised
from snnc.distill.importers import from_snntorch, from_spikingjelly
from snnc.sim.models.floating import FloatNetwork

OPTIONS = Assumptions(time_steps=6)


class IFNode(nn.Module):
    """As SpikingJelly's of this name, in single-step mode, with a soft reset."""

    v_threshold = 1.0
    v_reset = None

    def __init__(self) -> None:
        super().__init__()
        self.v: torch.Tensor | float = 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.v = self.v + x
        spikes = (self.v >= 1).to(x.dtype)
        self.v = self.v - spikes
        return spikes


IFNode.__module__ = "spikingjelly.activation_based.neuron.integrate_and_fire"


class Leaky(nn.Module):
    """As snnTorch's of this name: a call gives spikes and the membrane."""

    threshold = torch.tensor(1.0)
    inhibition = False
    state_quant = False
    graded_spikes_factor = torch.tensor(1.0)
    reset_mechanism = "subtract"

    def __init__(self, beta: float) -> None:
        super().__init__()
        self.beta = torch.tensor(beta)

    def forward(self, x: torch.Tensor, mem: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        before = torch.zeros_like(x) if mem is None else mem
        after = self.beta * before + x - (before > 1).to(x.dtype)
        return (after > 1).to(x.dtype), after


Leaky.__module__ = "snntorch._neurons.leaky"


class Looping(nn.Module):
    """As the tutorials of snnTorch: the module loops over time itself, and gives spikes and membranes of all steps."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(12, 8), Leaky(0.75)
        self.fc2, self.lif2 = nn.Linear(8, 3), Leaky(0.5)

    def forward(self, x: torch.Tensor) -> Any:
        mem1 = mem2 = None
        spikes, membranes = [], []
        for _ in range(3):
            spk1, mem1 = self.lif1(self.fc1(x.flatten(1)), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
            membranes.append(mem2)
        return torch.stack(spikes, dim=0), torch.stack(membranes, dim=0)


class Convolutional(nn.Module):
    """As the examples of SpikingJelly, with a path that skips a block."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), IFNode())
        self.block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4))
        self.joined = IFNode()
        self.pool = nn.MaxPool2d(2)
        self.averaged = nn.Sequential(nn.Conv2d(4, 4, 1), nn.AvgPool2d(2), IFNode())
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(16, 5), IFNode())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = self.joined(self.block(x) + x)
        answer: torch.Tensor = self.head(self.averaged(self.pool(x)))
        return answer


def test_a_loop_over_time_is_read_once() -> None:
    found = from_snntorch(Looping(), torch.rand(2, 3, 4), assumptions=OPTIONS)
    assert found.verdict is Verdict.EXACT, found.findings
    graph = found.accepted()
    assert [population.name for population in graph.layers] == ["lif1", "lif2", "readout"]
    assert graph.input.shape == (3, 1, 4)
    assert [type(item) for item in graph.into("lif1")] == [Dense]
    neuron = graph.layers[0].neuron
    assert isinstance(neuron, IntegrateAndFire)
    assert neuron.subtracted is not None
    assert np.allclose(neuron.subtracted * 0.75, neuron.threshold)


def test_every_spike_of_a_deep_network_is_the_modules_own() -> None:
    torch.manual_seed(0)
    net = Convolutional().double()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = 0.4 * torch.rand(4).double() - 0.2
            module.running_var = 0.2 * torch.rand(4).double() + 0.1
            nn.init.uniform_(module.weight, 0.5, 1.5)
        if isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None:
            nn.init.uniform_(module.bias, 0.0, 0.6)
    found = from_spikingjelly(net, torch.zeros(1, 1, 8, 8).double(), assumptions=OPTIONS)
    assert found.verdict is Verdict.EXACT, found.findings
    graph = normalised(found.accepted())
    assert {population.name for population in graph.layers} == {
        *("stem_2", "joined", "pool", "averaged_2", "head_3", "readout")
    }
    assert isinstance(graph.into("averaged_2")[0], Convolution)
    assert net.training
    net.eval()
    for module in net.modules():
        if isinstance(module, IFNode):
            module.v = 0.0
    spikes = np.random.default_rng(0).random((6, 16, 64)) < 0.4
    with torch.no_grad():
        expected = torch.stack([net(step) for step in torch.from_numpy(spikes).double().reshape(6, 16, 1, 8, 8)])
    trace = FloatNetwork(graph).run(spikes, time_steps=6)
    assert 0.05 < expected.mean() < 0.95
    assert (trace.spikes["head_3"] == (expected.numpy() > 0)).all()
    assert (trace.logits[-1] == expected.sum(0).numpy()).all()


def test_many_steps_at_once_and_a_mean_over_them() -> None:
    class Averaged(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).mean(0)

    found = from_spikingjelly(Averaged(nn.Linear(4, 3), IFNode()), torch.rand(5, 2, 4), leading=2, assumptions=OPTIONS)
    assert found.accepted().input.shape == (4, 1, 1)


def test_older_snntorch_without_a_delay_of_its_reset_has_one() -> None:
    net = nn.Sequential(nn.Linear(4, 3), Leaky(1.0))
    (neuron,) = [population.neuron for population in from_snntorch(net, torch.rand(1, 4)).accepted().layers][:1]
    assert neuron.reset is Reset.SOFT  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"reset_mechanism": "other"}, "its reset is 'other'"),
        ({"inhibition": True}, "only the strongest fires"),
        ({"graded_spikes_factor": torch.tensor(2.0)}, "its spikes are graded"),
        ({"beta": torch.tensor(0.9)}, "1 - 2^-3 = 0.875 of the membrane instead of 0.9: 0.025 off"),
        ({"reset_delay": False}, "it subtracts in the step of the spike, but not while"),
        ({"threshold": torch.tensor([1.0, 0.0, 1.0])}, "its threshold lies 0 above"),
    ],
)
def test_what_a_neuron_cannot_be_is_said(setting: dict[str, Any], sentence: str) -> None:
    neuron = Leaky(0.75)
    for name, value in setting.items():
        setattr(neuron, name, value)
    found = from_snntorch(nn.Sequential(nn.Linear(4, 3), neuron), torch.rand(1, 4))
    assert found.verdict is not Verdict.EXACT
    assert [finding.node for finding in found.findings if sentence in finding.text] == ["1"]


class Answering(nn.Module):
    """A last layer without a reset, and what is read of it over time."""

    def __init__(self, read: Any) -> None:
        super().__init__()
        self.fc, self.last, self.read = nn.Linear(12, 3), Leaky(0.75), read
        self.last.reset_mechanism = "none"

    def forward(self, x: torch.Tensor) -> Any:
        mem, spikes, membranes = None, [], []
        for _ in range(4):
            spk, mem = self.last(self.fc(x), mem)
            spikes.append(spk)
            membranes.append(mem)
        return self.read(torch.stack(spikes), torch.stack(membranes))


@pytest.mark.parametrize("read", [lambda spk, mem: (spk, mem), lambda spk, mem: mem[-1]])
def test_a_last_layer_without_a_reset_is_a_leaky_readout(read: Any) -> None:
    found = from_snntorch(Answering(read), torch.rand(1, 12))
    assert found.verdict is Verdict.EXACT
    assert found.accepted().readout.neuron == Readout(leak_shift=2)
    assert any("the largest membrane after the last step of 'last'" in item.text for item in found.assumptions)


@pytest.mark.parametrize(
    ("read", "sentence"),
    [
        (lambda spk, mem: spk.sum(0), "'last' fires without a reset: such a layer can be the last one"),
        (lambda spk, mem: spk[0] * 2, "'last' fires without a reset"),
        (lambda spk, mem: mem.sum(dim=0), "The membranes of 'last' are added up over time"),
    ],
)
def test_what_else_is_read_of_it_is_refused(read: Any, sentence: str) -> None:
    with pytest.raises(UnsupportedError, match=sentence):
        from_snntorch(Answering(read), torch.rand(1, 12))


class Functional(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.conv, self.neuron, self.function = nn.Conv2d(1, 2, 3), IFNode(), function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.neuron(self.function(self.conv(x)))
        return answer


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (lambda x: functional.max_pool2d(x, 2), "it takes the largest of currents"),
        (torch.tanh, "the function 'tanh' between layers is not known"),
        (lambda x: x * x, "the function 'mul' between layers is not known"),
        (nn.ReLU(), "it gives values that are no spikes"),
        (lambda x: functional.avg_pool2d(x, 4), "do not divide 6 x 6"),
    ],
)
def test_what_lies_between_layers_is_read_or_refused_by_name(function: Any, sentence: str) -> None:
    found = from_spikingjelly(Functional(function), torch.rand(1, 1, 8, 8))
    assert found.verdict is Verdict.REFUSED
    assert sentence in " ".join(finding.text for finding in found.findings)


@pytest.mark.parametrize("function", [lambda x: functional.avg_pool2d(x, 2) * 2, lambda x: x / 4 + 0])
def test_functions_that_are_layers_too_are_read(function: Any) -> None:
    assert from_spikingjelly(Functional(function), torch.rand(1, 1, 8, 8)).verdict is Verdict.EXACT


def test_what_is_no_network_is_refused() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.neuron = nn.Linear(4, 4), IFNode()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.fc(self.neuron(self.fc(x)))
            return answer

    with pytest.raises(CheckpointError, match="'fc' hears 'input' and 'neuron' in turn"):
        from_spikingjelly(Twice(), torch.rand(1, 4))
    with pytest.raises(CheckpointError, match="does not come from its input"):
        from_spikingjelly(_Nothing(), torch.rand(1, 4))
    with pytest.raises(OptionError, match=r"\[1, 1, 1, 1, 4\], of which 1 come before.*leaves 4"):
        from_spikingjelly(nn.Sequential(nn.Linear(4, 4), IFNode()), torch.rand(1, 1, 1, 1, 4))


class _Nothing(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ones(1, 4)
