"""One stage of training: a model, its batches, its loss, and the best epoch on validation data.

Teacher and student, float and folded, all train by this loop.  It knows nothing of distillation.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from snnc.compiler.errors import TrainingError
from snnc.distill.checkpoint import TrainingState
from snnc.distill.optimisers import SHARE, Optimiser, build_optimiser

__all__ = ["EpochReport", "Stage", "fit"]

_WARM_UP = 0.05
"""Share of a stage in which the learning rate rises from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stretch of training with one cosine of the learning rate.

    Attributes
    ----------
    learning_rate
        Peak of the optimiser's rate.
    weight_decay
        On weight matrices only: biases, batch norms and quantiser steps have no decay.
    average
        Decay per update of the moving average of all weights.
    rate_option
        What sets the learning rate on the command line.
    """

    name: str
    epochs: int
    optimiser: Optimiser
    learning_rate: float
    weight_decay: float
    average: float
    rate_option: str = "--learning-rate"


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochReport:
    """Told after every epoch: epochs done in the stage, and accuracy on validation data (a fraction)."""

    stage: str
    epoch: int
    epochs: int
    accuracy: float
    best: float


def fit(
    model: nn.Module,
    stage: Stage,
    *,
    losses: Callable[[int], Iterator[Tensor]],
    updates_per_epoch: int,
    validate: Callable[[nn.Module], float],
    state: TrainingState,
    save: Callable[[TrainingState], None],
    on_epoch: Callable[[EpochReport], None],
) -> None:
    """Train ``model`` in place; it ends with the weights of its best epoch, which ``state.finished`` keeps.

    Parameters
    ----------
    losses
        Epoch number to the scalar loss of each of its batches, computed with ``model`` as it is when asked.
    validate
        Accuracy of a model on validation data.
    state
        Where an earlier run of this stage left off; brought up to date after every epoch and handed to ``save``.
    """
    if stage.name in state.finished:
        model.load_state_dict(state.finished[stage.name]["weights"])
        return
    average = copy.deepcopy(model)
    optimiser = build_optimiser(
        stage.optimiser, model, learning_rate=stage.learning_rate, weight_decay=stage.weight_decay
    )
    if state.stage == stage.name:
        model.load_state_dict(state.model)
        average.load_state_dict(state.average)
        optimiser.load_state_dict(state.optimiser)
    else:
        state.stage, state.epoch, state.best = stage.name, 0, {}

    total = stage.epochs * updates_per_epoch
    for epoch in range(state.epoch, stage.epochs):
        model.train()
        for update, loss in enumerate(losses(epoch), start=epoch * updates_per_epoch):
            for group in optimiser.param_groups:
                group["lr"] = stage.learning_rate * _schedule(update / total) * group[SHARE]
            if not math.isfinite(loss.item()):
                raise _diverged(f"The loss became {loss.item()}", stage, epoch)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            _update_average(average, model, min(stage.average, (1 + update) / (10 + update)))

        _check_finite(model, stage, epoch)
        accuracy = validate(average)
        if not state.best or accuracy >= state.best["accuracy"]:  # of equals the later: its rate is lower
            state.best = {"accuracy": accuracy, "weights": copy.deepcopy(average.state_dict())}
        state.epoch = epoch + 1
        state.model, state.average = model.state_dict(), average.state_dict()
        state.optimiser = optimiser.state_dict()
        save(state)
        on_epoch(
            EpochReport(
                stage=stage.name,
                epoch=epoch + 1,
                epochs=stage.epochs,
                accuracy=accuracy,
                best=state.best["accuracy"],
            )
        )

    state.finished[stage.name] = state.best
    state.stage, state.epoch, state.best = "", 0, {}
    state.model, state.average, state.optimiser = {}, {}, {}
    model.load_state_dict(state.finished[stage.name]["weights"])


def _check_finite(model: nn.Module, stage: Stage, epoch: int) -> None:
    """Keep weights that the last update of an epoch spoilt out of the saved state."""
    if not all(bool(value.isfinite().all()) for value in model.state_dict().values()):
        raise _diverged("A weight became infinite or NaN", stage, epoch)


def _diverged(what: str, stage: Stage, epoch: int) -> TrainingError:
    return TrainingError(
        f"{what} in epoch {epoch + 1} of stage {stage.name!r}, at a learning rate of up to {stage.learning_rate:g}; "
        f"start again with a smaller {stage.rate_option}."
    )


def _schedule(done: float) -> float:
    """Relative learning rate after the share ``done`` of a stage: a short rise, then a cosine to 0."""
    if done < _WARM_UP:
        return done / _WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))


@torch.no_grad()
def _update_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Parameters and batch-norm statistics alike: an average network needs average statistics."""
    for mean, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(new, 1 - decay)
        else:
            mean.copy_(new)
