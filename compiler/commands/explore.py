"""``snnc explore``: what networks would be on every device, before any of it is built."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import click
from rich import box
from rich.progress import Progress
from rich.table import Table

from snnc.compiler.build.folder import replace_file
from snnc.compiler.commands.assumed import is_foreign
from snnc.compiler.commands.compile import parse_lanes
from snnc.compiler.commands.datasets import dataset_options
from snnc.compiler.design import Engines, Objective, Options
from snnc.compiler.errors import InterruptedRun, OptionError
from snnc.compiler.explore.budget import Answer, answer, parse_budget
from snnc.compiler.explore.findings import chosen_exit, measured, planned, prepare
from snnc.compiler.explore.grid import AskedExit, Data, Grid, Keys, Point
from snnc.compiler.explore.machines import on_machines
from snnc.compiler.explore.page import render_exploration
from snnc.compiler.explore.results import RESULTS, Results, open_results
from snnc.compiler.explore.search import Search
from snnc.compiler.explore.table import AXES, Row, front, row_of, table_csv
from snnc.compiler.explore.work import cores, in_processes
from snnc.compiler.pipeline import integer_network
from snnc.compiler.targets import TARGETS, Device, find_family, load_target
from snnc.distill.data import chosen
from snnc.sim.evaluation.energy import load_costs
from snnc.sim.evaluation.evaluation import shown_steps
from snnc.sim.evaluation.exits import MOST_SAMPLES
from snnc.sim.models.inputs import load_samples

__all__ = ["explore_command"]

PAGE: Final = "explore.html"
TABLE: Final = "points.csv"

_ALL: Final = "all"
_NO_EXIT: Final = "none"
_LENGTHS: Final = 4
"""Numbers of time steps that are tried unasked."""

_Item = TypeVar("_Item")

_Planner: TypeAlias = Callable[..., Iterator[tuple[Point, Mapping[str, Any]]]]
"""Gives points with their plans, as they are done."""


@click.command("explore")
@click.argument("students", nargs=-1, required=True, type=click.Path(path_type=Path))
@dataset_options("Whose validation samples; digits by default.")
@click.option("--samples", type=click.IntRange(min=1), help="How many for the accuracy. Default: all.")
@click.option("--timed", type=click.IntRange(min=1), default=16, show_default=True, help="Of them, for the cycles.")
@click.option(
    "--devices", metavar="NAMES", help="Of devices and families, or all. Default: the default device of each family."
)
@click.option(
    "--objective", metavar="NAMES", help=f"{', '.join(one.value for one in Objective)}. Default: all of them."
)
@click.option("--lanes", "lanes", multiple=True, metavar="N,N", help="Lanes of your own, too, as of snnc compile.")
@click.option(
    "--engines",
    metavar="NAMES",
    default=Options().engines.value,
    show_default=True,
    help=f"Of {', '.join(one.value for one in Engines)}.",
)
@click.option("--time-steps", metavar="N,N", help=f"Default: up to {_LENGTHS} numbers, to those of the training.")
@click.option("--weight-bits", metavar="N,N", help="Quantised again. Default: as they were trained.")
@click.option(
    "--early-exit", metavar="PERCENT,..", help="As of snnc early-exit --agreement: none,99.9,99.5@1+2. Default: none."
)
@click.option("--mhz", metavar="N", help="Clock of the times: a number, or such as up5k=30,25k=60. Default: see docs.")
@click.option("--costs", default="fp32", show_default=True, metavar="TABLE", help="Of modelled energy; snnc evaluate.")
@click.option("--budget", metavar="TERMS", help="Say which to take: '<=20us, <=50% logic of up5k, >=99% accuracy'.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes at a time. Default: one for each core.")
@click.option("--search", metavar="N", type=click.IntRange(min=1), help="Not all points, but N that a search picks.")
@click.option(
    "--scheduler", metavar="ADDRESS", help="Of Dask: plan on its workers, instead of the cores of this machine."
)
@click.option("--all", "everything", is_flag=True, help="Show all points, instead of those that nothing beats.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=Path("build/explore"), show_default=True, help="Folder."
)
def explore_command(
    students: tuple[Path, ...],
    dataset: str | None,
    data: Path | None,
    samples: int | None,
    timed: int,
    devices: str | None,
    objective: str | None,
    lanes: tuple[str, ...],
    engines: str,
    time_steps: str | None,
    weight_bits: str | None,
    early_exit: str | None,
    mhz: str | None,
    costs: str,
    budget: str | None,
    jobs: int | None,
    search: int | None,
    scheduler: str | None,
    everything: bool,
    output: Path,
) -> int:
    """Plan STUDENTS on devices in every way that is asked for, and measure what each would be; nothing is built.

    Each point is exactly what the command beside it would build: its plan, the exact cycles of real samples, the
    accuracy of its integers, its logic by estimate and its energy by a model. A run that was stopped goes on where it
    was, by the same command. Exit status 1 where nothing is within the budget.
    """
    terms = None if budget is None else parse_budget(budget)
    name = chosen(dataset, data) or "digits"
    grid = Grid(
        students={student: _lengths(student, time_steps) for student in students},
        weight_bits=(None,) if weight_bits is None else _numbers(weight_bits, "--weight-bits", 1, 8),
        devices=_devices(devices),
        objectives=_named(objective, "--objective", {one.value: one for one in Objective}, "latency,balanced,area"),
        lanes=[parse_lanes(one) for one in lanes],
        engines=_named(engines, "--engines", {one.value: one for one in Engines}, engines),
        exits=_exits(early_exit, name, data),
    )
    from snnc.compiler.commands.console import progress_bar

    clocks = _clocks(mhz, grid.devices)
    graphs = [integer_network(student, time_steps=max(lengths)) for student, lengths in grid.students.items()]
    known = [load_samples(graph, name, data=data, samples=samples, part="validation") for graph in graphs]
    exits = any(variant.exit for variant in grid.variants)
    material = Data(
        name=name,
        path=data,
        samples=known[0],
        timed=min(timed, len(known[0])),
        costs=load_costs(costs),
        training=load_samples(graphs[0], name, data=data, samples=MOST_SAMPLES, part="train") if exits else None,
    )
    keys = Keys(grid, material)
    plan_all: _Planner = (
        partial(in_processes, planned, jobs=jobs or cores())
        if scheduler is None
        else partial(on_machines, planned, address=scheduler, files=keys.files)
    )
    with open_results(output) as results:
        rows: list[Row] = []
        try:
            with progress_bar() as bar:
                progress = _Progress(bar)
                for points in _rounds(grid, search, rows):
                    _work(points, material, keys, results, plan_all, progress)
                    rows += [
                        row_of(point, results[keys.of_variant(point.variant)], results[keys.of_point(point)], clocks)
                        for point in points
                    ]
        except KeyboardInterrupt:
            done = sum(keys.of_point(point) in results for point in grid.points)
            raise InterruptedRun(
                f"interrupted: {done:,} of {len(grid.points):,} points are kept in '{output / RESULTS}'; the same "
                "command goes on."
            ) from None
        replace_file(output / TABLE, table_csv(rows))
        found = None if terms is None else answer(rows, terms)
        said = [] if found is None else _sentences(found, budget or "")
        page = render_exploration(rows, material, said=said, taken=None if found is None else found.taken)
        replace_file(output / PAGE, page)
    _show(rows if everything else front(rows, tuple(AXES.values())))
    fitting = sum(row.fits for row in rows)
    click.echo(f"{len(rows):,} points, of which {fitting:,} fit their device: {output / TABLE}, {output / PAGE}.")
    for sentence, command in said:
        click.echo(sentence)
        if command:
            click.echo(f"  {command}")
    return 1 if found is not None and found.taken is None else 0


def _rounds(grid: Grid, search: int | None, rows: Sequence[Row]) -> Iterator[Sequence[Point]]:
    """The points to work out: all at once, or so many that a search picks by the `rows` of those before."""
    if search is None or search >= len(grid.points):
        yield grid.points
        return
    picks, told = Search(grid), 0
    while points := picks.ask(search - told):
        yield points
        picks.tell(rows[told:])
        told = len(rows)


class _Progress:
    """How much is done of what is known to be needed."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._samples, self._points = (bar.add_task(name, total=0) for name in ("golden model", "plans and cycles"))

    def need(self, samples: int, points: int) -> None:
        """So much more."""
        for task, more in ((self._samples, samples), (self._points, points)):
            self._bar.update(task, total=(self._bar.tasks[task].total or 0) + more)

    def samples(self, done: int) -> None:
        self._bar.update(self._samples, advance=done)

    def point(self) -> None:
        self._bar.update(self._points, advance=1)


def _work(
    points: Sequence[Point], data: Data, keys: Keys, results: Results, plan_all: _Planner, progress: _Progress
) -> None:
    """Find out what is not known yet: first of each variant, on threads; then of each point."""
    needed = dict.fromkeys(one.variant for one in points)
    variants = [one for one in needed if keys.of_variant(one) not in results]
    exits = [one for one in needed if one.exit is not None and keys.of_exit(one) not in results]
    points = [one for one in points if keys.of_point(one) not in results]
    training = 0 if data.training is None else len(data.training)
    progress.need(len(variants) * len(data.samples) + len(exits) * training, len(points))
    for variant in exits:
        results.add(keys.of_exit(variant), chosen_exit(variant, data, progress=progress.samples))
    taken = {one: results[keys.of_exit(one)] for one in needed if one.exit is not None}
    for variant in variants:
        results.add(keys.of_variant(variant), measured(variant, data, taken, progress=progress.samples))
    few = data.samples.first(data.timed)
    for point, found in plan_all(points, prepare=prepare, arguments=(few, taken)):
        results.add(keys.of_point(point), found)
        progress.point()


def _show(rows: Sequence[Row]) -> None:
    from snnc.compiler.commands.console import terminal

    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True)
    exits = ["early exit"] if any(row.exit for row in rows) else []
    for heading in ("device", "T", "bits", *exits, "chosen by", "engines", "lanes"):
        table.add_column(heading)
    for heading in ("accuracy", "cycles", "time", "logic", "", "memory", "modelled energy"):
        table.add_column(heading, justify="right")
    for row in rows:
        point = row.point
        bits = str(row.weight_bits or point.variant.weight_bits or "")
        facts = [point.device.name, str(point.variant.time_steps), bits, *([row.exit] if exits else [])]
        facts += [point.choice, point.engines.value, row.lanes]
        if row.fits:
            facts += [
                f"{row.accuracy:.2%}",
                f"{row.cycles:,.1f}",
                AXES["time"].text(row.time_us),
                f"{row.cells:,}",
                f"{row.logic_share:.0%}",
                AXES["memory"].text(row.memory_kbit),
                AXES["energy"].text(row.energy_nj),
            ]
        else:
            facts += [row.reason]
        table.add_row(*facts)
    terminal().print(table)


def _sentences(found: Answer, budget: str) -> list[tuple[str, str]]:
    """What to take, and what a better one costs; each with the command that builds it."""
    if found.taken is None:
        if found.nearest is None:
            return [(f"Nothing is within the budget ({budget}): no point fits a device that it names.", "")]
        missed = " and ".join(term.text for term in found.missed)
        text = f"Nothing is within the budget ({budget}). The nearest misses {missed}: {_spoken(found.nearest)}."
        return [(text, found.nearest.point.command)]
    taken = found.taken
    said = [(f"Take {_spoken(taken)}.", taken.point.command)]
    for name, row in found.better.items():
        by = abs(AXES[name].value(row) - AXES[name].value(taken))
        what = f"more accurate by {by:.2f} points" if name == "accuracy" else f"faster by {AXES[name].text(by)}"
        costs = [
            f"{AXES[other].text(AXES[other].value(row) - AXES[other].value(taken))} more {other}"
            for other in AXES
            if AXES[other].cost(row) > AXES[other].cost(taken) and not AXES[other].more
        ]
        if AXES["accuracy"].cost(row) > AXES["accuracy"].cost(taken):
            costs.append(f"{100 * (taken.accuracy - row.accuracy):.2f} points of accuracy")
        terms = [term.text for term in parse_budget(budget) if not term.holds(row)]
        beyond = f", and is beyond {' and '.join(terms)}" if terms else ""
        text = f"The next that is {what} costs {', '.join(costs) or 'nothing'}{beyond}: {_spoken(row)}."
        said.append((text, row.point.command))
    if not found.better:
        said.append(("Of what keeps to the accuracy and the time, nothing is more accurate or faster.", ""))
    return said


def _spoken(row: Row) -> str:
    point, device = row.point, row.point.device
    ends = f", early exit {row.exit}" if row.exit else ""
    how = f"T = {point.variant.time_steps}, {row.weight_bits} bits{ends}, {point.choice}, {point.engines.value}"
    return (
        f"{point.variant.student.stem} on {device.title} ({how}): {row.accuracy:.2%}, {row.time_us:,.1f} us "
        f"({row.cycles:,.0f} cycles at {row.mhz:g} MHz), about {row.cells:,} {device.logic_name}s "
        f"({row.logic_share:.0%}), {row.memory_kbit:,.0f} kbit of memory, {row.energy_nj:,.0f} nJ modelled"
    )


def _lengths(student: Path, text: str | None) -> Sequence[int]:
    """Numbers of time steps, ascending."""
    if is_foreign(student):
        raise OptionError(
            f"'{student}' leaves open what snnc compile asks for; write its integers into a file of their own first: "
            f"snnc quantise {student} -o {student.stem}.npz."
        )
    if text is not None:
        return _numbers(text, "--time-steps", 1, 2**16)
    return shown_steps(integer_network(student).time_steps, _LENGTHS)


_EXIT: Final = re.compile(r"(?P<agreement>\d{1,3}(?:\.\d{1,6})?)(?:@(?P<steps>\d{1,8}(?:\+\d{1,8})*))?")


def _exits(text: str | None, dataset: str, data: Path | None) -> Sequence[AskedExit | None]:
    found: dict[AskedExit | None, None] = {}
    for word in (_NO_EXIT if text is None else text).split(","):
        if word.strip() == _NO_EXIT:
            found[None] = None
            continue
        match = _EXIT.fullmatch(word.strip())
        if match is None or not 0 < (agreement := float(match["agreement"])) <= 100:
            raise OptionError(
                f"--early-exit '{word.strip()}' is neither {_NO_EXIT} nor an agreement in percent, with the steps "
                "after which it is asked or without: 99.9, 99.5@1, 99@1+2."
            )
        steps = {int(step) for step in (match["steps"] or "").split("+") if step}
        found[AskedExit(agreement=agreement, steps=tuple(sorted(steps)), dataset=dataset, data=data)] = None
    return list(found)


def _numbers(text: str, option: str, low: int, high: int) -> Sequence[int]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and len(word) < 9 and low <= int(word) <= high for word in words):
        raise OptionError(f"{option} '{text}' is no list of numbers from {low} to {high}, such as 1,2,4.")
    return sorted({int(word) for word in words})


def _named(text: str | None, option: str, known: dict[str, _Item], default: str) -> Sequence[_Item]:
    words = [word.strip() for word in (default if text is None else text).split(",")]
    for word in words:
        if word not in known:
            raise OptionError(f"{option} has no '{word}'; choose of {', '.join(known)}.")
    return [known[word] for word in dict.fromkeys(words)]


def _devices(text: str | None) -> Sequence[Device]:
    families = [load_target(name) for name in TARGETS]
    if text is None:
        return [family.device() for family in families]
    found: dict[str, Device] = {}
    for word in text.split(","):
        word = word.strip()
        for family in families:
            if word in (_ALL, family.name):
                found |= family.devices
        if word in (_ALL, *TARGETS):
            continue
        family_of = find_family(word)
        if family_of is None:
            every = [name for family in families for name in family.devices]
            raise OptionError(
                f"--devices has no '{word}'; choose of all, the families {', '.join(TARGETS)}, and {', '.join(every)}."
            )
        found[word] = family_of.device(word)
    return list(found.values())


def _clocks(text: str | None, devices: Sequence[Device]) -> dict[str, float]:
    """MHz by device; what is not there has the device's own."""
    if text is None:
        return {}
    named = {device.name for device in devices}
    clocks: dict[str, float] = {}
    for word in text.split(","):
        name, equals, number = word.strip().rpartition("=")
        value = _positive(number)
        if value is None or (equals and name not in named):
            raise OptionError(
                f"--mhz '{text}' is no clock: give a number, or one for devices that are explored, such as up5k=30."
            )
        clocks |= {name: value} if equals else dict.fromkeys(named, value)
    return clocks


def _positive(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < 1e6 else None
