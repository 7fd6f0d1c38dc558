"""A network that was quantised after training, trained a little further by what it was in real numbers.

The teacher is the network itself, before rounding: no labels, and no other network. The optimiser's steps are measured
in those of each layer's quantiser, so that one rate does for networks of any scale. Every epoch is judged by the golden
model on validation samples, the start as well: nothing is handed out that is worse there than what was given.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from snnc.compiler.calibration import Calibrated
from snnc.compiler.errors import OptionError, TrainingError
from snnc.compiler.ir import Graph
from snnc.compiler.passes.quantise import quantised
from snnc.distill.graphs import GraphLayer, GraphNetwork
from snnc.distill.losses.terms import softened_divergence
from snnc.sim.models import golden
from snnc.sim.models.inputs import Samples, encode, encoded_batches

__all__ = ["FinetuneReport", "FinetuneSettings", "finetune"]

_SPREAD: Final = 2.5
"""Standard deviation of a mean sample's logits over the classes, to which teacher and student are scaled together: a
class that stands alone among ten then has a probability of 0.997."""

_SHARE_OF_STEPS: Final = 0.1
"""Of the rate, for the logarithms of quantiser steps, which move all weights of a channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneSettings:
    """Options of `finetune`.

    Attributes
    ----------
    epochs
        Over the training samples.
    batch_size
        Samples of an update.
    rate
        Most that an update moves a weight, in quantiser steps; it falls to 0 by a cosine.
    seed
        Of the order of the samples.
    """

    epochs: int = 3
    batch_size: int = 128
    rate: float = 0.03
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("epochs", 1, 10_000),
            ("batch_size", 1, 1 << 16),
            ("rate", 1e-6, 10),
            ("seed", 0, 2**32 - 1),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise OptionError(f"{name} is {value}; {low:g} to {high:g} are possible.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneReport:
    """Told before the first epoch and after every one.

    Attributes
    ----------
    epoch
        How many are done.
    accuracy, best
        Of the integer network on validation samples, now and at its best.
    """

    epoch: int
    accuracy: float
    best: float


def finetune(
    calibrated: Calibrated,
    train: Samples,
    validation: Samples,
    settings: FinetuneSettings,
    *,
    on_epoch: Callable[[FinetuneReport], None] = lambda report: None,
) -> Graph:
    """Train weights, quantiser steps and biases further.

    Returns
    -------
    The network at `Level.NORMALISED`, as it was at the epoch that was best on `validation`.

    Raises
    ------
    TrainingError
        The loss is no number any more.
    """
    torch.manual_seed(settings.seed)
    teacher = GraphNetwork(calibrated.trained, rounded=False).float().requires_grad_(False)
    student = GraphNetwork(calibrated.graph, rounded=True)  # whose weights stay in double precision
    scale = _SPREAD / _spread(teacher, train, settings.batch_size)
    optimiser = torch.optim.Adam(_groups(student, settings.rate))
    batches = -(-len(train) // settings.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.epochs * batches)
    best_graph, best = calibrated.graph, _accuracy(calibrated.graph, validation)
    on_epoch(FinetuneReport(epoch=0, accuracy=best, best=best))
    generator = np.random.default_rng(settings.seed)
    for epoch in range(1, settings.epochs + 1):
        for chosen in np.array_split(generator.permutation(len(train)), batches):
            x = _inputs(calibrated.graph, train, np.sort(chosen))
            loss = softened_divergence(scale * student(x), scale * teacher(x), 1.0)
            if not bool(loss.isfinite()):
                raise TrainingError(f"The loss became {loss.item()} in epoch {epoch}; use a smaller rate.")
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        graph = copy.deepcopy(student).trained()
        accuracy = _accuracy(graph, validation)
        if accuracy >= best:  # of equals the later: its rate is lower
            best_graph, best = graph, accuracy
        on_epoch(FinetuneReport(epoch=epoch, accuracy=accuracy, best=best))
    return best_graph


def _groups(student: GraphNetwork, rate: float) -> list[dict[str, Any]]:
    """Every parameter with the rate that moves it by a share of its layer's quantiser steps."""
    groups: list[dict[str, Any]] = []
    for layer in student.layers.values():
        assert isinstance(layer, GraphLayer)
        if not len(layer.weights):
            continue
        step = float(layer.log_step.detach().exp().mean())
        groups.append({"params": list(layer.weights), "lr": rate * step})
        groups.append({"params": [layer.log_step], "lr": rate * _SHARE_OF_STEPS})
        groups.append({"params": [layer.bias], "lr": rate * step})
    return groups


def _inputs(graph: Graph, samples: Samples, chosen: np.ndarray[Any, Any]) -> Tensor:
    """Some samples as the network takes them; those of drawn events are drawn by their place, as ever."""
    parts = samples.images[chosen]
    first = int(chosen[0])
    encoded = encode(graph.source, parts, time_steps=graph.time_steps, events=samples.events, first=first)
    return torch.from_numpy(encoded.astype(np.float32))


@torch.no_grad()
def _spread(teacher: GraphNetwork, samples: Samples, count: int) -> float:
    """Standard deviation of a sample's logits over the classes, of a mean sample."""
    logits = teacher(_inputs(teacher.graph, samples, np.arange(min(count, len(samples)))))
    return max(float(logits.std(dim=1, correction=0).mean()), 1e-12)


def _accuracy(graph: Graph, samples: Samples) -> float:
    integers, right = quantised(graph), 0
    batch = golden.batch_size(integers, time_steps=graph.time_steps)
    for part, inputs in encoded_batches(integers, samples, time_steps=graph.time_steps, batch=batch):
        classes = golden.run(integers, inputs, time_steps=graph.time_steps, membranes=False).classes
        right += int(np.count_nonzero(classes == samples.labels[part]))
    return right / len(samples)
