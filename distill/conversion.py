"""The weights of an artificial network as where a student of the same architecture starts.

A clipped ReLU is what a soft-reset IF neuron that starts at half its threshold does on average over time, with the
largest activation as its threshold (QCFS; Bu et al., ICLR 2022): `snnc.compiler.formats.onnx` reads the network as such
neurons; the threshold of a plain ReLU is found on training images.  Here they become a student's: its threshold is 1
and its currents pass a batch norm, whose statistics are measured on training images, so that it computes what was
converted in training mode, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from snnc.compiler.errors import OptionError
from snnc.compiler.formats.foreign.assumptions import Assumptions
from snnc.compiler.formats.onnx.reader import import_onnx
from snnc.compiler.formats.onnx.thresholds import relu_thresholds
from snnc.compiler.ir import (
    Convolution,
    Dense,
    Encoding,
    Graph,
    IntegrateAndFire,
    Level,
    Pooling,
    Population,
    Projection,
)
from snnc.compiler.ir.architecture import INPUT, PopulationSpec, ProjectionKind, ProjectionSpec
from snnc.compiler.passes.normalise import normalised
from snnc.distill.batches import as_images
from snnc.distill.data import Dataset
from snnc.distill.objective import encode_for
from snnc.distill.students import Phase, PopulationLayer, Student, StudentConfig

__all__ = ["converted_student"]

_IMAGES: Final = 1000
_BATCH: Final = 250
"""Training images whose activations and currents are measured, and how many at a time."""


def converted_student(path: Path, config: StudentConfig, dataset: Dataset) -> Student:
    """A student that fires as often as the units of the network in an ``.onnx`` file are active.

    Raises
    ------
    OptionError
        The file holds another architecture, or a network that is none of pixels.
    UnsupportedError, CheckpointError, MissingError
        As of `snnc.compiler.formats.onnx.reader.import_onnx`.
    """
    if config.encoding is Encoding.EVENTS or dataset.events:
        raise OptionError(f"--start-from {path} is a network of images, and this student takes events.")
    assumptions = Assumptions(encoding=config.encoding, bits=config.input_bits, time_steps=config.time_steps)
    images = dataset.train.images[:_IMAGES]
    graph = import_onnx(path, assumptions, lambda model: relu_thresholds(model, images, config.time_steps)).accepted()
    if graph.level is Level.INTEGER:
        raise OptionError(f"--start-from {path} is an integer network of ours; give the student.pt that it comes from.")
    student = Student(config)
    _fill(student, normalised(graph), str(path))
    _measure(student, dataset)
    return student


def _fill(student: Student, graph: Graph, path: str) -> None:
    """Give every layer its weights, and a batch norm that leaves its sums as they are but for the threshold."""
    specs = student.config.architecture.populations
    if len(specs) != len(graph.layers):
        raise _other(path, student, f"has {len(graph.layers)} layers, poolings of maxima among them, not {len(specs)}")
    if graph.readout.size != specs[-1].size:
        raise _other(path, student, f"tells {graph.readout.size} classes apart")
    names = {INPUT: graph.input.name}
    for spec, population in zip(specs, graph.layers, strict=True):
        names[spec.name] = population.name
        if spec.shape != population.shape and spec.size != population.size:
            raise _other(path, student, f"has {_by(population.shape)} neurons where it has {_by(spec.shape)}")
        found = _paired(spec, graph, names)
        if found is None:
            raise _other(path, student, f"differs in what its layer '{population.name}' hears")
        _fill_layer(student.populations[spec.name], population, found)


def _fill_layer(layer: PopulationLayer, population: Population, projections: list[Projection]) -> None:
    weighted = [item for item in projections if not isinstance(item, Pooling)]
    with torch.no_grad():
        for target, item in zip(layer.weights, weighted, strict=True):
            weight = item.weight.astype(np.float64)
            if item.gain is not None:
                rows = np.repeat(item.gain.astype(np.float64), len(weight) // len(item.gain))
                weight = weight * rows.reshape(-1, *[1] * (weight.ndim - 1))
            target.copy_(torch.from_numpy(weight).view_as(target))
        added = [item for item in projections if isinstance(item, Pooling)]
        bias = torch.from_numpy(population.bias.astype(np.float64))
        if layer.bias is not None:
            layer.bias.copy_(bias)
        if layer.norm is not None:
            assert isinstance(population.neuron, IntegrateAndFire)
            theta = torch.from_numpy(population.neuron.threshold.astype(np.float64))
            layer.norm.get_buffer("running_mean").zero_()
            layer.norm.get_buffer("running_var").fill_(1.0)
            layer.norm.weight.copy_((1 + layer.norm.eps) ** 0.5 / theta)
            layer.norm.bias.copy_(bias / theta)
            # What a residual block adds does not pass the batch norm.
            for constant, shortcut in zip(layer.constants, added, strict=True):
                constant.copy_(torch.from_numpy(shortcut.weight.astype(np.float64)) / theta)


def _paired(spec: PopulationSpec, graph: Graph, names: Mapping[str, str]) -> list[Projection] | None:
    """The projections of the graph that are those of `spec`, in its order; None where they are others."""
    into = list(graph.into(names[spec.name]))
    found: list[Projection] = []
    for projection in spec.projections:
        match = next((item for item in into if _same(projection, item, spec, names)), None)
        if match is None:
            return None
        into.remove(match)
        found.append(match)
    return None if into else found


def _same(projection: ProjectionSpec, item: Projection, spec: PopulationSpec, names: Mapping[str, str]) -> bool:
    if item.source != names.get(projection.source) or item.delay != projection.delay:
        return False
    match item:
        case Dense():
            sizes = projection.weights == item.weight.shape and projection.pool == (item.pool, item.pool)
            return projection.kind is ProjectionKind.DENSE and sizes
        case Convolution():
            geometry = (projection.stride, projection.padding, projection.groups, (1, 1), projection.pool)
            own = (item.stride, item.padding, item.groups, item.dilation, (item.pool, item.pool))
            kind = projection.kind is ProjectionKind.CONVOLUTION
            return kind and geometry == own and projection.weights == item.weight.shape
        case Pooling():
            windows = (projection.kernel, projection.stride) == (item.kernel, item.stride)
            return projection.kind is ProjectionKind.POOLING and windows


def _measure(student: Student, dataset: Dataset) -> None:
    """Give the batch norms the statistics of their sums over training images; what they compute stays what it is."""
    student.phase = Phase.FLOAT
    student.eval()
    norms = {name: layer.norm for name, layer in student.populations.items() if layer.norm is not None}
    totals = {name: torch.zeros(2, len(norm.weight), dtype=torch.float64) for name, norm in norms.items()}
    counts = dict.fromkeys(norms, 0)

    def seen(name: str, given: Tensor) -> None:
        values = given.detach().double().transpose(0, 1).flatten(1)
        totals[name] += torch.stack([values.sum(dim=1), values.square().sum(dim=1)])
        counts[name] += values.shape[1]

    handles = [
        norm.register_forward_pre_hook(lambda _, given, name=name: seen(name, given[0])) for name, norm in norms.items()
    ]
    try:
        with torch.no_grad():
            for images in _batches(dataset):
                student(encode_for(student, images, None))
    finally:
        for handle in handles:
            handle.remove()
    with torch.no_grad():
        for name, norm in norms.items():
            mean, squares = totals[name] / counts[name]
            variance = (squares - mean.square()).clamp(min=0)
            gain = norm.weight.double() / (1 + norm.eps) ** 0.5
            norm.bias.copy_(norm.bias.double() + gain * mean)
            norm.weight.copy_(gain * torch.sqrt(variance + norm.eps))
            norm.get_buffer("running_mean").copy_(mean)
            norm.get_buffer("running_var").copy_(variance)


def _batches(dataset: Dataset) -> Iterator[Tensor]:
    images = as_images(dataset.train.images[:_IMAGES])
    assert isinstance(images, Tensor)
    yield from images.split(_BATCH)


def _other(path: str, student: Student, what: str) -> OptionError:
    text = student.config.architecture.text
    return OptionError(f"--start-from brings another network than this student, {text}: {path} {what}.")


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
