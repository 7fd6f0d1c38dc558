"""The estimate of logic against what nextpnr packs: a table of designs, and the factors that are fitted to it.

    python benchmarks/logic.py measure                 pack what has no row yet: an hour and a half for all on one core
    python benchmarks/logic.py measure --family ecp5   the same of one family
    python benchmarks/logic.py fit                     the factors of each family, and how far off they are
    python benchmarks/logic.py place                   two designs of each family placed, beside what was packed

`packed/designs.csv` says what is compiled, `packed/packed.csv` what came out. Rows ``held-out`` take no part in the
fit. Logic is counted with the serial shell. A row is packed anew where the Verilog or the images of its design have
changed, whose hash it holds; its estimate, and how much it has of each term (`snnc.compiler.lanes.area.terms_of`), are
those of the compiler that `measure` ran with.

The fit is of least squares of the relative errors, with no factor below 0. Of a factor of which few designs of a family
tell, those of all families do: it is drawn a little towards the common one, times the family's scale. `Target.logic` of
each family is what is printed; a test holds that.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import click
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from scipy.optimize import nnls

from snnc.compiler.build.folder import open_build, write_build
from snnc.compiler.commands.compile import parse_lanes
from snnc.compiler.commands.synth import TOP as SHELL
from snnc.compiler.design import Design, Engines, Options
from snnc.compiler.formats import RandomNetwork, import_network
from snnc.compiler.formats.random_network import random_graph
from snnc.compiler.ir import Encoding, Exit, Graph, IntegrateAndFire, Population, Reset
from snnc.compiler.lanes.area import terms_of, total_cells
from snnc.compiler.pipeline import PASSES, begin, passes_before, run_passes
from snnc.compiler.plan import Plan
from snnc.compiler.targets import TARGETS, find_device, load_target
from snnc.compiler.targets.nextpnr import NextpnrTarget

__all__ = ["Case", "Row", "cases", "errors", "fitted", "planned", "rows"]

_STUDENTS: Final = Path(__file__).resolve().parents[1] / "examples" / "students"
_DESIGNS: Final = Path(__file__).with_name("packed") / "designs.csv"
_PACKED: Final = _DESIGNS.with_name("packed.csv")

_RIDGE: Final = 0.05
"""Weight, beside one design's, of what draws a common factor to 0: as a share of a mean design."""

_RIDGES: Final[Mapping[str, float]] = {"ice40": 0.05, "ecp5": 2, "gowin": 2, "gatemate": 0.5}
"""The same of what draws a family's factor to the common one: of 0.05, 0.2, 0.5, 1, 2 and 4 that with which its designs
(in eight parts, each estimated by the others) have the least mean error."""

_ROUNDS: Final = 5
"""Of the common fit, until the families' scales stand."""

_Floats: TypeAlias = npt.NDArray[np.float64]

_SETS: Final = ("fit", "held-out")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A design of the table, as text.

    Attributes
    ----------
    set
        ``fit`` or ``held-out``.
    kind
        What it is drawn for.
    network
        The architecture of a random network, or the file of a student that ships; of that, what is empty is as it was
        trained.
    neuron
        Of a random network's hidden neurons: ``soft``, ``hard`` (their reset), ``leak`` (of shift 2), ``floor`` (at the
        negative threshold), several of them with blanks between.
    more
        ``stream``, ``exit`` (after the first step, by a margin of 8), ``no-dsp``.
    """

    set: str
    kind: str
    family: str
    device: str
    network: str
    encoding: str
    value_bits: str
    time_steps: str
    weight_bits: str
    neuron: str
    engines: str
    lanes: str
    more: str

    @property
    def title(self) -> str:
        """Every field that says something, but the set."""
        return " ".join(filter(None, dataclasses.astuple(self)[1:]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came out of a design: `terms` are amounts by name."""

    case: Case
    verilog: str
    kinds: str
    terms: Mapping[str, float]
    estimated: int
    packed: int


def cases() -> Iterator[Case]:
    """The table of designs."""
    with _DESIGNS.open(encoding="utf-8", newline="") as file:
        yield from [Case(**row) for row in csv.DictReader(file)]


def rows() -> Iterator[Row]:
    """What was packed."""
    fields = [field.name for field in dataclasses.fields(Case)]
    with _PACKED.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield Row(
                case=Case(**{field: row[field] for field in fields}),
                verilog=row["verilog"],
                kinds=row["kinds"],
                terms={name: float(amount) for name, amount in _pairs(row["terms"])},
                estimated=int(row["estimated"]),
                packed=int(row["packed"]),
            )


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for pair in text.split("; "):
        name, _, amount = pair.rpartition(" ")
        yield name, amount


def planned(case: Case) -> Design:
    """The design up to its plan."""
    more = case.more.split()
    lanes = parse_lanes(case.lanes)
    options = Options(
        engines=Engines(case.engines),
        lanes=tuple(count for count, _ in lanes),
        column_banks=tuple(banks for _, banks in lanes),
        stream="stream" in more,
        dsp="no-dsp" not in more,
    )
    student = case.network.endswith(".pt")
    graph = import_network(_STUDENTS / case.network) if student else _random(case)
    if "exit" in more:
        graph = dataclasses.replace(graph, exit=Exit(margin=8, steps=(1,)))
    return run_passes(begin(graph, find_device(case.family, case.device), options), passes_before("emit"))


def _random(case: Case) -> Graph:
    graph = random_graph(
        RandomNetwork(
            architecture=case.network,
            encoding=Encoding(case.encoding),
            value_bits=int(case.value_bits),
            weight_bits=int(case.weight_bits),
            time_steps=int(case.time_steps),
        )
    )
    populations = tuple(_with_neuron(population, case.neuron.split()) for population in graph.populations)
    return dataclasses.replace(graph, populations=populations)


def _with_neuron(population: Population, words: Sequence[str]) -> Population:
    neuron = population.neuron
    if not isinstance(neuron, IntegrateAndFire) or (neuron.threshold == 1).all():  # a maximum of spikes has no other
        return population
    changed = dataclasses.replace(
        neuron,
        reset=Reset.HARD if "hard" in words else Reset.SOFT,
        leak_shift=2 if "leak" in words else None,
        floor=-neuron.threshold if "floor" in words else None,
    )
    return dataclasses.replace(population, neuron=changed)


def amounts(plan: Plan) -> Mapping[str, float]:
    """How much there is of each term in all engines of a plan."""
    found: dict[str, float] = {}
    for engine in plan.engines:
        for term, amount in terms_of(engine).items():
            found[term] = found.get(term, 0) + amount
    return dict(sorted(found.items()))


def fitted(known: Sequence[Row]) -> Mapping[str, Mapping[str, float]]:
    """By the family, what one of each term takes, to three digits, from the rows that are to be fitted."""
    taken = [row for row in known if row.case.set == "fit"]
    terms = sorted({term for row in taken for term in row.terms})
    shares = np.array([[row.terms.get(term, 0) / row.packed for term in terms] for row in taken])
    weights = shares.mean(axis=0)
    of = {family: np.array([row.case.family == family for row in taken]) for family in TARGETS}
    scales = dict.fromkeys(TARGETS, 1.0)
    for _ in range(_ROUNDS):
        scaled = shares * [[scales[row.case.family]] for row in taken]
        common = _solved(scaled, weights, np.zeros(len(terms)))
        for family, mine in of.items():
            found = shares[mine] @ common
            scales[family] = found.sum() / (found @ found)
    factors = {
        family: _solved(shares[mine], weights, scales[family] * common, _RIDGES[family]) for family, mine in of.items()
    }
    return {
        family: {term: float(f"{factor:.3g}") for term, factor in zip(terms, found, strict=True) if factor >= 5e-4}
        for family, found in factors.items()
    }


def _solved(shares: _Floats, weights: _Floats, towards: _Floats, ridge: float = _RIDGE) -> _Floats:
    """Factors of 0 or more that make a row's sum nearly 1, drawn a little `towards` others."""
    drawn = np.sqrt(ridge * len(shares)) * weights
    factors, _ = nnls(np.vstack([shares, np.diag(drawn)]), np.r_[np.ones(len(shares)), drawn * towards])
    found: _Floats = factors
    return found


def errors(known: Sequence[Row], logic: Mapping[str, float]) -> _Floats:
    """Relative errors of the estimates of rows with these factors."""
    found = [sum(logic.get(term, 0) * amount for term, amount in row.terms.items()) for row in known]
    packed = np.array([row.packed for row in known], np.float64)
    return np.array(found) / packed - 1


@click.group()
def main() -> None:
    """Measure the logic of designs, and fit the estimate to it."""


@main.command()
@click.option("--family", "families", multiple=True, type=click.Choice(list(TARGETS)), help="These alone.")
def measure(families: tuple[str, ...]) -> None:
    """Make the rows of all designs, and pack those that were not yet."""
    known = {row.case.title: row for row in rows()} if _PACKED.exists() else {}
    packed = {row.verilog: row.packed for row in known.values()}
    table = list(cases())
    for case in table:
        if families and case.family not in families:
            continue
        design = run_passes(planned(case), PASSES[-1:])
        digest, plan = _digest(design.files), design.complete_plan
        new = digest not in packed
        if new:
            packed[digest] = pack(design)
        known[case.title] = Row(
            case=case,
            verilog=digest,
            kinds=" ".join(engine.kind.kind for engine in plan.engines),
            terms=amounts(plan),
            estimated=total_cells(plan),
            packed=packed[digest],
        )
        if new:
            click.echo(f"{case.title}: about {known[case.title].estimated:,}, packed {packed[digest]:,}")
            _write([known[case.title] for case in table if case.title in known])
    _write([known[case.title] for case in table if case.title in known])


def _digest(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, data in sorted(files.items()):
        if name.startswith(("rtl/", "images/")):
            digest.update(f"{name} {len(data)}\n".encode() + data)
    return digest.hexdigest()[:16]


def _write(known: Sequence[Row]) -> None:
    part = _PACKED.with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            [*(field.name for field in dataclasses.fields(Case)), "verilog", "kinds", "terms", "estimated", "packed"]
        )
        for row in known:
            terms = "; ".join(f"{term} {amount:g}" for term, amount in row.terms.items())
            writer.writerow([*dataclasses.astuple(row.case), row.verilog, row.kinds, terms, row.estimated, row.packed])
    part.replace(_PACKED)


def pack(design: Design, *, place: bool = False) -> int:
    """Logic as nextpnr packs it, or as it places it."""
    device = design.device
    target = load_target(device.family)
    assert isinstance(target, NextpnrTarget)
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "build"
        write_build(path, design.files, source="benchmarks/logic.py")
        build, folder = open_build(path), path / "synth"
        netlist = target.synthesise(build.verilog, top=SHELL, device=device, folder=folder, base=path).netlist
        if place:
            return target.place_and_route(netlist, device=device, folder=folder).used(device.logic_name)
        return next(
            one.used for one in target.packed(netlist, device=device, folder=folder) if one.name == device.logic_name
        )


@main.command()
def fit() -> None:
    """Print the factors of every family, and the errors with them."""
    known = list(rows())
    table = Table("family", "designs", "how many", "mean error", "largest", "of")
    for family, logic in fitted(known).items():
        click.echo(f"{family}:")
        for term, factor in logic.items():
            click.echo(f'        "{term}": {factor:g},')
        for name in _SETS:
            some = [row for row in known if row.case.family == family and row.case.set == name]
            if some:
                found = errors(some, logic)
                worst = int(np.abs(found).argmax())
                numbers = (f"{len(some)}", f"{np.abs(found).mean():.1%}", f"{found[worst]:+.1%}")
                table.add_row(family, name, *numbers, some[worst].case.title)
    Console(width=160).print(table)


@main.command("place")
@click.option("--count", default=2, show_default=True, metavar="N", help="Of each family.")
def place_command(count: int) -> None:
    """Place the first designs of each family, and compare with what was packed."""
    known = list(rows())
    for family in TARGETS:
        for row in [row for row in known if row.case.family == family][:count]:
            placed = pack(run_passes(planned(row.case), PASSES[-1:]), place=True)
            click.echo(f"{row.case.title}: packed {row.packed:,}, placed {placed:,}")


if __name__ == "__main__":
    main()
