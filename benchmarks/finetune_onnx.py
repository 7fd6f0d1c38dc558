"""An `.onnx` classifier of images trained on, on the images that students are trained on: their float neighbour.

    python -m benchmarks.finetune_onnx cifar10_resnet8_mlperf.onnx --dataset cifar10 --epochs 20 -o resnet8.onnx

The file's initialisers of two and more dimensions, and the biases, are what is trained: AdamW, a short rise and a
cosine, batches of 128, flips and shifts of up to 4 pixels.  Validation images choose nothing: the last epoch
counts, and its accuracies on validation and test images are printed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import click
import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnc.distill.augment import Augmentation
from snnc.distill.batches import Copies, Purpose, generator, shuffled
from snnc.distill.data import load
from snnc.distill.data.dataset import Split

_BATCH: Final = 128
_WARM_UP: Final = 0.1


class Classifier(nn.Module):
    """A graph of a few operators, run by torch."""

    def __init__(self, model: onnx.ModelProto) -> None:
        super().__init__()
        self.model = model
        self.values = nn.ParameterDict()
        fixed = {name for node in model.graph.node if node.op_type in ("Sub", "Mul") for name in node.input}
        for item in model.graph.initializer:
            value = torch.from_numpy(onnx.numpy_helper.to_array(item).copy())
            self.values[item.name] = nn.Parameter(value, requires_grad=item.name not in fixed)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images of 8 bits."""
        graph = self.model.graph
        known = {graph.input[0].name: images.float().div(255).contiguous(memory_format=torch.channels_last)}
        for node in graph.node:
            heard = [self.values[name] if name in self.values else known[name] for name in node.input]
            attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
            known[node.output[0]] = _OPERATORS[node.op_type](heard, attributes)
        return known[graph.output[0].name]

    def trained(self) -> onnx.ModelProto:
        """The model with the weights as they are now."""
        found = onnx.ModelProto()
        found.CopyFrom(self.model)
        for item in found.graph.initializer:
            item.CopyFrom(onnx.numpy_helper.from_array(self.values[item.name].detach().numpy(), item.name))
        return found


def _convolution(heard: list[Tensor], attributes: Mapping[str, Any]) -> Tensor:
    top, left, below, right = attributes["pads"]
    padded = F.pad(heard[0], (left, right, top, below)) if (top, left) != (below, right) else heard[0]
    padding = (0, 0) if padded is not heard[0] else (top, left)
    bias = heard[2] if len(heard) > 2 else None
    return F.conv2d(padded, heard[1], bias, stride=tuple(attributes["strides"]), padding=padding)


_OPERATORS: Final[Mapping[str, Callable[[list[Tensor], Mapping[str, Any]], Tensor]]] = MappingProxyType(
    {
        "Add": lambda heard, _: heard[0] + heard[1],
        "Conv": lambda heard, attributes: _convolution(heard, attributes),
        "Flatten": lambda heard, _: heard[0].flatten(1),
        "Gemm": lambda heard, attributes: F.linear(
            heard[0], heard[1] if attributes.get("transB", 0) else heard[1].T, heard[2]
        ),
        "GlobalAveragePool": lambda heard, _: heard[0].mean(dim=(2, 3), keepdim=True),
        "MaxPool": lambda heard, attributes: F.max_pool2d(
            heard[0], tuple(attributes["kernel_shape"]), tuple(attributes["strides"])
        ),
        "Mul": lambda heard, _: heard[0] * heard[1],
        "Relu": lambda heard, _: F.relu(heard[0]),
        "Sub": lambda heard, _: heard[0] - heard[1],
    }
)


def _accuracy(net: Classifier, split: Split) -> float:
    images = torch.from_numpy(np.asarray(split.images))
    with torch.no_grad():
        found = torch.cat([net(part).argmax(dim=1) for part in images.split(500)])
    return float((found.numpy() == split.labels).mean())


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--dataset", default="cifar10", show_default=True)
@click.option("--data", type=click.Path(path_type=Path))
@click.option("--epochs", default=20, show_default=True)
@click.option("--learning-rate", default=1e-3, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True)
def main(
    file: Path, dataset: str, data: Path | None, epochs: int, learning_rate: float, seed: int, output: Path
) -> None:
    """Train the classifier in FILE on and write it to OUTPUT."""
    torch.set_num_threads(1)
    images, net = load(dataset, data), Classifier(onnx.load(file))
    copies = Copies(images.train, Augmentation(crop=4, flip=0.5), count=1000, seed=seed, purpose=Purpose.TEACHER_IMAGES)
    trained = [value for value in net.parameters() if value.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=learning_rate, weight_decay=1e-3)
    click.echo(f"before: validation {_accuracy(net, images.validation):.2%}, test {_accuracy(net, images.test):.2%}")
    updates, done = epochs * (len(copies) // _BATCH), 0
    for epoch in range(epochs):
        pixels = copies.images(epoch)
        for indices in shuffled(len(copies), _BATCH, generator(seed, Purpose.ORDER, epoch)):
            share = done / updates
            rise = share / _WARM_UP if share < _WARM_UP else (1 + math.cos(math.pi * share)) / 2
            for group in optimiser.param_groups:
                group["lr"] = learning_rate * min(rise, 1.0)
            with torch.autocast("cpu", torch.bfloat16):
                logits = net(pixels[indices])
            loss = F.cross_entropy(logits.float(), copies.labels[indices])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            done += 1
        click.echo(f"{epoch + 1}/{epochs}  validation {_accuracy(net, images.validation):.2%}")
    onnx.save(net.trained(), output)
    click.echo(f"after: validation {_accuracy(net, images.validation):.2%}, test {_accuracy(net, images.test):.2%}")


if __name__ == "__main__":
    main()
