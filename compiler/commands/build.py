"""`snnc build`: from a student to a bitstream for a board, in one go."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any, Final

import click

from snnc.compiler.backend.verilog import write_verilog
from snnc.compiler.boards import BOARDS, Board, find_board
from snnc.compiler.build.folder import Build, check_output, using_build, write_build
from snnc.compiler.build.report import Section
from snnc.compiler.build.results import RESULT, results_folder, write_result
from snnc.compiler.commands.console import progress_bar
from snnc.compiler.design import Engines, Options
from snnc.compiler.errors import BuildError, FitError
from snnc.compiler.pipeline import compile_network
from snnc.compiler.targets import Device, Implementation, Pin, load_target
from snnc.rtl.tops import UART

__all__ = [
    "FOLDER",
    "MARGIN",
    "TOP_BLOCKS",
    "board_pins",
    "board_result",
    "build_command",
    "place_top",
    "room_for_the_top",
    "synthesise_top",
    "top_for",
]

FOLDER: Final = "board"
_SECTION: Final = "Board"
_PINS: Final = "pins"

MARGIN: Final = 1.1
"""What the routed design must reach, in terms of the board's clock."""

TOP_BLOCKS: Final = 1
_TOP_CELLS: Final = 1100
"""Block RAMs and iCE40 logic cells of the serial line's top, measured; the compiler leaves them free."""


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
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the placement.")
@click.option("--timeout", type=click.FloatRange(1), metavar="SECONDS", help="For each tool.")
def build_command(
    student: Path,
    name: str,
    device: str | None,
    output: Path | None,
    engines: str,
    seed: int,
    timeout: float | None,
) -> None:
    """Compile STUDENT for a board: network, top, pins and bitstream."""
    board = find_board(name)
    chip = board.device(device)
    path = Path("build") / student.stem if output is None else output
    check_output(path)
    with progress_bar() as bar:
        task = bar.add_task("compiling", total=4)
        design = compile_network(student, room_for_the_top(chip), Options(engines=Engines(engines)))
        write_build(path, design.files, source=str(student))
        with using_build(path) as build, results_folder(build, FOLDER, section=_SECTION) as folder:
            bar.update(task, advance=1, description="synthesis")
            netlist = synthesise_top(build, board, chip, folder, timeout=timeout)
            bar.update(task, advance=1, description="placing and routing")
            placed = place_top(netlist, board, chip, seed=seed, timeout=timeout)
            _check_clock(board, placed)
            bar.update(task, advance=1, description="packing")
            packed = load_target(board.target).pack(placed, folder=folder, timeout=timeout)
            section = _section(build, board, packed)
            write_result(build, folder, section)
    click.echo(section.summary.replace("`", ""))
    for heading, value in section.rows:
        click.echo(f"  {heading:<14} {value.replace('`', '')}")
    if board.note:
        click.echo(board.note)
    click.echo(f"Next: snnc run {path} --simulate --check, snnc flash {path}.")


def room_for_the_top(device: Device) -> Device:
    """The device as the network may fill it."""
    return dataclasses.replace(
        device,
        block_rams=device.block_rams - TOP_BLOCKS,
        logic_cells=device.logic_cells - round(_TOP_CELLS * device.logic_scale),
    )


def synthesise_top(build: Build, board: Board, chip: Device, folder: Path, *, timeout: float | None = None) -> Path:
    """The netlist of a board's top around a build's core; the top itself and the board's pins are written beside it."""
    target = load_target(board.target)
    top = folder / UART.file
    top.write_text(top_for(build, board), encoding="utf-8")
    pins = folder / f"{_PINS}.{target.pins_suffix}"
    pins.write_text(target.constraints(board_pins(board)), encoding="utf-8")
    sources = [*build.core_verilog, top]
    synthesis = target.synthesise(
        sources, top=UART.module, device=chip, folder=folder, base=build.path, timeout=timeout
    )
    return synthesis.netlist


def place_top(
    netlist: Path, board: Board, chip: Device, *, seed: int = 1, timeout: float | None = None
) -> Implementation:
    """Place and route the netlist of a board's top, with the board's pins, for its clock and the margin."""
    target = load_target(board.target)
    return target.place_and_route(
        netlist,
        device=chip,
        folder=netlist.parent,
        package=board.package,
        pins=netlist.with_name(f"{_PINS}.{target.pins_suffix}"),
        seed=seed,
        mhz=board.clock_hz * MARGIN / 1e6,
        keep_routed=True,
        timeout=timeout,
    )


def top_for(build: Build, board: Board) -> str:
    """Verilog of a board's top around a build's core."""
    # Amaranth is not needed for anything before this.
    from snnc.rtl.emit import emit_top
    from snnc.rtl.tops.uart.top import Settings

    lights = [light.low for light in (board.life, board.activity) if light]
    settings = Settings(
        board=board.name,
        clock_hz=board.clock_hz,
        baud=board.baud,
        lights_low=tuple(lights),
        held=len(board.held),
    )
    return write_verilog({UART.name: emit_top(build.plan, UART, settings)})[UART.name]


def board_pins(board: Board) -> tuple[Pin, ...]:
    """Where each port of the top is."""
    held = [held.pin for held in board.held]
    return (
        Pin(port="clk", location=board.clock_pin),
        Pin(port="rx", location=board.receive, pull_up=True),
        Pin(port="tx", location=board.transmit),
        Pin(port="life", location=board.life.pin),
        *([Pin(port="activity", location=board.activity.pin)] if board.activity else []),
        *(
            Pin(port="held" if len(held) == 1 else f"held[{k}]", location=pin, pull_up=True)
            for k, pin in enumerate(held)
        ),
    )


def board_result(build: Build) -> dict[str, Any]:
    """What `snnc build` left in a build.

    Raises
    ------
    BuildError
        It was not built for a board, or its bitstream is not the one that was made.
    """
    path = build.path / FOLDER / RESULT
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        bitstream = build.path / facts["bitstream"]
        if not bitstream.resolve().is_relative_to(build.path.resolve()):
            raise ValueError(bitstream)
        digest = hashlib.sha256(bitstream.read_bytes()).hexdigest()
        same = (digest, build.model_hash) == (facts["sha256"], facts["model_hash"])
        find_board(facts["board"])
    except (OSError, ValueError, KeyError, TypeError):
        raise BuildError(
            f"'{build.path}' was built for no board: a bitstream of snnc synth has its pins where the tool put them, "
            "and must not be loaded. Build it with snnc build STUDENT --board NAME."
        ) from None
    if not same:
        raise BuildError(f"'{bitstream}' is not the bitstream that was made for this build; build it again.")
    return facts


def _check_clock(board: Board, placed: Implementation) -> None:
    wanted = board.clock_hz * MARGIN / 1e6
    if (placed.fmax or 0.0) < wanted:
        raise FitError(
            f"The design reaches {placed.fmax or 0.0:.1f} MHz on {board.title}, whose clock of "
            f"{board.clock_hz / 1e6:g} MHz needs {wanted:.1f} MHz (a margin of {MARGIN - 1:.0%}).",
            "Try another --seed, or a smaller network.",
        )


def _section(build: Build, board: Board, packed: Implementation) -> Section:
    assert packed.bitstream is not None
    assert packed.routed is not None
    bitstream = packed.bitstream.relative_to(build.path).as_posix()
    clock, reached = board.clock_hz / 1e6, packed.fmax or 0.0
    rows = [
        *((item.name, f"{item.used:,} of {item.available:,}") for item in packed.resources if item.used),
        ("clock", f"{clock:g} MHz; routed for {reached:.1f} MHz, a margin of {reached / clock - 1:.0%}"),
        ("serial line", f"{board.baud:,} baud, {board.bridge}"),
        ("bitstream", f"`{bitstream}` (seed {packed.seed}), pins of the board"),
    ]
    facts: dict[str, Any] = {
        "board": board.name,
        "device": packed.device.name,
        "package": packed.package.name,
        "model_hash": build.model_hash,
        "clock_hz": board.clock_hz,
        "baud": board.baud,
        "fmax_mhz": round(reached, 3),
        "seed": packed.seed,
        "resources": {item.name: {"used": item.used, "available": item.available} for item in packed.resources},
        "routed": packed.routed.relative_to(build.path).as_posix(),
        "bitstream": bitstream,
        "sha256": hashlib.sha256(packed.bitstream.read_bytes()).hexdigest(),
    }
    summary = f"Built for {board.title} ({packed.device.title})."
    return Section(title=_SECTION, summary=summary, rows=rows, facts=facts)
