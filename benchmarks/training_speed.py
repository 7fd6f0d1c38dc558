"""Training images a second of one convolutional student: `snnc distill` against snnTorch and SpikingJelly.

    pip install -r benchmarks/peers.txt
    python benchmarks/training_speed.py

The same network (24c5s2-32c3s2-48c3s2-10 on 28x28 images, batch norm, IF neurons of soft reset, ATan surrogate with a
detached reset, T = 4, batches of 128, cross-entropy of the time-mean logits, SGD) with random data on one thread.  All
three compute the first layer's current once.  SpikingJelly runs in its multi-step mode, in which time is folded into
the batch; snnTorch has no such mode and loops over the steps.  Each of the two is measured in both memory formats, with
the same input tensor as ours, and its faster one counts.  All take turns, so that whatever else the machine does
disturbs them alike; the figure is the median of the rounds, and the ratio is that of the same run.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable

import click
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F

from snnc.compiler.ir.architecture import parse_architecture
from snnc.compiler.ir.neurons import Encoding, Initial, Reset
from snnc.distill.encoding import channels_last
from snnc.distill.neurons import NeuronSettings, Surrogate
from snnc.distill.students import Phase, Student, StudentConfig

BATCH = 128
TIME_STEPS = 4
CHANNELS = (1, 24, 32, 48)
KERNELS = (5, 3, 3)
CLASSES = 10


def ours() -> nn.Module:
    """The student in its float phase."""
    student = Student(
        StudentConfig(
            architecture=parse_architecture("1x28x28-24c5s2-32c3s2-48c3s2-10"),
            time_steps=TIME_STEPS,
            encoding=Encoding.DIRECT,
            input_bits=4,
            weight_bits={},
            fraction_bits=0,
            neuron=NeuronSettings(reset=Reset.SOFT, initial=Initial.ZERO, surrogate=Surrogate.ATAN),
        )
    )
    student.enter(Phase.FLOAT)
    return _Logits(lambda x: student(x * 15).step_logits.mean(dim=0), student)


class _Logits(nn.Module):
    """A function as a module that owns the parameters of another."""

    def __init__(self, function: Callable[[Tensor], Tensor], owner: nn.Module) -> None:
        super().__init__()
        self.owner = owner
        self._function = function

    def forward(self, x: Tensor) -> Tensor:
        return self._function(x)


def spikingjelly() -> nn.Module:
    """Multi-step mode; the first convolution and its batch norm run once, in front of it."""
    from spikingjelly.activation_based import functional, layer, neuron, surrogate

    def spiking() -> nn.Module:
        node: nn.Module = neuron.IFNode(
            v_reset=None, surrogate_function=surrogate.ATan(), detach_reset=True, step_mode="m"
        )
        return node

    first = nn.Sequential(
        nn.Conv2d(CHANNELS[0], CHANNELS[1], KERNELS[0], 2, 2, bias=False), nn.BatchNorm2d(CHANNELS[1])
    )
    rest = nn.Sequential(spiking())
    for inputs, outputs, kernel in zip(CHANNELS[1:], CHANNELS[2:], KERNELS[1:], strict=False):
        rest.append(layer.Conv2d(inputs, outputs, kernel, 2, 1, bias=False, step_mode="m"))
        rest.append(layer.BatchNorm2d(outputs, step_mode="m"))
        rest.append(spiking())
    rest.append(layer.Flatten(step_mode="m"))
    rest.append(layer.Linear(CHANNELS[-1] * 16, CLASSES, step_mode="m"))

    def run(x: Tensor) -> Tensor:
        functional.reset_net(rest)
        current = first(x)
        logits: Tensor = rest(current.expand(TIME_STEPS, *current.shape)).mean(dim=0)
        return logits

    return _Logits(run, nn.ModuleList([first, rest]))


def snntorch() -> nn.Module:
    """A loop over the steps; the first convolution and its batch norm run once, in front of it."""
    import snntorch
    from snntorch import surrogate

    def spiking() -> nn.Module:
        node: nn.Module = snntorch.Leaky(beta=1.0, spike_grad=surrogate.atan(), reset_mechanism="subtract")
        return node

    convolutions = nn.ModuleList(
        nn.Conv2d(inputs, outputs, kernel, 2, kernel // 2, bias=False)
        for inputs, outputs, kernel in zip(CHANNELS, CHANNELS[1:], KERNELS, strict=False)
    )
    norms = nn.ModuleList(nn.BatchNorm2d(channels) for channels in CHANNELS[1:])
    neurons = nn.ModuleList(spiking() for _ in CHANNELS[1:])
    readout = nn.Linear(CHANNELS[-1] * 16, CLASSES)

    def run(x: Tensor) -> Tensor:
        membranes = [node.init_leaky() for node in neurons]  # type: ignore[operator]
        first = norms[0](convolutions[0](x))
        logits = []
        for _ in range(TIME_STEPS):
            current = first
            for index, node in enumerate(neurons):
                if index:
                    current = norms[index](convolutions[index](current))
                current, membranes[index] = node(current, membranes[index])
            logits.append(readout(current.flatten(1)))
        return torch.stack(logits).mean(dim=0)

    return _Logits(run, nn.ModuleList([convolutions, norms, neurons, readout]))


def _round(model: nn.Module, updates: int, *, fast_format: bool) -> float:
    """Images a second of some updates."""
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x = torch.rand(BATCH, 1, 28, 28)
    if fast_format:
        for parameter in model.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        x = channels_last(x)
    labels = torch.randint(0, CLASSES, (BATCH,))
    start = time.perf_counter()
    for _ in range(updates):
        optimiser.zero_grad()
        F.cross_entropy(model(x), labels).backward()
        optimiser.step()
    return updates * BATCH / (time.perf_counter() - start)


@click.command()
@click.option("--rounds", default=15, show_default=True)
@click.option("--updates", default=8, show_default=True, help="Per contender and round.")
def main(rounds: int, updates: int) -> None:
    """Measure training images a second of three frameworks."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    contenders = {
        ("snnc", "its own"): (ours(), True),
        ("SpikingJelly", "contiguous"): (spikingjelly(), False),
        ("SpikingJelly", "channels last"): (spikingjelly(), True),
        ("snnTorch", "contiguous"): (snntorch(), False),
        ("snnTorch", "channels last"): (snntorch(), True),
    }
    rates: dict[tuple[str, str], list[float]] = {key: [] for key in contenders}
    for index in range(rounds + 1):
        for key, (model, fast_format) in contenders.items():
            rate = _round(model, updates, fast_format=fast_format)
            if index:  # the first round warms up
                rates[key].append(rate)
    medians = {key: statistics.median(values) for key, values in rates.items()}
    own = medians["snnc", "its own"]
    table = Table(title=f"Training images a second, one thread, torch {torch.__version__}, {platform.machine()}")
    for column in ("", "memory format", "median", "lowest", "highest", "snnc against it"):
        table.add_column(column, justify="left" if not column or column == "memory format" else "right")
    for (name, form), values in rates.items():
        median = medians[name, form]
        table.add_row(
            name, form, f"{median:,.0f}", f"{min(values):,.0f}", f"{max(values):,.0f}", f"{own / median:.2f}x"
        )
    Console().print(table)


if __name__ == "__main__":
    main()
