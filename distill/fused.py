"""The steps of an integrate-and-fire population in one pass over memory, by `torch.compile`.

`snnc.distill.neurons` takes a pass over memory for each of its dozen operations a step. Compiled together they read the
current and write spikes and membranes once. That needs a C++ compiler, and some seconds for each width of a layer; so
it is done where it was asked for (`use_fused`), and only in training.

What is computed is the same, and so are the spikes, of equal currents; gradients differ in their last bits.
"""

from __future__ import annotations

import math
import shutil
import sysconfig
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor

from snnc.compiler.errors import OptionError

__all__ = ["Steps", "backward", "forward", "takes", "use_fused"]

_SHAPES: Final = 256
"""Widths and kinds of layers that torch may compile: more than any student has; torch begins with 8."""

_state = {"fused": False}


def use_fused(wanted: bool) -> None:
    """Whether neurons are computed in compiled steps from now on.

    Raises
    ------
    OptionError
        There is no C++ compiler, or no header of Python.
    """
    if wanted and not any(map(shutil.which, ("c++", "g++", "clang++"))):
        raise OptionError("--fused needs a C++ compiler, and there is none; install g++, or leave --fused out.")
    if wanted and not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        raise OptionError(
            "--fused needs Python's headers, and Python.h is missing; install python3-dev, or leave it out."
        )
    _state["fused"] = wanted


def takes(one: Tensor) -> bool:
    """Whether neurons of this shape are, ``[B, C, H, W]``: as rows of channels that follow each other in memory."""
    return (
        _state["fused"]
        and one.device.type == "cpu"
        and one.dim() == 4
        and one.is_contiguous(memory_format=torch.channels_last)
    )


def _rows(steps: Tensor) -> Tensor:
    """``[..., B, C, H, W]`` in channels last as ``[..., B H W, C]``, without a copy."""
    channels = steps.shape[-3]
    return steps.movedim(-3, -1).reshape(*steps.shape[:-4], -1, channels)


def _maps(rows: Tensor, like: Tensor) -> Tensor:
    """The other way; `like` is ``[B, C, H, W]``."""
    batch, _, height, width = like.shape
    return rows.unflatten(-2, (batch, height, width)).movedim(-1, -3)


class Steps(NamedTuple):
    """What steps are like, apart from the numbers in them.

    Attributes
    ----------
    number, constant, whole
        As `integrate_and_fire` has them: ``T``, whether the current is the same in all, whether it is of integers.
    hard, leak, triangle
        Of the neurons: the reset, the shift of the leak, the surrogate.
    """

    number: int
    constant: bool
    whole: bool
    hard: bool
    leak: int | None
    triangle: bool


def forward(current: Tensor, threshold: Tensor, start: Tensor, steps: Steps) -> tuple[Tensor, Tensor]:
    """Spikes and membranes ``[T, B, C, H, W]``; `current` as `integrate_and_fire` has it, the others ``[C, 1, 1]``."""
    one = current if steps.constant else current[0]
    rows = _varying(_rows(current))
    spikes, membranes = _compiled(_forward)(rows, threshold.flatten(), start.flatten(), steps)
    return _maps(spikes, one), _maps(membranes, one)


def backward(
    of_spikes: Tensor, membranes: Tensor, threshold: Tensor, steps: Steps, *, learns: bool
) -> tuple[Tensor, Tensor | None]:
    """Gradients of the current, and of the threshold if it `learns`."""
    rows = _varying(_rows(of_spikes)), _varying(_rows(membranes))
    of_current, of_threshold = _compiled(_backward)(*rows, threshold.flatten(), steps, learns)
    return _maps(of_current, membranes[0]), None if of_threshold is None else of_threshold.view_as(threshold)


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    import torch._dynamo

    torch._dynamo.config.recompile_limit = max(_SHAPES, torch._dynamo.config.recompile_limit)
    torch._dynamo.config.accumulated_recompile_limit = max(
        2 * _SHAPES, torch._dynamo.config.accumulated_recompile_limit
    )
    return torch.compile(function, fullgraph=True)


def _varying(rows: Tensor) -> Tensor:
    """The last batch of an epoch is smaller, which is not to be compiled anew."""
    import torch._dynamo

    torch._dynamo.maybe_mark_dynamic(rows, rows.dim() - 2)
    return rows


def _forward(current: Tensor, threshold: Tensor, start: Tensor, steps: Steps) -> tuple[Tensor, Tensor]:
    spikes, membranes = [], []
    membrane = start
    for t in range(steps.number):
        if steps.leak is not None and t:
            part = membrane * 2.0**-steps.leak
            membrane = membrane - (torch.floor(part) if steps.whole else part)
        before = membrane + (current if steps.constant else current[t])
        fires = before >= threshold
        spikes.append(fires.to(current.dtype))
        membranes.append(before)
        membrane = torch.where(fires, 0.0 if steps.hard else before - threshold, before)
    return torch.stack(spikes), torch.stack(membranes)


def _backward(
    of_spikes: Tensor, membranes: Tensor, threshold: Tensor, steps: Steps, learns: bool
) -> tuple[Tensor, Tensor | None]:
    keep = 1.0 if steps.leak is None else 1 - 2.0**-steps.leak
    inverse = threshold.reciprocal()
    of_current: list[Tensor] = []
    of_threshold: Tensor | None = None
    carried: Tensor | None = None
    for t in reversed(range(steps.number)):
        x = (membranes[t] - threshold) * inverse
        slope = (1 - x.abs()).clamp(min=0) if steps.triangle else 1 / (1 + math.pi**2 * x.square())
        gradient = slope * inverse * of_spikes[t]
        fires = membranes[t] >= threshold
        if learns:
            part = gradient if carried is None or steps.hard else gradient + torch.where(fires, carried, 0.0)
            of_threshold = -part if of_threshold is None else of_threshold - part
        if carried is not None:
            gradient = gradient + (torch.where(fires, 0.0, carried) if steps.hard else carried)
        of_current.insert(0, gradient)
        carried = gradient * keep
    whole = sum(of_current[1:], of_current[0]) if steps.constant else torch.stack(of_current)
    return whole, None if of_threshold is None else of_threshold.sum(dim=0)
