"""The networks of `imported.py` in 4 bits or fewer: by plain rounding, calibrated, and trained further by themselves.

    SNNC_DATA=... .venv/bin/python -m benchmarks.calibrated [snntorch|spikingjelly|norse|sinabs] [--bits 4] [--epochs 2]

Begins with the networks that `imported.py` trained. Prints the accuracy on all test images; epochs are judged on 2,000
validation images.
"""

from __future__ import annotations

import argparse
import dataclasses
import time

import numpy as np
import torch

from benchmarks.imported import CASES, trained
from snnc.compiler.calibration import CalibrationSettings, calibrate
from snnc.compiler.ir import Graph
from snnc.compiler.passes.normalise import normalised
from snnc.compiler.passes.quantise import quantised
from snnc.distill.data import Split, load
from snnc.distill.finetune import FinetuneSettings, finetune
from snnc.sim.models import golden
from snnc.sim.models.inputs import Samples, encode

SAMPLES = 512
VALIDATION = 2000


def accuracy(graph: Graph, split: Split) -> float:
    """Of an integer network."""
    inputs = encode(graph.source, split.images, time_steps=graph.time_steps, events=False)
    runs = golden.run_batches(graph, inputs, time_steps=graph.time_steps, membranes=False)
    return golden.accuracy(np.concatenate([trace.classes for _, trace in runs]), split.labels)


def main(name: str, bits: int, epochs: int, images: int) -> None:
    case = CASES[name]()
    data = load(case.dataset)
    net = trained(name, case, torch.empty(0), torch.empty(0))
    example = torch.from_numpy(data.test.images[:1].astype(np.float32) / 255)
    graph = normalised(case.convert(net, example).accepted())
    eight = accuracy(quantised(graph), data.test)
    rows = {"plain rounding": quantised(graph, bits)}
    start = time.perf_counter()
    given = encode(graph.source, data.train.images[:SAMPLES], time_steps=graph.time_steps, events=False)
    found = calibrate(graph, given, CalibrationSettings(weight_bits=bits))
    rows[f"calibrated in {time.perf_counter() - start:.0f} s"] = quantised(found.graph)
    if epochs:
        start = time.perf_counter()
        train, validation = (
            Samples(name=case.dataset, images=split.images[:count], labels=split.labels[:count], classes=())
            for split, count in ((data.train, images), (data.validation, VALIDATION))
        )
        tuned = finetune(found, train, validation, FinetuneSettings(epochs=epochs))
        rows[f"fine-tuned in {time.perf_counter() - start:.0f} s"] = quantised(tuned)
    print(f"{name}, {case.dataset}: {eight:.2%} in 8 bits")
    for what, integers in rows.items():
        right = accuracy(integers, data.test)
        print(f"  {bits} bits, {what}: {right:.2%}, {100 * (right - eight):+.2f} points", flush=True)
    for layer in found.layers:
        print(f"  {dataclasses.asdict(layer)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*CASES], default=[*CASES])
    parser.add_argument("--bits", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--images", type=int, default=55_000, help="Of an epoch.")
    options = parser.parse_args()
    for chosen in options.names:
        main(chosen, options.bits, options.epochs, options.images)
