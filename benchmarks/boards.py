"""Measures a student on the boards: its whole top with the board's pins, placed and routed with several seeds.

    python benchmarks/boards.py                                   digits on all ten boards, seeds 1 to 5; hours
    python benchmarks/boards.py icebreaker ulx3s --seeds 1-3      two of them
    python benchmarks/boards.py ulx3s --student examples/students/mnist-784-32-10-int4.pt

The clock is the one that `snnc build` chooses with the first seed, from the oscillator or a PLL; the other seeds place
the same netlist. A line is printed as soon as its board is done: the clock, the resources of the first seed, Fmax of
every seed and their median, the margin of the median over the clock, and hold times that nextpnr calls violated, of the
ten worst that it shows. Those of a Gowin's read-only memories are left out: they are an error of its timing database
(docs/architecture.md). The bitstream of the first seed is packed, so that nothing is measured that could not be loaded.
The exit status is 1 where a median misses the margin that `snnc build` asks for.
"""

from __future__ import annotations

import re
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from snnc.compiler.boards import BOARDS, Board, find_board
from snnc.compiler.boards.clocks import Clock
from snnc.compiler.build.folder import open_build, write_build
from snnc.compiler.commands.board_top import (
    FOLDER,
    MARGIN,
    choose_clock,
    place_top,
    room_for_the_top,
    synthesise_top,
)
from snnc.compiler.commands.synth import parse_seeds
from snnc.compiler.design import Options
from snnc.compiler.errors import SnncError
from snnc.compiler.pipeline import compile_network
from snnc.compiler.targets import Implementation, load_target
from snnc.rtl.tops import UART

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDERS = REPOSITORY / "build" / "boards"
STUDENT = REPOSITORY / "examples" / "students" / "digits-64-32-10-int4.pt"

_HOLD = re.compile(r"hold\s+-?\d+\.\d+\s+-?\d+\.\d+ Source \S*\.(?P<pin>\w+)$", re.MULTILINE)
"""The end of a path whose hold time nextpnr calls violated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One board: its clock, the first seed's whole implementation, Fmax of every seed in MHz, violated holds of all."""

    clock: Clock
    first: Implementation
    fmax: tuple[float, ...]
    holds: int

    @property
    def median(self) -> float:
        return statistics.median(self.fmax)

    @property
    def margin(self) -> float:
        """Of the median over the clock that the top runs at."""
        return self.median / (self.clock.hz / 1e6) - 1


def measure(board: Board, student: Path, seeds: tuple[int, ...]) -> Measured:
    """Compile, choose the clock with the first seed, place and route what was synthesised for it with every seed, and
    pack the first."""
    chip, path = board.device(), FOLDERS / board.name
    design = compile_network(student, room_for_the_top(chip), Options())
    write_build(path, design.files, source=str(student))
    folder = path / FOLDER
    folder.mkdir(exist_ok=True)
    build, target = open_build(path), load_target(board.target)

    def run(clock: Clock) -> Implementation:
        return place_top(
            synthesise_top(build, board, chip, folder, clock=clock), board, chip, clock=clock, seed=seeds[0]
        )

    clock, first = choose_clock(board, chip, None, run)
    netlist = first.layout.with_name(f"{UART.module}.json")
    runs = (first, *(place_top(netlist, board, chip, clock=clock, seed=seed) for seed in seeds[1:]))
    target.pack(first, folder=folder)
    return Measured(
        clock=clock,
        first=first,
        fmax=tuple(run.fmax or 0.0 for run in runs),
        holds=sum(_holds(run) for run in runs),
    )


def _holds(run: Implementation) -> int:
    ends = _HOLD.findall(run.log.read_text(encoding="utf-8"))
    return sum(not (run.device.family == "gowin" and pin.startswith("ADB")) for pin in ends)


@click.command()
@click.argument("names", nargs=-1, metavar="[BOARD]...")
@click.option("--seeds", default="1-5", show_default=True, metavar="N-M")
@click.option("--student", type=click.Path(path_type=Path, exists=True), default=STUDENT)
def main(names: tuple[str, ...], seeds: str, student: Path) -> None:
    """Measure the boards NAMES, or all."""
    table = Table("board", "clock", "logic", "block RAM", "Fmax by seed", "median", "margin", "hold")
    missed = []
    for name in names or tuple(BOARDS):
        try:
            found = measure(find_board(name), student, parse_seeds(seeds))
        except SnncError as error:
            click.echo(f"{name}: {error}")
            missed.append(name)
            continue
        if found.median < found.clock.hz / 1e6 * MARGIN:
            missed.append(name)
        used = {item.name: f"{item.used:,} of {item.available:,} {item.name}" for item in found.first.resources}
        row = (
            name,
            f"{found.clock.hz / 1e6:g} MHz, {found.clock.source}",
            used[found.first.device.logic_name],
            used[found.first.device.block_ram_name],
            ", ".join(f"{value:.1f}" for value in found.fmax),
            f"{found.median:.1f} MHz",
            f"{found.margin:.0%}",
            str(found.holds) if found.holds else "met",
        )
        click.echo(" | ".join(row))
        table.add_row(*row)
    Console().print(table)
    if missed:
        sys.exit(f"Not met, or not made: {', '.join(missed)}.")


if __name__ == "__main__":
    main()
