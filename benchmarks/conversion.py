"""An ANN with plain ReLUs as the start of a student: what is lost before any training, by time steps.

    SNNC_DATA=... .venv/bin/python -m benchmarks.conversion [mnist|fashion-mnist] [--epochs 4]

Trains the ANN with torch (kept in build/conversion/, where a second run begins), writes it as ONNX without an exporter,
and prints the accuracy of both on all test images. Training goes on from there:

    snnc distill --dataset mnist --architecture 1x28x28-8c3-a2-16c3-a2-64-10 --start-from build/conversion/mnist.onnx
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from snnc.distill.config import DEFAULTS
from snnc.distill.conversion import converted_student
from snnc.distill.data import load
from snnc.distill.data.dataset import Split
from snnc.distill.objective import encode_for

ARCHITECTURE: Final = "1x28x28-8c3-a2-16c3-a2-64-10"
FOLDER: Final = Path("build/conversion")


def made() -> nn.Sequential:
    """The ANN of `ARCHITECTURE`."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10)),
    )


def train(net: nn.Sequential, split: Split, epochs: int) -> None:
    """By labels alone, at a rate that rises and falls."""
    images, labels = torch.from_numpy(split.images / np.float32(255)), torch.from_numpy(split.labels)
    optimiser = torch.optim.Adam(net.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=epochs * -(-len(images) // 128))
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(128):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(images[batch]), labels[batch]).backward()
            optimiser.step()
            schedule.step()


def written(net: nn.Sequential) -> bytes:
    """The module in an ONNX file, node by node."""
    make, nodes, stores, value = onnx.helper.make_node, list[Any](), list[Any](), "x"
    for name, module in net.named_children():
        given = [value, *(f"{name}.{key}" for key, _ in module.named_parameters())]
        stores += [
            onnx.numpy_helper.from_array(item.detach().numpy(), f"{name}.{key}")
            for key, item in module.named_parameters()
        ]
        value = f"y{name}"
        match module:
            case nn.Conv2d():
                nodes.append(make("Conv", given, [value], kernel_shape=[3, 3], pads=[1] * 4))
            case nn.AvgPool2d():
                nodes.append(make("AveragePool", given, [value], kernel_shape=[2, 2], strides=[2, 2]))
            case nn.Linear():
                nodes.append(make("Gemm", given, [value], transB=1))
            case _:
                nodes.append(make({"ReLU": "Relu"}.get(type(module).__name__, "Flatten"), given, [value]))
    kind = onnx.TensorProto.FLOAT
    takes = onnx.helper.make_tensor_value_info("x", kind, ["N", 1, 28, 28])
    gives = onnx.helper.make_tensor_value_info(value, kind, ["N", 10])
    graph = onnx.helper.make_graph(nodes, "ann", [takes], [gives], stores)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    contents: bytes = model.SerializeToString()
    return contents


def main(name: str, epochs: int) -> None:
    """Train, convert and compare."""
    data, net = load(name), made()
    state = FOLDER / f"{name}.pt"
    if state.exists():
        net.load_state_dict(torch.load(state))
    else:
        train(net, data.train, epochs)
        FOLDER.mkdir(parents=True, exist_ok=True)
        torch.save(net.state_dict(), state)
    path = state.with_suffix(".onnx")
    path.write_bytes(written(net))
    labels = torch.from_numpy(data.test.labels)
    parts = torch.from_numpy(data.test.images.copy()).split(250)

    def correct(found: list[Tensor]) -> float:
        return float((torch.cat(found) == labels).double().mean())

    with torch.no_grad():
        print(f"{name}: the ANN {correct([net(part / 255).argmax(1) for part in parts]):.2%} of {len(labels):,}")
        for steps in (2, 4, 8):
            config = dataclasses.replace(DEFAULTS[name], architecture=ARCHITECTURE, time_steps=steps, input_bits=8)
            student = converted_student(path, config.student, data)
            found = [student(encode_for(student, part, None)).classes for part in parts]
            print(f"  {steps} time steps: {correct(found):.2%}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["mnist", "fashion-mnist"])
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    for chosen in options.names:
        main(chosen, options.epochs)
