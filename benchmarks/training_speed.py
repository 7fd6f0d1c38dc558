"""Training images a second of a convolutional student: `snnc distill` against snnTorch and SpikingJelly.

    pip install -r benchmarks/peers.txt
    python benchmarks/training_speed.py
    python benchmarks/training_speed.py --student cifar10 --threads 1 --threads 2

The same network (a student that ships: convolutions with batch norm, IF neurons of soft reset, ATan surrogate with a
detached reset, T = 4, batches of 128, cross-entropy of the time-mean logits, SGD) with random data.  All three compute
the first layer's current once.  SpikingJelly runs in its multi-step mode, in which time is folded into the batch;
snnTorch has no such mode and loops over the steps.  Each of the two is measured in both memory formats, with the same
input tensor as ours, and its faster one counts.  Each has a process of its own, and ours uses the processor as `snnc
distill` does (`snnc.distill.processor`).  All take turns, with each number of threads, so that whatever else the
machine does disturbs them alike; the figure is the median of the rounds, and the ratios are those of the same run.
"""

from __future__ import annotations

import itertools
import multiprocessing
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

import click
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F

from snnc.compiler.ir.architecture import Architecture, parse_architecture
from snnc.compiler.ir.neurons import Encoding, Initial, Reset
from snnc.distill.encoding import channels_last
from snnc.distill.fused import use_fused
from snnc.distill.neurons import NeuronSettings, Surrogate
from snnc.distill.processor import use_processor
from snnc.distill.students import Phase, Student, StudentConfig

BATCH = 128
TIME_STEPS = 4
STUDENTS = {
    "mnist": ("1x28x28-24c5s2-32c3s2-48c3s2-10", 4),
    "cifar10": ("3x32x32-32c3-64c3s2-96c3s2-112c3s2-96c3-10", 6),
}
"""Architecture and bits of a pixel."""


def ours(architecture: Architecture, input_bits: int) -> nn.Module:
    """The student in its float phase."""
    student = Student(
        StudentConfig(
            architecture=architecture,
            time_steps=TIME_STEPS,
            encoding=Encoding.DIRECT,
            input_bits=input_bits,
            weight_bits={},
            fraction_bits=0,
            neuron=NeuronSettings(reset=Reset.SOFT, initial=Initial.ZERO, surrogate=Surrogate.ATAN),
        )
    )
    student.enter(Phase.FLOAT)
    largest = 2**input_bits - 1
    return _Logits(lambda x: student(x * largest).step_logits.mean(dim=0), student)


class _Logits(nn.Module):
    """A function as a module that owns the parameters of another."""

    def __init__(self, function: Callable[[Tensor], Tensor], owner: nn.Module) -> None:
        super().__init__()
        self.owner = owner
        self._function = function

    def forward(self, x: Tensor) -> Tensor:
        return self._function(x)


def _layers(architecture: Architecture) -> tuple[list[dict[str, Any]], tuple[int, int]]:
    """What torch calls each convolution's sizes, and the readout's inputs and classes."""
    *convolutions, readout = (population.projections[0] for population in architecture.populations)
    found = []
    for each in convolutions:
        outputs, inputs = each.weights[:2]
        sizes = {"kernel_size": each.kernel, "stride": each.stride, "padding": each.padding}
        found.append({"in_channels": inputs, "out_channels": outputs, **sizes, "bias": False})
    classes, inputs = readout.weights
    return found, (inputs, classes)


def spikingjelly(architecture: Architecture, _: int) -> nn.Module:
    """Multi-step mode; the first convolution and its batch norm run once, in front of it."""
    from spikingjelly.activation_based import functional, layer, neuron, surrogate

    def spiking() -> nn.Module:
        node: nn.Module = neuron.IFNode(
            v_reset=None, surrogate_function=surrogate.ATan(), detach_reset=True, step_mode="m"
        )
        return node

    (begin, *further), readout = _layers(architecture)
    first = nn.Sequential(nn.Conv2d(**begin), nn.BatchNorm2d(begin["out_channels"]))
    rest = nn.Sequential(spiking())
    for sizes in further:
        rest.append(layer.Conv2d(**sizes, step_mode="m"))
        rest.append(layer.BatchNorm2d(sizes["out_channels"], step_mode="m"))
        rest.append(spiking())
    rest.append(layer.Flatten(step_mode="m"))
    rest.append(layer.Linear(*readout, step_mode="m"))

    def run(x: Tensor) -> Tensor:
        functional.reset_net(rest)
        current = first(x)
        logits: Tensor = rest(current.expand(TIME_STEPS, *current.shape)).mean(dim=0)
        return logits

    return _Logits(run, nn.ModuleList([first, rest]))


def snntorch(architecture: Architecture, _: int) -> nn.Module:
    """A loop over the steps; the first convolution and its batch norm run once, in front of it."""
    import snntorch
    from snntorch import surrogate

    def spiking() -> nn.Module:
        node: nn.Module = snntorch.Leaky(beta=1.0, spike_grad=surrogate.atan(), reset_mechanism="subtract")
        return node

    sizes, (inputs, classes) = _layers(architecture)
    convolutions = nn.ModuleList(nn.Conv2d(**each) for each in sizes)
    norms = nn.ModuleList(nn.BatchNorm2d(each["out_channels"]) for each in sizes)
    neurons = nn.ModuleList(spiking() for _ in sizes)
    readout = nn.Linear(inputs, classes)

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


def _round(model: nn.Module, shape: tuple[int, ...], classes: int, updates: int, *, fast_format: bool) -> float:
    """Images a second of some updates."""
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x = torch.rand(BATCH, *shape)
    if fast_format:
        for parameter in model.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        x = channels_last(x)
    labels = torch.randint(0, classes, (BATCH,))
    start = time.perf_counter()
    for _ in range(updates):
        optimiser.zero_grad()
        F.cross_entropy(model(x), labels).backward()
        optimiser.step()
    return updates * BATCH / (time.perf_counter() - start)


CONTENDERS: dict[tuple[str, str], tuple[Callable[[Architecture, int], nn.Module], bool]] = {
    ("snnc", "its own"): (ours, True),
    ("snnc --fused", "its own"): (ours, True),
    ("SpikingJelly", "contiguous"): (spikingjelly, False),
    ("SpikingJelly", "channels last"): (spikingjelly, True),
    ("snnTorch", "contiguous"): (snntorch, False),
    ("snnTorch", "channels last"): (snntorch, True),
}
"""By name and memory format; whether the format is channels last."""


def contend(key: tuple[str, str], student: str, updates: int, turns: Connection) -> None:
    """Train whenever a number of threads comes, and say how fast that was: a process of its own, until None comes."""
    torch.manual_seed(0)
    text, input_bits = STUDENTS[student]
    architecture = parse_architecture(text)
    build, fast_format = CONTENDERS[key]
    model = build(architecture, input_bits)
    set_threads = use_processor if key[0].startswith("snnc") else torch.set_num_threads
    use_fused(key[0] == "snnc --fused")
    classes = architecture.populations[-1].shape[0]
    while (threads := turns.recv()) is not None:
        set_threads(threads)
        turns.send(_round(model, architecture.shape, classes, updates, fast_format=fast_format))


@click.command()
@click.option("--student", type=click.Choice(list(STUDENTS)), default="mnist", show_default=True)
@click.option("--threads", type=click.IntRange(min=1), multiple=True, default=(1,), show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=15, show_default=True)
@click.option("--updates", default=8, show_default=True, help="Per contender and round.")
def main(student: str, threads: Sequence[int], rounds: int, updates: int) -> None:
    """Measure training images a second of three frameworks."""
    text, _ = STUDENTS[student]
    processes = multiprocessing.get_context("spawn")
    turns: dict[tuple[str, str], Connection] = {}
    for key in CONTENDERS:
        turns[key], theirs = processes.Pipe()
        processes.Process(target=contend, args=(key, student, updates, theirs), daemon=True).start()
    rates: dict[tuple[str, str, int], list[float]] = {}
    for index, count in itertools.product(range(rounds + 1), threads):
        for key, turn in turns.items():
            turn.send(count)
            rate = turn.recv()
            if index:  # the first round warms up
                rates.setdefault((*key, count), []).append(rate)
    for turn in turns.values():
        turn.send(None)
    medians = {key: statistics.median(values) for key, values in rates.items()}
    table = Table(title=f"Training images a second, {text}, torch {torch.__version__}, {platform.machine()}")
    against = f"against {threads[0]} thread" + "s" * (threads[0] > 1)
    for column in ("", "memory format", "threads", "median", "lowest", "highest", against, "snnc against it"):
        table.add_column(column, justify="left" if column in ("", "memory format") else "right")
    for (name, form, count), values in rates.items():
        median = medians[name, form, count]
        table.add_row(
            *(name, form, str(count), f"{median:,.0f}", f"{min(values):,.0f}", f"{max(values):,.0f}"),
            *(f"{median / medians[name, form, threads[0]]:.2f}x", f"{medians['snnc', 'its own', count] / median:.2f}x"),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
