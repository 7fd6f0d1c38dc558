"""Whether the queues of a plan hold what a stream without an end may bring.

A queue that may fill keeps its source waiting. The others were made for a whole sample (`snnc.compiler.lanes.order`):
in a stream they hold what a source may be ahead of the engine that listens, where something bounds that.
"""

from __future__ import annotations

from snnc.compiler.errors import FitError, UnsupportedError
from snnc.compiler.plan import EnginePlan, Plan

__all__ = ["check_stream"]

_UNDER_WAY = 6
"""Steps that can be between a queue and the step which the engine behind it is in: a word in the serialiser, two beats
and one more in the walker, and a step begun at either end."""


def check_stream(plan: Plan) -> None:
    """Check that no queue of a plan for streams can overflow.

    Raises
    ------
    UnsupportedError
        Nothing keeps a source from running ahead of an engine that listens to it.
    FitError
        A queue is too short for what may be in it.
    """
    for source in plan.engines:
        held = [engine for engine, k in plan.listeners(source.name) if plan.fills(engine, engine.projections[k])]
        if len(held) > 1:
            waiting = " and ".join(f"'{engine.name}'" for engine in held)
            raise UnsupportedError(
                f"Layer '{source.name}' is what {waiting} wait for in each step: in a stream without an end, two "
                "branches may drift apart without a bound. Let one of them hear another layer last, or run samples."
            )
    for engine in plan.engines:
        for projection in engine.projections[:-1]:
            if projection.source in (plan.input.name, engine.name):
                continue
            source = plan.engine(projection.source)
            steps = _ahead(plan, source, engine) + projection.delay + 2
            if steps * source.words > projection.queue.depth:
                raise FitError(
                    f"Layer '{source.name}' may be {steps} steps ahead of '{engine.name}' in a stream, but the queue "
                    f"between them holds {projection.queue.depth // source.words}: as many as a sample has steps.",
                    f"Compile with --time-steps {steps}.",
                )


def _ahead(plan: Plan, source: EnginePlan, engine: EnginePlan) -> int:
    """By how many steps `source` can be ahead of `engine` at most.

    It is not ahead of what it waits for itself. From `engine` on towards the input, each is behind the one that it
    hears last by what the queue between them holds: an entry, at least, for every step.
    """
    waits_for = {source.name, *(one.name for one in _chain(plan, source))}
    found = 0
    for one in (engine, *_chain(plan, engine)):
        if one.name in waits_for:
            break
        found += one.main.queue.depth + _UNDER_WAY
    return found


def _chain(plan: Plan, engine: EnginePlan) -> tuple[EnginePlan, ...]:
    """The engines before `engine`, each what the one behind it hears last, up to the input."""
    if engine.main.source == plan.input.name:
        return ()
    before = plan.engine(engine.main.source)
    return (before, *_chain(plan, before))
