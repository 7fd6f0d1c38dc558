"""Networks trained with other libraries, converted by one call: accuracy in 8 bits and spikes against the library.

    make peers
    SNNC_DATA=... .venv/bin/python benchmarks/imported.py [snntorch|spikingjelly|norse|sinabs|tutorial] [--images 60000]

Trains with the library itself (kept in build/imported/, where a second run begins), converts by one call, and prints
the accuracy of both on all test images. Then the library gets the integer network's rounded weights, biases and
thresholds, in double precision, and the spikes are compared; but for `tutorial`, whose leak is refitted, so that only
classes can agree. The sealed model is written beside it, for hardware:

    snnc compile build/imported/snntorch.npz --target ecp5 --device 25k -o build/snntorch
    snnc verify build/snntorch --dataset mnist --samples 20 && snnc synth build/snntorch
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from snnc.compiler.formats.foreign.assumptions import Assumptions
from snnc.compiler.formats.foreign.findings import Imported
from snnc.compiler.ir import Encoding, Graph, IntegrateAndFire, Pooling
from snnc.compiler.ir.model import model_to_bytes
from snnc.compiler.passes.normalise import normalised
from snnc.compiler.passes.quantise import quantised
from snnc.distill.data import load
from snnc.distill.importers import from_norse, from_sinabs, from_snntorch, from_spikingjelly
from snnc.sim.models import golden

COMPARED = 200
"""Images whose spikes are compared."""
FOLDER = Path("build/imported")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A network: its data, its steps, how it is made, trained, run and converted.

    Attributes
    ----------
    run
        The spikes of every firing layer by our name, ``(time, batch, neuron)``; under ``"answer"`` what the last node
        gives.
    layers
        By our name of a firing layer, the library's names of its neurons, its weights, and its batch norm; empty where
        no spikes are compared.
    gain
        What the library's neurons multiply their current by.
    """

    dataset: str
    steps: int
    epochs: int
    make: Callable[[], nn.Module]
    run: Callable[[nn.Module, torch.Tensor], dict[str, torch.Tensor]]
    convert: Callable[[nn.Module, torch.Tensor], Imported]
    layers: Mapping[str, tuple[str, str, str | None]]
    gain: float = 1.0


def _assumptions(steps: int) -> Assumptions:
    return Assumptions(encoding=Encoding.DIRECT, bits=8, time_steps=steps)


def snntorch_case() -> Case:
    """Tutorial 5's network with 128 hidden neurons and a leak that has a shift; pixels are the current of each step."""
    layers = {"n2": ("2", "1", None), "n4": ("4", "3", None)}
    return dataclasses.replace(_tutorial_5(128, 0.9375), epochs=3, layers=layers)


def tutorial_case() -> Case:
    """The same as the tutorial has it: 1000 hidden neurons and a beta of 0.95, which has no shift; its single epoch."""
    return _tutorial_5(1000, 0.95)


def _tutorial_5(hidden: int, beta: float) -> Case:
    import snntorch
    from snntorch import utils

    def make() -> nn.Module:
        def leaky() -> nn.Module:
            neuron: nn.Module = snntorch.Leaky(beta=beta, init_hidden=True)
            return neuron

        return nn.Sequential(nn.Flatten(), nn.Linear(784, hidden), leaky(), nn.Linear(hidden, 10), leaky())

    def run(net: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
        utils.reset(net)
        return _recorded(net, [x] * 25, {"n2": "2", "n4": "4"})

    def convert(net: nn.Module, x: torch.Tensor) -> Imported:
        utils.reset(net)
        # With 8 of the last layer's, 6 of 50,000 spikes differ: a leak rounds down, by up to 2^4 units in the end.
        return from_snntorch(net, x, assumptions=dataclasses.replace(_assumptions(25), fraction_bits=12))

    return Case(dataset="mnist", steps=25, epochs=1, make=make, run=run, convert=convert, layers={})


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

    layers = {"n2": ("2", "0", "1"), "n6": ("6", "4", "5"), "n10": ("10", "9", None), "n12": ("12", "11", None)}
    return Case(dataset="fashion-mnist", steps=4, epochs=4, make=make, run=run, convert=convert, layers=layers)


def norse_case() -> Case:
    """784-128-10 of ``LIFBox`` neurons, of which a step of 1 ms leaves three quarters; the last layer is summed."""
    import norse.torch as norse

    def make() -> nn.Module:
        parameters = norse.LIFBoxParameters(tau_mem_inv=torch.tensor(250.0), v_th=torch.tensor(0.5))
        cell = norse.LIFBoxCell(parameters, dt=0.001)
        net: nn.Module = norse.SequentialState(nn.Flatten(), nn.Linear(784, 128), cell, nn.Linear(128, 10))
        return net

    def run(net: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
        state, found = None, []
        answers = []
        handle = net.get_submodule("2").register_forward_hook(lambda module, given, result: found.append(result[0]))
        for _ in range(10):
            answer, state = net(x, state)
            answers.append(answer)
        handle.remove()
        return {"n2": torch.stack(found), "answer": torch.stack(answers)}

    def convert(net: nn.Module, x: torch.Tensor) -> Imported:
        return from_norse(net, x, assumptions=_assumptions(10))

    return Case(
        dataset="mnist",
        steps=10,
        epochs=4,
        make=make,
        run=run,
        convert=convert,
        layers={"n2": ("2", "1", None)},
        gain=0.25,
    )


def sinabs_case() -> Case:
    """Two convolutions and sum pooling between ``IAF`` neurons that fire once a step, with sinabs's usual floor."""
    import sinabs
    from sinabs import activation, layers

    def make() -> nn.Module:
        def fires() -> nn.Module:
            neuron: nn.Module = layers.IAFSqueeze(
                batch_size=1, spike_fn=activation.SingleSpike, min_v_mem=torch.tensor(-1.0)
            )
            return neuron

        return nn.Sequential(
            *(nn.Conv2d(1, 8, 3, padding=1), fires(), layers.SumPool2d(2)),
            *(nn.Conv2d(8, 16, 3, padding=1), fires(), layers.SumPool2d(2)),
            *(nn.Flatten(), nn.Linear(16 * 7 * 7, 10), fires()),
        )

    def run(net: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
        sinabs.reset_states(net)
        for module in net.modules():
            if isinstance(module, layers.IAFSqueeze):
                module.batch_size = len(x)
        # Its layers take all steps of a sample at once, the batch outermost.
        value, found = x.repeat_interleave(6, dim=0), {}
        for key, module in net.named_children():
            value = module(value.to(x.dtype))  # some surrogates give single precision
            if key in ("1", "4", "8"):
                found[f"n{key}"] = value.reshape(len(x), 6, -1).transpose(0, 1)
        return found

    def convert(net: nn.Module, x: torch.Tensor) -> Imported:
        sinabs.reset_states(net)
        for module in net.modules():
            if isinstance(module, layers.IAFSqueeze):
                module.batch_size = 1
        return from_sinabs(net, x, assumptions=_assumptions(6))

    shapes = {"n1": ("1", "0", None), "n4": ("4", "3", None), "n8": ("8", "7", None)}
    return Case(dataset="mnist", steps=6, epochs=2, make=make, run=run, convert=convert, layers=shapes)


CASES = {
    "snntorch": snntorch_case,
    "spikingjelly": spikingjelly_case,
    "norse": norse_case,
    "sinabs": sinabs_case,
    "tutorial": tutorial_case,
}


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


def answers(found: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """What the network answers, ``(time, batch, class)``."""
    return list(found.values())[-1]


def train(case: Case, net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    """All epochs, at a rate that falls."""
    optimiser = torch.optim.Adam(net.parameters(), lr=2e-3)
    batches = -(-len(images) // 128)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=case.epochs * batches)
    net.train()
    for _ in range(case.epochs):
        for batch in torch.randperm(len(images)).split(128):
            loss = nn.functional.cross_entropy(answers(case.run(net, images[batch])).mean(0) * 10, labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()


def trained(name: str, case: Case, images: torch.Tensor, labels: torch.Tensor) -> nn.Module:
    """The network after training; kept in `FOLDER`."""
    torch.manual_seed(0)
    net, path = case.make(), FOLDER / f"{name}.pt"
    start = time.perf_counter()
    if path.exists():
        net.load_state_dict(torch.load(path), strict=False)
        print(f"{name}: from {path}")
    else:
        train(case, net, images, labels)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Its membranes are states, and no parameters.
        parameters = dict(net.named_parameters())
        norms = {key: value for key, value in net.state_dict().items() if "running_" in key}
        torch.save({key: value.detach() for key, value in parameters.items()} | norms, path)
        print(f"{name}: trained in {time.perf_counter() - start:.0f} s")
    return net.eval()


def give_rounded(case: Case, net: Any, graph: Graph, integers: Graph) -> None:
    """Put the integers into the library's modules, over powers of two: its sums are exact then, and ties are ties.

    No spike changes where a channel's weights, bias, threshold and floor have one factor; the input is whole pixels.
    """
    modules = dict(net.named_modules())
    for name, (fires, weights, norm) in case.layers.items():
        (before,) = [item for item in graph.into(name) if not isinstance(item, Pooling)]
        (after,) = [item for item in integers.into(name) if not isinstance(item, Pooling)]
        source = graph.population(before.source)
        unit = 1 / 255 if source is graph.input else 1.0
        rows = np.abs(before.weight).reshape(len(before.weight), -1)
        step = rows.max(axis=1) / 127
        old, new = graph.population(name).neuron, integers.population(name).neuron
        assert isinstance(old, IntegrateAndFire)
        assert isinstance(new, IntegrateAndFire)
        # A pooled sum is the mean over its window in the graph's floats.
        window = before.pool**2
        fine = step * unit / window / 2**after.shift
        margin = np.rint(new.threshold - old.threshold / fine)
        threshold = (new.threshold - margin) / 2.0**after.shift
        scale = 2.0**-after.shift
        bias = integers.population(name).bias * scale / case.gain
        rounded = after.weight / case.gain
        modules[weights].weight.data = torch.from_numpy(rounded).reshape(modules[weights].weight.shape)
        if norm is not None:
            _as_offset(modules[norm], bias)
        elif modules[weights].bias is not None:
            modules[weights].bias.data = torch.from_numpy(bias)
        spread = torch.from_numpy(threshold)
        spread = spread.reshape(-1, 1, 1) if before.weight.ndim == 4 else spread
        node = modules[fires]
        if hasattr(node, "v_threshold"):
            node.v_threshold = spread
        elif hasattr(node, "spike_threshold"):
            node.spike_threshold = nn.Parameter(spread)
            assert new.floor is not None
            low = torch.from_numpy(new.floor * scale)
            node.min_v_mem = nn.Parameter(low.reshape(spread.shape))
        elif hasattr(node, "p"):
            node.p = type(node.p)(**{**_fields(node.p), "v_th": spread})
        else:
            node.threshold = spread


def _fields(parameters: Any) -> dict[str, Any]:
    names = ("tau_mem_inv", "v_leak", "v_th", "v_reset", "method", "alpha", "reset_method")
    return {name: getattr(parameters, name) for name in names}


def _as_offset(norm: Any, offset: np.ndarray[Any, Any]) -> None:
    norm.running_mean.zero_()
    norm.running_var.fill_(1.0)
    norm.eps = 0.0
    norm.weight.data = torch.ones_like(torch.from_numpy(offset))
    norm.bias.data = torch.from_numpy(offset)


def main(name: str, count: int) -> None:
    """Train on so many images, convert and compare."""
    case = CASES[name]()
    data = load(case.dataset)
    images, tests = (
        torch.from_numpy(split.images.astype(np.float32) / 255).reshape(-1, 1, 28, 28)
        for split in (data.train, data.test)
    )
    labels, truth = (torch.from_numpy(split.labels.astype(np.int64)) for split in (data.train, data.test))
    net = trained(name, case, images[:count], labels[:count])
    with torch.no_grad():
        counts = torch.cat([answers(case.run(net, part)).sum(0) for part in tests.split(1000)])
    theirs = float((counts.argmax(1) == truth).double().mean())
    print(f"  the library {theirs:.2%} of {len(tests):,}")
    found = case.convert(net, tests[:1])
    print(f"  {found.verdict.value}: " + "; ".join(item.text for item in found.findings if item.kind != "Flatten"))
    graph = normalised(found.accepted())
    integers = quantised(graph)
    (FOLDER / f"{name}.npz").write_bytes(model_to_bytes(integers))
    pixels = data.test.images.reshape(len(tests), -1)
    logits = np.concatenate(
        [trace.logits for _, trace in golden.run_batches(integers, pixels, time_steps=case.steps, membranes=False)]
    )
    classes = np.argmax(logits, axis=1)
    ours = golden.accuracy(classes, data.test.labels)
    shifts = {item.target: item.shift for item in integers.projections}
    print(f"  integers, 8 bits: {ours:.2%}, {100 * (ours - theirs):+.2f} points; fraction bits {shifts}")
    print(f"  both answer the same to {np.mean(classes == counts.argmax(1).numpy()):.2%} of the test images")
    if not case.layers:
        return
    net = net.double()
    give_rounded(case, net, graph, integers)
    with torch.no_grad():
        expected = case.run(net, torch.from_numpy(data.test.images[:COMPARED].astype(np.float64)))
    trace = golden.run(integers, pixels[:COMPARED], time_steps=case.steps)
    for layer in case.layers:
        differ = int((trace.populations[layer].spikes != (expected[layer].numpy() > 0)).sum())
        count = expected[layer].numel()
        print(f"  {layer}: {differ} of {count:,} spikes differ from the library with the rounded weights")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*CASES], default=[*CASES])
    parser.add_argument("--images", type=int, default=60_000, help="Of an epoch.")
    options = parser.parse_args()
    for chosen in options.names:
        main(chosen, options.images)
