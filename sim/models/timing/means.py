"""What a mean sample is, and what the estimate of every kind of engine follows it with."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from snnc.compiler.plan import EnginePlan, ProjectionPlan
from snnc.rtl.walkers import WALKERS, witness

__all__ = ["Activity", "MeanTiming", "Sent", "operations_per_event"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """How much a mean sample asks of a network.

    Attributes
    ----------
    events
        That leave each population, by its name: per time step; of pixels, signed digits per sample.
    time_steps
        ``T``.
    """

    events: Mapping[str, float]
    time_steps: int


@dataclass(frozen=True, slots=True)
class Sent:
    """When a step's first and last spike word are offered, and what share of its events comes with the last."""

    first: float
    last: float
    share: float


class MeanTiming(Protocol):
    """A mean sample in one engine; each kind has one, ``MeanSample``, made of the plan, its engine and the activity.

    Attributes
    ----------
    operations
        Of the sample.
    """

    operations: float

    def step(self, t: int, free: dict[str, float], sent: dict[str, Sent]) -> None:
        """Follow step `t`: `free` says when each engine can issue next, `sent` when each population's words come."""


def operations_per_event(engine: EnginePlan, projection: ProjectionPlan) -> float:
    """Mean over the source's neurons of the operations that one of their events takes."""
    found: float = _of_walk(projection.walk.kind)(engine, projection)
    return found


@functools.cache
def _of_walk(kind: str) -> Any:
    return witness(WALKERS[kind], "estimate").operations_per_event
