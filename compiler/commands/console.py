"""What the commands print."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from snnc.compiler.build.folder import LOAD_IMAGE
from snnc.compiler.design import Design
from snnc.compiler.ir import Graph
from snnc.compiler.lanes.area import total_cells
from snnc.compiler.lanes.fit import lacking
from snnc.compiler.lanes.gathering import scattered
from snnc.compiler.plan import LOAD_BITS
from snnc.compiler.targets import Device
from snnc.sim.models.timing.estimate import TYPICAL_DENSITY, TYPICAL_FIRING, estimate, expected

if TYPE_CHECKING:
    from rich.progress import Progress

    from snnc.compiler.lanes.explain import Wider

__all__ = ["progress_bar", "show_build", "show_devices", "show_explanation", "terminal"]


def show_build(folder: Path, design: Design) -> None:
    """A table of the layers of a finished build."""
    plan, device = design.complete_plan, design.device
    block = device.block_ram_name
    table = Table(
        title=f"{plan.name} on {device.title}", title_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True
    )
    for heading in ("layer", "shape", "weights", "lanes", "membrane", "weights in", "membranes in"):
        table.add_column(heading)
    for engine in plan.engines:
        # The main one, which is the last, gives the layer's row.
        for projection in reversed(engine.projections):
            main = projection is engine.main
            weights = projection.weights
            where = weights.kind.value
            if weights.blocks or weights.sprams:
                where = f"{weights.blocks} {block}" if weights.blocks else f"{weights.sprams} SPRAM"
            membranes = f"{engine.membrane.blocks} {block}" if engine.membrane.blocks else engine.membrane.kind.value
            table.add_row(
                engine.name if main else f"  from {projection.source}",
                f"{projection.source_layout.shape} to {engine.layout.shape}",
                f"{projection.weight_bits} bits",
                engine.width if main else "",
                f"{engine.residual_bits} bits" if main else "",
                f"{where}, {weights.bits_used / weights.bits_paid:.0%} used",
                membranes if main else "",
            )
    console = terminal()
    console.print(table)
    sprams = f"{plan.sprams} of {device.spram_blocks} SPRAM, " if plan.sprams else ""
    dsps = f"{plan.dsps} of {device.dsps} DSP, " if plan.dsps else ""
    console.print(
        f"{plan.blocks} of {device.block_rams} {block}, {sprams}{dsps}about {total_cells(plan):,} of "
        f"{device.logic_cells:,} {device.logic_name}s; about {_cycles(design):,.0f} cycles a sample of "
        f"{plan.time_steps} steps, {_activity(design.graph)}.",
    )
    if device.placed_mhz is not None:
        slowest, fastest = device.placed_mhz
        times = " to ".join(f"{_cycles(design) / mhz:,.3g}" for mhz in (fastest, slowest))
        console.print(
            f"Designs placed on {device.title} reached {slowest:g} to {fastest:g} MHz: {times} us a sample. "
            "Of this one snnc synth says it.",
            soft_wrap=True,
        )
    if plan.loaded:
        console.print(
            f"SPRAM is filled after every reset: {plan.load_words:,} words of {LOAD_BITS} bits, {LOAD_IMAGE} "
            "(docs/core.md).",
            soft_wrap=True,
        )
    for sentence in (*design.rewrites, *design.notes):
        console.print(sentence, soft_wrap=True)
    argument = shlex.quote(str(folder))
    done = f"Written to {folder}. Next: snnc verify {argument}, snnc synth {argument}."
    console.print(done, soft_wrap=True)


def show_explanation(design: Design) -> None:
    """What a design's engines were chosen from, what each choice costs, and which resource is the limit."""
    from snnc.compiler.lanes.explain import explained  # only where it is asked for

    device, console = design.device, terminal()
    logic, block = f"{device.logic_name}s, about", device.block_ram_name
    objective = design.options.objective.value
    ways = _table(f"Which layers gather, for {objective}", ["", "gathered", "lanes"], ["cycles", logic, block], "")
    taken = tuple(engine.width for engine in design.complete_plan.engines)
    for one in sorted(design.considered, key=lambda one: len(one.gathered)):
        chosen = frozenset(one.gathered) == design.gathered and one.widths == taken
        ways.add_row(
            "taken" if chosen else "",
            ", ".join(one.gathered) or "none",
            ",".join(one.widths),
            *(f"{number:,.0f}" for number in (one.cycles, one.cells, one.blocks)),
            f"needs {one.lacks}" if one.lacks else "",
        )
    console.print(ways)
    layers = _table(
        "What each layer has", ["layer", "engine", "lanes"], ["operations", logic, block, "SPRAM"], "next wider"
    )
    for layer in explained(design):
        numbers = (layer.operations, layer.cells, layer.blocks, layer.sprams)
        layers.add_row(
            layer.name,
            layer.kind,
            layer.width,
            *(f"{number:,.0f}" for number in numbers),
            "as wide as it can be" if layer.wider is None else _wider(layer.wider, device),
        )
    console.print(layers)
    for reason in scattered(design.graph):
        console.print(reason, soft_wrap=True)


def _wider(wider: Wider, device: Device) -> str:
    if wider.lacks:
        return f"{wider.width}: {wider.cycles:,.0f} cycles, but needs {wider.lacks}"
    costs = f"{wider.cycles:,.0f} cycles, {wider.cells:,} {device.logic_name}s, {wider.blocks} {device.block_ram_name}"
    return f"{wider.width}: {costs}; {wider.reason}"


def _table(title: str, words: Sequence[str], numbers: Sequence[str], last: str) -> Table:
    """With headings of columns of words and of numbers, and a last one for what is to be said."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True)
    for heading in words:
        table.add_column(heading)
    for heading in numbers:
        table.add_column(heading, justify="right")
    table.add_column(last)
    return table


def _cycles(design: Design) -> float:
    """Estimated, of a mean sample."""
    return estimate(design.complete_plan, expected(design.graph)).cycles


def _activity(graph: Graph) -> str:
    """By which activity cycles were estimated and lanes chosen."""
    if (record := graph.activity) is not None:
        return f"by the activity measured on {record.samples:,} samples ({record.data})"
    active = f"{TYPICAL_DENSITY:.0%} of the inputs and {TYPICAL_FIRING:.0%} of the hidden neurons"
    return f"by an assumed activity ({active} in a step)"


def show_devices(name: str, candidates: Sequence[tuple[Device, Design]]) -> None:
    """Which of a family's devices a network fits, and what is missing where it does not."""
    table = Table(title=f"{name} on each device", title_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True)
    first = candidates[0][0]
    for heading, justify in (
        ("device", "left"),
        ("lanes", "left"),
        (first.block_ram_name, "right"),
        ("SPRAM", "right"),
        (f"{first.logic_name}, about", "right"),
        ("", "left"),
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for device, design in candidates:
        plan = design.complete_plan
        problem = lacking(plan, device)
        verdict = f"needs {problem}" if problem else f"fits, about {_cycles(design):,.0f} cycles"
        table.add_row(
            device.name,
            ", ".join(engine.width for engine in plan.engines),
            f"{plan.blocks} of {device.block_rams}",
            f"{plan.sprams} of {device.spram_blocks}" if device.spram_blocks else "",
            f"{total_cells(plan):,} of {device.logic_cells:,}",
            verdict,
            style="" if problem else "green",
        )
    terminal().print(table)


def terminal() -> Console:
    """The terminal; a pipe or a file has no width to break lines at."""
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=160)


def progress_bar() -> Progress:
    """Bars on standard error that are gone when the work is done; nothing where that is no terminal."""
    from rich.progress import Progress  # not needed where nothing takes long

    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)
