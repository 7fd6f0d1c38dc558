"""Checkpoints and designs for the compiler's tests."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from snnc.compiler.design import Design, Options
from snnc.compiler.frontend import RandomNetwork
from snnc.compiler.frontend.random_network import random_graph
from snnc.compiler.ir import (
    Encoding,
    Graph,
)
from snnc.compiler.pipeline import passes_before, run_passes
from snnc.compiler.targets import find_device


def checkpoint(seed: int = 0, *, hidden: int = 6, steps: bool = True, norm: bool = True) -> dict[str, Any]:
    """A 12-hidden-3 student as plain values, with NumPy arrays in the place of tensors."""
    generator = np.random.default_rng(seed)
    layers: list[dict[str, Any]] = [
        {
            "name": "hidden0",
            "kind": "dense",
            "in_features": 12,
            "out_features": hidden,
            "weight_bits": 4 if steps else None,
            "fraction_bits": 1,
            "neuron": {"kind": "if", "reset": "soft", "initial": "half"},
        },
        {
            "name": "readout",
            "kind": "dense",
            "in_features": hidden,
            "out_features": 3,
            "weight_bits": 4 if steps else None,
            "fraction_bits": 0,
            "neuron": {"kind": "readout"},
        },
    ]
    state = {
        "hidden0.weight": generator.normal(size=(hidden, 12)),
        "hidden0.bias": generator.normal(size=hidden),
        "hidden0.threshold": generator.uniform(0.5, 2, hidden),
        "readout.weight": generator.normal(size=(3, hidden)),
        "readout.bias": generator.normal(size=3),
    }
    if steps:
        state |= {"hidden0.step": generator.uniform(0.1, 0.3, hidden), "readout.step": generator.uniform(0.1, 0.3, 1)}
    if norm:
        state |= {
            "hidden0.norm.gain": generator.normal(size=hidden),
            "hidden0.norm.offset": generator.normal(size=hidden),
            "hidden0.norm.mean": generator.normal(size=hidden),
            "hidden0.norm.variance": generator.uniform(0.2, 2, hidden),
            "hidden0.norm.epsilon": np.array([1e-5]),
        }
    return {
        "format": "snnc-student",
        "version": 1,
        "name": "tiny",
        "input": {"encoding": "direct", "shape": [1, 3, 4], "bits": 4},
        "time_steps": 4,
        "layers": layers,
        "state": {name: value.astype(np.float32) for name, value in state.items()},
        "classes": ["a", "b", "c"],
        "config": {"anything": [1, {"nested": None}]},
        "metrics": {"float_test": 0.5},
    }


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


def design_of(graph: Graph, *, device: str | None = None, options: Options | None = None) -> Design:
    """A design at the beginning of the pipeline."""
    return Design(graph=graph, options=options or Options(), device=find_device("ice40", device))


def random_design(
    sizes: tuple[int, ...],
    *,
    device: str | None = None,
    lanes: tuple[int, ...] | None = None,
    encoding: Encoding = Encoding.EVENTS,
    weight_bits: int = 4,
    time_steps: int = 4,
) -> Design:
    """A random network after all passes but `emit`."""
    network = RandomNetwork(sizes=sizes, encoding=encoding, weight_bits=weight_bits, time_steps=time_steps)
    return run_passes(
        design_of(random_graph(network), device=device, options=Options(lanes=lanes)), passes_before("emit")
    )
