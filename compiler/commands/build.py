"""`snnc build`: from a student to a bitstream for a board, in one go."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import zlib
from pathlib import Path
from typing import Any, Final

import click

from snnc.compiler.boards import BOARDS, Board, find_board
from snnc.compiler.boards.clocks import Clock, board_clocks, fastest_clock, oscillator
from snnc.compiler.build.folder import Build, check_output, using_build, write_build
from snnc.compiler.build.report import Section
from snnc.compiler.build.results import results_folder, write_result
from snnc.compiler.commands.board_top import (
    FOLDER,
    WEIGHTS,
    choose_clock,
    flash_load,
    place_top,
    room_for_the_top,
    synthesise_top,
)
from snnc.compiler.commands.compile import parse_lanes
from snnc.compiler.commands.console import progress_bar
from snnc.compiler.design import Engines, Options
from snnc.compiler.errors import OptionError
from snnc.compiler.ir import Encoding
from snnc.compiler.pipeline import compile_network
from snnc.compiler.plan import Plan
from snnc.compiler.targets import Device, Implementation, load_target
from snnc.rtl.tops import MLPERF, PROTOCOLS, UART, Top

__all__ = ["build_command"]

_SECTION: Final = "Board"

_AUTO: Final = "auto"
_OSCILLATOR: Final = "oscillator"
"""What ``--clock`` takes beside a number."""

_PIXEL_BITS: Final = 8
"""Of a pixel at most, where a sample is bytes."""

_NEAR: Final = 1.1
"""A number of MHz that is asked for, in terms of the clock below it that can be made."""

_MHZ: Final = re.compile(r"\d{1,4}(\.\d{1,6})?")


@click.command("build")
@click.argument("student", type=click.Path(path_type=Path))
@click.option("--board", "name", required=True, metavar="NAME", help=f"{', '.join(BOARDS)}.")
@click.option("--device", help="Where the board comes with several.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Build folder; by default build/NAME.")
@click.option(
    "--engines",
    type=click.Choice([item.value for item in Engines]),
    default=Engines.AUTO.value,
    show_default=True,
    help="What computes convolutions of spikes, as of snnc compile.",
)
@click.option("--lanes", metavar="N,N", help="As of snnc compile.")
@click.option(
    "--clock",
    default=_AUTO,
    show_default=True,
    metavar="MHZ",
    help=f"Of the top, from the board's PLL; {_OSCILLATOR}, or the fastest that the routed design allows.",
)
@click.option(
    "--protocol",
    type=click.Choice(list(PROTOCOLS)),
    default="frames",
    show_default=True,
    help="What the serial line speaks: docs/link.md, docs/mlperf.md.",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the placement.")
@click.option("--timeout", type=click.FloatRange(1), metavar="SECONDS", help="For each tool.")
def build_command(
    student: Path,
    name: str,
    device: str | None,
    output: Path | None,
    engines: str,
    lanes: str | None,
    clock: str,
    protocol: str,
    seed: int,
    timeout: float | None,
) -> None:
    """Compile STUDENT for a board: network, top, pins and bitstream."""
    board, top = find_board(name), PROTOCOLS[protocol]
    if top.baud is not None:
        board = dataclasses.replace(board, baud=top.baud)
    chip = board.device(device)
    wanted = _wanted(clock, board, chip)
    chosen, column_banks = (None, None) if lanes is None else map(tuple, zip(*parse_lanes(lanes), strict=True))
    path = Path("build") / student.stem if output is None else output
    check_output(path)
    options = Options(engines=Engines(engines), lanes=chosen, column_banks=column_banks)
    with progress_bar() as bar:
        task = bar.add_task("compiling", total=3)
        design = compile_network(student, room_for_the_top(chip), options)
        _check_protocol(board, top, design.complete_plan)
        write_build(path, design.files, source=str(student))
        with using_build(path) as build, results_folder(build, FOLDER, section=_SECTION) as folder:
            bar.update(task, advance=1, description="synthesis, placing and routing")

            def run(clock: Clock) -> Implementation:
                netlist = synthesise_top(build, board, chip, folder, clock=clock, top=top, timeout=timeout)
                return place_top(netlist, board, chip, clock=clock, seed=seed, timeout=timeout)

            runs_at, placed = choose_clock(board, chip, wanted, run)
            bar.update(task, advance=1, description="packing")
            packed = load_target(board.target).pack(placed, folder=folder, timeout=timeout)
            section = _section(build, board, runs_at, packed, protocol)
            write_result(build, folder, section)
    click.echo(section.summary.replace("`", ""))
    for heading, value in section.rows:
        click.echo(f"  {heading:<14} {value.replace('`', '')}")
    if board.note:
        click.echo(board.note)
    click.echo(f"Next: snnc run {path} --simulate --check, snnc flash {path}.")


def _wanted(text: str, board: Board, chip: Device) -> Clock | None:
    """The clock that ``--clock`` means."""
    if text == _AUTO:
        return None
    if text == _OSCILLATOR:
        return oscillator(board)
    if not _MHZ.fullmatch(text):
        raise OptionError(f"--clock '{text}' is neither a number of MHz, nor {_OSCILLATOR}, nor {_AUTO}.")
    found = fastest_clock(board, chip, float(text) * 1e6)
    if found is None or found.hz < float(text) * 1e6 / _NEAR:
        known = [clock.hz / 1e6 for clock in board_clocks(board, chip)]
        raise OptionError(
            f"No clock of {board.title} is {text} MHz or a little less: "
            + (f"its PLL makes {len(known)} from {known[0]:g} to {known[-1]:g} MHz." if board.pll else "it has no PLL.")
        )
    return found


def _spoken(protocol: str) -> str:
    top = PROTOCOLS[protocol]
    return "" if top is UART else f", {top.title}"


def _check_protocol(board: Board, top: Top, plan: Plan) -> None:
    """Whether everything that a network needs can be said in a top's protocol."""
    if top is not MLPERF:
        return
    if plan.loaded and board.flash is None:
        raise OptionError(
            f"The network has weights in SPRAM, which MLPerf Tiny's commands cannot load, and {board.title} has no "
            "flash for them: choose another board, or a network whose weights fit block RAM."
        )
    if plan.input.encoding is Encoding.DIRECT and plan.input.value_bits > _PIXEL_BITS:
        raise OptionError(
            f"The network's pixels have {plan.input.value_bits} bits: a sample of MLPerf Tiny's commands is bytes."
        )


def _section(build: Build, board: Board, clock: Clock, packed: Implementation, protocol: str) -> Section:
    assert packed.bitstream is not None
    assert packed.routed is not None
    bitstream = packed.bitstream.relative_to(build.path).as_posix()
    mhz, reached = clock.hz / 1e6, packed.fmax or 0.0
    load, weights = flash_load(build, board), None
    if load is not None and board.flash is not None:
        weights = {
            "file": f"{FOLDER}/{WEIGHTS}",
            "offset": board.flash.offset,
            "sha256": hashlib.sha256(load).hexdigest(),
            "crc32": zlib.crc32(load),
        }
    rows = [
        *((item.name, f"{item.used:,} of {item.available:,}") for item in packed.resources if item.used),
        (
            "clock",
            f"{mhz:g} MHz from {clock.source}; routed for {reached:.1f} MHz, a margin of {reached / mhz - 1:.0%}",
        ),
        *([("weights", f"`{FOLDER}/{WEIGHTS}`, in the flash at {weights['offset']:#x}")] if weights else []),
        ("serial line", f"{board.baud:,} baud, {board.bridge}{_spoken(protocol)}"),
        ("bitstream", f"`{bitstream}` (seed {packed.seed}), pins of the board"),
    ]
    facts: dict[str, Any] = {
        "board": board.name,
        "device": packed.device.name,
        "package": packed.package.name,
        "model_hash": build.model_hash,
        "clock_hz": clock.hz,
        "pll": clock.pll and {"cell": clock.pll.cell, "parameters": dict(clock.pll.parameters)},
        "baud": board.baud,
        "protocol": protocol,
        "fmax_mhz": round(reached, 3),
        "seed": packed.seed,
        "resources": {item.name: {"used": item.used, "available": item.available} for item in packed.resources},
        "weights": weights,
        "routed": packed.routed.relative_to(build.path).as_posix(),
        "bitstream": bitstream,
        "sha256": hashlib.sha256(packed.bitstream.read_bytes()).hexdigest(),
    }
    summary = f"Built for {board.title} ({packed.device.title})."
    return Section(title=_SECTION, summary=summary, rows=rows, facts=facts)
