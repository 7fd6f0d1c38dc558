"""Networks trained with other libraries, converted by one call: accuracy in 8 bits, and spikes against the library.

    make peers
    SNNC_DATA=... .venv/bin/python benchmarks/imported.py [snntorch|spikingjelly]

Trains a short epoch with the library itself, converts, and prints the accuracy of both on the test images. Then the
library gets the integer network's rounded weights, biases and thresholds, in double precision, and the spikes are
compared.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from snnc.compiler.formats.foreign.assumptions import Assumptions
from snnc.compiler.formats.foreign.findings import Imported
from snnc.compiler.ir import Encoding, Graph, IntegrateAndFire, Pooling
from snnc.compiler.passes.normalise import normalised
from snnc.compiler.passes.quantise import quantised
from snnc.distill.data import load
from snnc.distill.importers import from_snntorch, from_spikingjelly
from snnc.sim.models import golden

TRAINED = 10_000
"""Images of the one epoch."""
COMPARED = 200
"""Images whose spikes are compared."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A network: its data, its steps, how it is made, run and converted."""

    dataset: str
    steps: int
    make: Callable[[], nn.Module]
    run: Callable[[nn.Module, torch.Tensor], dict[str, torch.Tensor]]
    convert: Callable[[nn.Module, torch.Tensor], Imported]


def _assumptions(steps: int) -> Assumptions:
    return Assumptions(encoding=Encoding.DIRECT, bits=8, time_steps=steps)


def snntorch_case() -> Case:
    """Tutorial 5's network with 128 hidden neurons and a leak that has a shift; pixels are the current of each step."""
    import snntorch
    from snntorch import utils

    def make() -> nn.Module:
        def leaky() -> nn.Module:
            neuron: nn.Module = snntorch.Leaky(beta=0.9375, init_hidden=True)
            return neuron

        return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), leaky(), nn.Linear(128, 10), leaky())

    def run(net: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
        utils.reset(net)
        return _recorded(net, [x] * 25, {"n2": "2", "n4": "4"})

    def convert(net: nn.Module, x: torch.Tensor) -> Imported:
        utils.reset(net)
        return from_snntorch(net, x, assumptions=_assumptions(25))

    return Case(dataset="mnist", steps=25, make=make, run=run, convert=convert)


def spikingjelly_case() -> Case:
    """The CSNN of the Fashion-MNIST example with 8 channels, max pooling of spikes included."""
    from spikingjelly.activation_based import functional, layer, neuron, surrogate

    def make() -> nn.Module:
        def fires() -> nn.Module:
            node: nn.Module = neuron.IFNode(surrogate_function=surrogate.ATan())
            return node

        return nn.Sequential(
            *(layer.Conv2d(1, 8, 3, padding=1, bias=False), layer.BatchNorm2d(8), fires(), layer.MaxPool2d(2, 2)),
            *(layer.Conv2d(8, 8, 3, padding=1, bias=False), layer.BatchNorm2d(8), fires(), layer.MaxPool2d(2, 2)),
            *(layer.Flatten(), layer.Linear(8 * 7 * 7, 128, bias=False), fires(), layer.Linear(128, 10), fires()),
        )

    def run(net: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
        functional.reset_net(net)
        return _recorded(net, [x] * 4, {"n2": "2", "n6": "6", "n10": "10", "n12": "12"})

    def convert(net: nn.Module, x: torch.Tensor) -> Imported:
        functional.reset_net(net)
        return from_spikingjelly(net, x, assumptions=_assumptions(4))

    return Case(dataset="fashion-mnist", steps=4, make=make, run=run, convert=convert)


CASES = {"snntorch": snntorch_case, "spikingjelly": spikingjelly_case}


def _recorded(net: Any, steps: list[torch.Tensor], layers: dict[str, str]) -> dict[str, torch.Tensor]:
    """Spikes of layers by our names, ``(time, batch, neuron)``."""
    found: dict[str, list[torch.Tensor]] = {name: [] for name in layers}
    for x in steps:
        for key, module in net.named_children():
            x = module(x.to(steps[0].dtype))  # some surrogates give single precision
            for name, theirs in layers.items():
                if key == theirs:
                    found[name].append(x.flatten(1))
    return {name: torch.stack(spikes) for name, spikes in found.items()}


def train(case: Case, net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    """One epoch."""
    optimiser = torch.optim.Adam(net.parameters(), lr=2e-3)
    net.train()
    for batch in torch.randperm(len(images)).split(64):
        rates = list(case.run(net, images[batch]).values())[-1].mean(0)
        loss = nn.functional.cross_entropy(rates * 10, labels[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def give_rounded(net: Any, graph: Graph, integers: Graph, shapes: dict[str, tuple[str, str, str | None]]) -> None:
    """Put what the integers stand for into the library's modules: `shapes` has neuron, weights and norm by our name."""
    modules = dict(net.named_modules())
    for name, (fires, weights, norm) in shapes.items():
        (before,) = [item for item in graph.into(name) if not isinstance(item, Pooling)]
        (after,) = [item for item in integers.into(name) if not isinstance(item, Pooling)]
        source = graph.population(before.source)
        unit = 1 / 255 if source is graph.input else 1.0
        rows = np.abs(before.weight).reshape(len(before.weight), -1)
        step = rows.max(axis=1) / 127
        old, new = graph.population(name).neuron, integers.population(name).neuron
        assert isinstance(old, IntegrateAndFire)
        assert isinstance(new, IntegrateAndFire)
        fine = step * unit / 2**after.shift
        margin = np.rint(new.threshold - old.threshold / fine)
        threshold = (new.threshold - margin) * fine
        bias = integers.population(name).bias * fine
        modules[weights].weight.data = torch.from_numpy(
            after.weight * step.reshape(-1, *[1] * (after.weight.ndim - 1))
        ).reshape(modules[weights].weight.shape)
        if norm is not None:
            _as_offset(modules[norm], bias)
        elif modules[weights].bias is not None:
            modules[weights].bias.data = torch.from_numpy(bias)
        spread = torch.from_numpy(threshold)
        if hasattr(modules[fires], "v_threshold"):
            modules[fires].v_threshold = spread.reshape(-1, 1, 1) if before.weight.ndim == 4 else spread
        else:
            modules[fires].threshold = spread


def _as_offset(norm: Any, offset: np.ndarray[Any, Any]) -> None:
    norm.running_mean.zero_()
    norm.running_var.fill_(1.0)
    norm.eps = 0.0
    norm.weight.data = torch.ones_like(torch.from_numpy(offset))
    norm.bias.data = torch.from_numpy(offset)


SHAPES: dict[str, dict[str, tuple[str, str, str | None]]] = {
    "snntorch": {"n2": ("2", "1", None), "n4": ("4", "3", None)},
    "spikingjelly": {
        "n2": ("2", "0", "1"),
        "n6": ("6", "4", "5"),
        "n10": ("10", "9", None),
        "n12": ("12", "11", None),
    },
}


def main(name: str) -> None:
    """Train, convert, compare."""
    torch.manual_seed(0)
    case = CASES[name]()
    data = load(case.dataset)
    images, tests = (
        torch.from_numpy(split.images.astype(np.float32) / 255).reshape(-1, 1, 28, 28)
        for split in (data.train, data.test)
    )
    labels, truth = (torch.from_numpy(split.labels.astype(np.int64)) for split in (data.train, data.test))
    net = case.make()
    start = time.perf_counter()
    train(case, net, images[:TRAINED], labels[:TRAINED])
    net.eval()
    with torch.no_grad():
        counts = torch.cat([list(case.run(net, part).values())[-1].sum(0) for part in tests.split(1000)])
    theirs = float((counts.argmax(1) == truth).double().mean())
    print(f"{name}: trained in {time.perf_counter() - start:.0f} s; the library {theirs:.2%} of {len(tests):,}")
    found = case.convert(net, tests[:1])
    print(f"  {found.verdict.value}: " + "; ".join(item.text for item in found.findings if item.kind != "Flatten"))
    graph = normalised(found.accepted())
    integers = quantised(graph)
    pixels = data.test.images.reshape(len(tests), -1)
    logits = np.concatenate(
        [trace.logits for _, trace in golden.run_batches(integers, pixels, time_steps=case.steps, membranes=False)]
    )
    ours = golden.accuracy(np.argmax(logits, axis=1), data.test.labels)
    shifts = {item.target: item.shift for item in integers.projections}
    print(f"  integers, 8 bits: {ours:.2%}, {100 * (ours - theirs):+.2f} points; fraction bits {shifts}")
    net = net.double()
    give_rounded(net, graph, integers, SHAPES[name])
    with torch.no_grad():
        expected = case.run(net, tests[:COMPARED].double())
    trace = golden.run(integers, pixels[:COMPARED], time_steps=case.steps)
    for layer, spikes in expected.items():
        differ = int((trace.populations[layer].spikes != (spikes.numpy() > 0)).sum())
        print(f"  {layer}: {differ} of {spikes.numel():,} spikes differ from the library with the rounded weights")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or CASES:
        main(chosen)
