"""What an event of a dense walk takes on average."""

from __future__ import annotations

from snnc.compiler.plan import EnginePlan, ProjectionPlan

__all__ = ["operations_per_event"]


def operations_per_event(engine: EnginePlan, projection: ProjectionPlan) -> float:
    """Mean over the source's neurons of the words that one of their events touches."""
    return float(engine.words)
