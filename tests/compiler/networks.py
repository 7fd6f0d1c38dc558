"""Checkpoints and designs for the compiler's tests."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from snnc.compiler.design import Design, Engines, Options
from snnc.compiler.formats import RandomNetwork
from snnc.compiler.formats.random_network import random_graph
from snnc.compiler.ir import (
    Encoding,
    Graph,
)
from snnc.compiler.pipeline import passes_before, run_passes
from snnc.compiler.targets import find_device


def dense(source: str, bits: int | None = 4, **fields: Any) -> dict[str, Any]:
    return {"kind": "dense", "source": source, "weight_bits": bits, "pool": 1, "delay": 0} | fields


def convolution(source: str, bits: int | None = 4, **fields: Any) -> dict[str, Any]:
    """A 3 x 3 kernel that keeps the size."""
    usual = {"kernel": [3, 3], "stride": [1, 1], "padding": [1, 1], "dilation": [1, 1], "groups": 1}
    return dense(source, bits) | {"kind": "convolution"} | usual | fields


def pooling(source: str, size: int, **fields: Any) -> dict[str, Any]:
    return {"kind": "pooling", "source": source, "kernel": [size, size], "stride": [size, size], "delay": 0} | fields


def _norm(generator: np.random.Generator, name: str, channels: int) -> dict[str, Any]:
    return {
        f"{name}.norm.gain": generator.normal(size=channels),
        f"{name}.norm.offset": generator.normal(size=channels),
        f"{name}.norm.mean": generator.normal(size=channels),
        f"{name}.norm.variance": generator.uniform(0.2, 2, channels),
        f"{name}.norm.epsilon": np.array([1e-5]),
    }


def _file(name: str, shape: list[int], layers: list[dict[str, Any]], state: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": "snnc-student",
        "version": 3,
        "contract": "2.0",
        "name": name,
        "input": {"encoding": "direct", "shape": shape, "bits": 4},
        "time_steps": 4,
        "layers": layers,
        "state": {name: value.astype(np.float32) for name, value in state.items()},
        "classes": ["a", "b", "c"],
        "config": {"anything": [1, {"nested": None}]},
        "metrics": {"float_test": 0.5},
    }


def checkpoint(seed: int = 0, *, hidden: int = 6, steps: bool = True, norm: bool = True) -> dict[str, Any]:
    """A 12-hidden-3 student as plain values, with NumPy arrays in the place of tensors."""
    generator = np.random.default_rng(seed)
    bits = 4 if steps else None
    layers: list[dict[str, Any]] = [
        {
            "name": "hidden0",
            "shape": [hidden, 1, 1],
            "fraction_bits": 1,
            "neuron": {"kind": "if", "reset": "soft", "initial": "half", "leak_shift": None},
            "projections": [dense("input", bits)],
        },
        {
            "name": "readout",
            "shape": [3, 1, 1],
            "fraction_bits": 0,
            "neuron": {"kind": "readout"},
            "projections": [dense("hidden0", bits)],
        },
    ]
    state = {
        "hidden0.0.weight": generator.normal(size=(hidden, 12)),
        "hidden0.bias": generator.normal(size=hidden),
        "hidden0.threshold": generator.uniform(0.5, 2, hidden),
        "readout.0.weight": generator.normal(size=(3, hidden)),
        "readout.bias": generator.normal(size=3),
    }
    if steps:
        state |= {"hidden0.step": generator.uniform(0.1, 0.3, hidden), "readout.step": generator.uniform(0.1, 0.3, 1)}
    if norm:
        state |= _norm(generator, "hidden0", hidden)
    return _file("tiny", [1, 3, 4], layers, state)


def first_version(plain: dict[str, Any]) -> dict[str, Any]:
    """`checkpoint` as version 1 of the format said it."""
    old = copy.deepcopy(plain) | {"version": 1}
    inputs = 12
    for layer in old["layers"]:
        (projection,), outputs = layer.pop("projections"), layer.pop("shape")[0]
        layer |= {"kind": "dense", "in_features": inputs, "out_features": outputs}
        layer["weight_bits"] = projection["weight_bits"]
        layer["neuron"].pop("leak_shift", None)
        old["state"][f"{layer['name']}.weight"] = old["state"].pop(f"{layer['name']}.0.weight")
        inputs = outputs
    return old


def deep_checkpoint(seed: int = 0, *, bits: int | None = 4, shift: int = 1) -> dict[str, Any]:
    """A student with every kind of layer: 1x6x6, two convolutions with a residual, pooling, recurrence, LIF."""
    generator = np.random.default_rng(seed)
    state: dict[str, Any] = {}
    layers: list[dict[str, Any]] = []

    def layer(
        name: str, shape: list[int], weights: list[tuple[int, ...]], projections: list[Any], **neuron: Any
    ) -> None:
        readout = name == "readout"
        pools = [item["kind"] == "pooling" for item in projections]
        model = {"kind": "if", "reset": "soft", "initial": "half", "leak_shift": None} | neuron
        layers.append(
            {
                "name": name,
                "shape": shape,
                "fraction_bits": 0 if readout or all(pools) else shift,
                "neuron": {"kind": "readout"} if readout else model,
                "projections": projections,
            }
        )
        for position, (form, pool) in enumerate(zip(weights, pools, strict=True)):
            state[f"{name}.{position}.weight"] = np.ones(form) if pool else generator.normal(size=form)
        if not all(pools) and bits is not None:
            state[f"{name}.step"] = generator.uniform(0.1, 0.3, 1 if readout else shape[0])
        if not readout:
            state[f"{name}.threshold"] = np.ones(shape[0]) if all(pools) else generator.uniform(0.5, 2, shape[0])

    layer("conv1", [4, 6, 6], [(4, 1, 3, 3)], [convolution("input", bits)])
    layer(
        "conv2",
        [4, 6, 6],
        [(4, 2, 3, 3), (4,)],
        [convolution("conv1", bits, groups=2), pooling("conv1", 1)],
        leak_shift=2,
    )
    layer("max3", [4, 3, 3], [(4,)], [pooling("conv2", 2)], reset="hard", initial="zero")
    layer(
        "rec4",
        [5, 1, 1],
        [(5, 36), (5, 5)],
        [dense("max3", bits and 2), dense("rec4", bits and 1, delay=1)],
        reset="hard",
    )
    layer("mean5", [2, 3, 3], [(2, 4, 1, 1)], [convolution("conv2", bits, kernel=[1, 1], padding=[0, 0], pool=2)])
    layer("readout", [3, 1, 1], [(3, 5), (3, 18)], [dense("rec4", bits), dense("mean5", bits)])
    for name, channels in (("conv1", 4), ("conv2", 4), ("mean5", 2)):
        state |= _norm(generator, name, channels)
    state["rec4.bias"], state["readout.bias"] = generator.normal(size=5), generator.normal(size=3)
    return _file("deep", [1, 6, 6], layers, state)


def changed(original: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with the value at ``layers/0/kind`` replaced, or removed where it is `...`."""
    result = copy.deepcopy(original)
    *folders, name = path.split("/")
    place: Any = result
    for folder in folders:
        place = place[int(folder)] if isinstance(place, list) else place[folder]
    if value is ...:
        del place[name]
    else:
        place[int(name) if isinstance(place, list) else name] = value
    return result


def design_of(
    graph: Graph, *, target: str = "ice40", device: str | None = None, options: Options | None = None
) -> Design:
    """A design at the beginning of the pipeline."""
    return Design(graph=graph, options=options or Options(), device=find_device(target, device))


def random_design(
    sizes: tuple[int, ...],
    *,
    target: str = "ice40",
    device: str | None = None,
    lanes: tuple[int, ...] | None = None,
    encoding: Encoding = Encoding.EVENTS,
    weight_bits: int = 4,
    time_steps: int = 4,
    engines: Engines = Engines.AUTO,
) -> Design:
    """A random network after all passes but `emit`."""
    network = RandomNetwork(
        architecture="-".join(map(str, sizes)), encoding=encoding, weight_bits=weight_bits, time_steps=time_steps
    )
    return run_passes(
        design_of(random_graph(network), target=target, device=device, options=Options(lanes=lanes, engines=engines)),
        passes_before("emit"),
    )
