"""Images a second of the golden model on one thread, beside snnTorch and SpikingJelly with the same networks.

    make peers
    SNNC_DATA=DATA python benchmarks/golden_speed.py

The integer network of a student that ships, on test images of its data set. The two libraries get its integers in
float32, each channel divided by its threshold, so that all neurons fire at 1; what differs in the classes they give is
printed beside the speed. All three compute the first layer's current once a sample and keep spikes and logits, no
membranes. SpikingJelly runs in its multi-step mode, in which time is folded into the batch; snnTorch has no such mode
and loops over the steps. Each runs with several sizes of batches, and its fastest counts; all take turns, so that
whatever else the machine does disturbs them alike. The figure is the median of the rounds.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import snntorch
import torch
from rich.console import Console
from rich.table import Table
from spikingjelly.activation_based import functional, layer, neuron
from torch import Tensor, nn

from snnc.compiler.ir import Convolution, Dense, Graph, Initial, IntegrateAndFire, Projection
from snnc.compiler.pipeline import integer_network
from snnc.sim.models import golden
from snnc.sim.models.inputs import encode, load_samples

STUDENTS = {
    "mnist-conv-int4": "mnist",
    "mnist-784-128-10-int4": "mnist",
    "fashion-mnist-conv-int4": "fashion-mnist",
    "cifar10-conv-int4": "cifar10",
}
BATCHES = (16, 64, 256, 1000)
FOLDER = Path(__file__).parents[1] / "examples" / "students"

Runner = Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]
"""Classes of a batch of images, ``(batch, address)``."""


def operator(graph: Graph, projection: Projection) -> nn.Module:
    """Weights and bias of one layer, in thresholds where it has any."""
    target = graph.population(projection.target)
    neurons = target.neuron
    theta = neurons.threshold.astype(np.float64) if isinstance(neurons, IntegrateAndFire) else np.ones(target.channels)
    assert isinstance(projection, Dense | Convolution)
    rows = projection.weight.astype(np.float64) * 2.0**projection.shift
    scaled = rows / theta.reshape(-1, *[1] * (rows.ndim - 1))
    made: nn.Module
    match projection:
        case Dense(pool=1):
            made = nn.Linear(rows.shape[1], rows.shape[0])
        case Convolution(pool=1, dilation=(1, 1)):
            made = nn.Conv2d(
                *(graph.population(projection.source).channels, target.channels, projection.kernel),
                stride=projection.stride,
                padding=projection.padding,
                groups=projection.groups,
            )
        case _:
            raise SystemExit(f"{projection} is not part of this comparison.")
    made.load_state_dict({"weight": torch.from_numpy(scaled), "bias": torch.from_numpy(target.bias / theta)})
    return made


class Chain:
    """What both libraries share: the layers of a chain of IF neurons with a soft reset."""

    def __init__(self, graph: Graph) -> None:
        self.operators = [operator(graph, graph.into(population.name)[0]) for population in graph.layers]
        self.steps = graph.time_steps
        self.shape = graph.input.shape
        self.flat = [isinstance(one, nn.Linear) for one in self.operators]
        first = graph.layers[0].neuron
        assert isinstance(first, IntegrateAndFire)
        self.start = 0.5 if first.initial is Initial.HALF else 0.0

    def given(self, images: np.ndarray[Any, Any]) -> Tensor:
        values = torch.from_numpy(images.astype(np.float32))
        return values if self.flat[0] else values.reshape(len(values), *self.shape)


def of_snntorch(graph: Graph) -> Runner:
    chain = Chain(graph)
    cells = [
        snntorch.Leaky(beta=1.0, threshold=1.0, reset_mechanism="subtract", reset_delay=False)
        for _ in chain.operators[:-1]
    ]

    @torch.inference_mode()
    def run(images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        current = chain.operators[0](chain.given(images))
        membranes: list[Tensor | None] = [None] * len(cells)
        logits: Tensor | float = 0.0
        for _ in range(chain.steps):
            value = current
            for k, cell in enumerate(cells):
                if k:
                    value = chain.operators[k](value.flatten(1) if chain.flat[k] else value)
                before = membranes[k]
                value, membranes[k] = cell(value, torch.full_like(value, chain.start) if before is None else before)
            logits = logits + chain.operators[-1](value.flatten(1))
        assert isinstance(logits, Tensor)
        return logits.argmax(dim=1).numpy()

    return run


def of_spikingjelly(graph: Graph) -> Runner:
    chain = Chain(graph)
    cells = [neuron.IFNode(v_threshold=1.0, v_reset=None, step_mode="m") for _ in chain.operators[:-1]]
    several = [layer.SeqToANNContainer(one) for one in chain.operators]

    @torch.inference_mode()
    def run(images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        once = chain.operators[0](chain.given(images))
        value = once.unsqueeze(0).expand(chain.steps, *once.shape)
        for k, cell in enumerate(cells):
            if k:
                value = several[k](value.flatten(2) if chain.flat[k] else value)
            cell.v = torch.full_like(value[0], chain.start)
            value = cell(value)
        logits = several[-1](value.flatten(2)).sum(dim=0)
        for cell in cells:
            functional.reset_net(cell)
        return logits.argmax(dim=1).numpy()

    return run


def of_golden(graph: Graph) -> Runner:
    def run(images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return golden.run(graph, images, time_steps=graph.time_steps, membranes=False).classes

    return run


def pieces(images: np.ndarray[Any, Any], batch: int) -> Iterator[np.ndarray[Any, Any]]:
    for start in range(0, len(images), batch):
        yield images[start : start + batch]


def measured(runners: dict[str, Runner], images: np.ndarray[Any, Any], rounds: int) -> dict[tuple[str, int], float]:
    """Seconds of all images, median of the rounds, by runner and batch."""
    taken: dict[tuple[str, int], list[float]] = {}
    for _, (name, run), batch in itertools.product(range(rounds), runners.items(), BATCHES):
        start = time.perf_counter()
        for piece in pieces(images, batch):
            run(piece)
        taken.setdefault((name, batch), []).append(time.perf_counter() - start)
    return {key: statistics.median(seconds) for key, seconds in taken.items()}


@click.command()
@click.argument("students", nargs=-1, metavar=f"[{'|'.join(STUDENTS)}]...")
@click.option("--images", type=click.IntRange(min=1), default=2000, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
def main(students: Sequence[str], images: int, rounds: int) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    table = Table("student", "model", "batch", "images/s", "others' classes", "golden model times")
    for name in students or STUDENTS:
        graph = integer_network(FOLDER / f"{name}.pt")
        samples = load_samples(graph, STUDENTS[name], data=None, samples=images)
        given = encode(graph.source, samples.images, time_steps=graph.time_steps, events=samples.events)
        runners = {"golden": of_golden(graph), "snnTorch": of_snntorch(graph), "SpikingJelly": of_spikingjelly(graph)}
        classes = {key: np.concatenate([run(piece) for piece in pieces(given, 256)]) for key, run in runners.items()}
        seconds = measured(runners, given, rounds)
        best = {key: min((seconds[key, batch], batch) for batch in BATCHES) for key in runners}
        ours, _ = best["golden"]
        for key, (own, batch) in best.items():
            different = np.count_nonzero(classes[key] != classes["golden"])
            speed = f"{len(given) / own:,.0f}"
            table.add_row(name, key, str(batch), speed, f"{different} differ", f"{own / ours:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
