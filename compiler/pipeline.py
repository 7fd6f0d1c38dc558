"""The compile pipeline: a visible tuple of passes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from snnc.compiler.design import ActivitySource, Design, Engines, Options
from snnc.compiler.errors import OptionError
from snnc.compiler.formats import ReadOptions, Source, import_network
from snnc.compiler.formats.interface import NO_OPTIONS
from snnc.compiler.ir import ActivityRecord, Graph, format_graph, verify
from snnc.compiler.lanes.fit import layout_of
from snnc.compiler.passes.bound import bound
from snnc.compiler.passes.lower import lower
from snnc.compiler.passes.normalise import normalise, normalised
from snnc.compiler.passes.place import place
from snnc.compiler.passes.quantise import quantise, quantised
from snnc.compiler.passes.schedule import schedule
from snnc.compiler.plan import plan_to_json
from snnc.compiler.targets import Device

__all__ = [
    "IMPORT",
    "PASSES",
    "PASS_NAMES",
    "Pass",
    "begin",
    "compile_network",
    "integer_network",
    "passes_before",
    "run_passes",
]

IMPORT: Final = "import"

TIME_STEPS_LIMIT: Final = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One step of the pipeline.

    Attributes
    ----------
    name
        What `--print-after` calls it.
    apply
        The new design; the argument is never changed. Its docstring states the invariant that it establishes.
    show
        What it decided, for people.
    """

    name: str
    apply: Callable[[Design], Design]
    show: Callable[[Design], str]


def _show_graph(design: Design) -> str:
    return format_graph(design.graph)


def _show_rewrites(design: Design) -> str:
    return "\n".join([_show_graph(design), *(f"  rewritten: {sentence}" for sentence in design.rewrites)])


def _show_bounds(design: Design) -> str:
    lines = [_show_graph(design)]
    for population, bounds in zip(design.graph.layers, design.bounds, strict=True):
        for what, found in (
            ("I", bounds.input_current),
            ("U", bounds.before_reset),
            ("V", bounds.after_reset),
            ("residual", bounds.residual),
        ):
            lines.append(f"  bound {population.name}  {what} in [{found.low}, {found.high}], {found.bits} bits")
    return "\n".join(lines)


def _show_lanes(design: Design) -> str:
    lines = []
    for population, lanes, banks in zip(design.graph.layers, design.lanes, design.column_banks, strict=True):
        words = layout_of(population, lanes).words
        line = f"lanes {population.name}  {lanes} for {population.size} neurons: {words} words"
        lines.append(line + (f" in {banks} column banks" if banks > 1 else ""))
    return "\n".join(lines)


def _show_plan(design: Design) -> str:
    return plan_to_json(design.complete_plan).rstrip("\n")


def _show_files(design: Design) -> str:
    return "\n".join(f"file {name}  {len(data):,} bytes" for name, data in sorted(design.files.items()))


def _emit(design: Design) -> Design:
    # It brings Amaranth and the templates with it, which a dry run does not need.
    from snnc.compiler.backend import emit

    return emit(design)


PASSES: Final[tuple[Pass, ...]] = (
    Pass(name="normalise", apply=normalise, show=_show_graph),
    Pass(name="quantise", apply=quantise, show=_show_graph),
    Pass(name="lower", apply=lower, show=_show_rewrites),
    Pass(name="bound", apply=bound, show=_show_bounds),
    Pass(name="schedule", apply=schedule, show=_show_lanes),
    Pass(name="place", apply=place, show=_show_plan),
    Pass(name="emit", apply=_emit, show=_show_files),
)
"""In order, after the import (`snnc.compiler.formats`)."""

PASS_NAMES: Final = (IMPORT, *(step.name for step in PASSES))


def passes_before(name: str) -> tuple[Pass, ...]:
    """The passes that come before the one of that name."""
    return PASSES[: [step.name for step in PASSES].index(name)]


def begin(source: Source, device: Device, options: Options, reading: ReadOptions = NO_OPTIONS) -> Design:
    """Import a network; `reading` is what its file does not say."""
    graph = _imported(source, options.time_steps, reading)
    if options.stream:
        graph = dataclasses.replace(graph, stream=True)
        verify(graph)
    if graph.stream and options.engines is Engines.GATHER:
        raise OptionError(
            "--engines gather takes all steps of a word at once, and a stream has no last one; leave it out."
        )
    match options.activity:
        case ActivitySource.RECORDED:
            pass
        case ActivitySource.ASSUMED:
            graph = dataclasses.replace(graph, activity=None)
        case ActivityRecord() as record:
            graph = dataclasses.replace(graph, activity=record)
            verify(graph)
        case _ as unreachable:
            assert_never(unreachable)
    return Design(graph=graph, options=options, device=options.of(device))


def integer_network(
    source: Source,
    *,
    time_steps: int | None = None,
    weight_bits: int | None = None,
    reading: ReadOptions = NO_OPTIONS,
) -> Graph:
    """The integer network of a trained one, without hardware in mind; the options are those of `Options`."""
    graph = quantised(normalised(_imported(source, time_steps, reading)), weight_bits)
    verify(graph)
    return graph


def _imported(source: Source, time_steps: int | None, reading: ReadOptions) -> Graph:
    if time_steps is not None and not 1 <= time_steps <= TIME_STEPS_LIMIT:
        raise OptionError(f"--time-steps is {time_steps}; 1 to {TIME_STEPS_LIMIT} are possible.")
    graph = import_network(source, reading)
    if time_steps is not None:
        sealed = None if graph.exit is None else graph.exit.within(time_steps)
        rival = graph.rival if time_steps == graph.time_steps else None
        graph = dataclasses.replace(graph, time_steps=time_steps, exit=sealed, rival=rival)
    verify(graph)
    return graph


def run_passes(
    design: Design, passes: Sequence[Pass] = PASSES, *, observe: Callable[[str, str], None] | None = None
) -> Design:
    """Apply passes in order, checking the network after each one.

    Parameters
    ----------
    observe
        Called with the name of each pass, the import included, and what it decided.
    """
    if observe is not None:
        observe(IMPORT, _show_graph(design))
    for step in passes:
        design = step.apply(design)
        verify(design.graph)
        if observe is not None:
            observe(step.name, step.show(design))
    return design


def compile_network(
    source: Source,
    device: Device,
    options: Options,
    *,
    reading: ReadOptions = NO_OPTIONS,
    observe: Callable[[str, str], None] | None = None,
) -> Design:
    """From a network to a complete design; `reading` is what its file does not say.

    Raises
    ------
    OptionError, CheckpointError, UnsupportedError, FitError, ToolError
        See `snnc.compiler.errors`.
    """
    return run_passes(begin(source, device, options, reading), observe=observe)
