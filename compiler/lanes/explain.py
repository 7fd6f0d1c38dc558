"""Why a plan is as it is: what every layer takes, and what hinders it from being wider."""

from __future__ import annotations

from dataclasses import dataclass

from snnc.compiler.design import Design
from snnc.compiler.ir import Population
from snnc.compiler.lanes.area import engine_cells, total_cells
from snnc.compiler.lanes.fit import best_fit, fitting, lacking
from snnc.compiler.lanes.search import Width, comfort, cost_of, widths_of, with_widths
from snnc.compiler.plan import EnginePlan, Plan
from snnc.compiler.targets import find_device
from snnc.sim.models.timing.estimate import estimate, expected

__all__ = ["LayerChoice", "Wider", "explained"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wider:
    """A plan in which one engine has the next wider choice, and all others are what they were.

    Attributes
    ----------
    width
        Lanes and column banks of that engine, as ``--lanes`` takes them.
    cycles, cells, blocks
        Of the whole plan: estimated cycles and logic cells, and block RAMs.
    lacks
        What the device lacks for it; empty where it fits.
    reason
        Why it was not taken where it fits.
    """

    width: str
    cycles: float
    cells: int
    blocks: int
    lacks: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerChoice:
    """What one layer was given.

    Attributes
    ----------
    name, kind, width
        Of its engine; the width as ``--lanes`` takes it.
    operations
        Of a mean sample, in each of its units: the fewest cycles that it can take.
    cells, blocks, sprams
        Its logic cells, estimated, its block RAMs and SPRAM.
    wider
        The next wider choice; None where there is none.
    """

    name: str
    kind: str
    width: str
    operations: float
    cells: int
    blocks: int
    sprams: int
    wider: Wider | None


def explained(design: Design) -> tuple[LayerChoice, ...]:
    """The choices in a design that has passed `schedule`, layer by layer."""
    plan = design.complete_plan
    operations = estimate(plan, expected(design.graph)).operations
    device = find_device(plan.target, plan.device)
    return tuple(
        LayerChoice(
            name=engine.name,
            kind=engine.kind.kind,
            width=engine.width,
            operations=operations[engine.name],
            cells=engine_cells(engine, device),
            blocks=sum(memory.blocks for memory in engine.memories),
            sprams=sum(memory.sprams for memory in engine.memories),
            wider=_wider(design, engine, population),
        )
        for engine, population in zip(plan.engines, design.graph.layers, strict=True)
    )


def _wider(design: Design, engine: EnginePlan, population: Population) -> Wider | None:
    has = (engine.lanes, engine.column_banks)
    more = [width for width in widths_of(design, population) if width > has]
    if not more:
        return None
    widths: list[Width] = [(one.lanes, one.column_banks) for one in design.complete_plan.engines]
    widths[design.graph.layers.index(population)] = more[0]
    wider = with_widths(design, tuple(widths))
    plan = fitting(wider)
    shown = plan or best_fit(wider)
    return Wider(
        width=shown.engine(engine.name).width,
        cycles=estimate(shown, expected(design.graph)).cycles,
        cells=total_cells(shown),
        blocks=shown.blocks,
        lacks=lacking(shown, design.device),
        reason=_reason(design, shown),
    )


def _reason(design: Design, plan: Plan) -> str:
    """Why `plan` was not taken in the place of the design's, if both fit."""
    device, activity, objective = design.device, expected(design.graph), design.options.objective
    if design.options.lanes is not None:
        return "the lanes were given"
    if total_cells(plan) > comfort(plan) * device.logic_cells:
        return f"leaves less than {1 - comfort(plan):.0%} of the {device.logic_name}s for the estimate to be wrong"
    if cost_of(plan, objective, activity) >= cost_of(design.complete_plan, objective, activity):
        return f"no better for {objective.value}"
    return "better, but not found"
