"""`snnc build`: from a student to a bitstream for a board, in one go."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from snnc.compiler.backend.verilog import write_verilog
from snnc.compiler.boards import BOARDS, Board, find_board
from snnc.compiler.boards.clocks import Clock, board_clocks, fastest_clock, oscillator
from snnc.compiler.build.folder import LOAD_IMAGE, Build, check_output, using_build, write_build
from snnc.compiler.build.report import Section
from snnc.compiler.build.results import RESULT, results_folder, write_result
from snnc.compiler.commands.compile import parse_lanes
from snnc.compiler.commands.console import progress_bar
from snnc.compiler.design import Engines, Options
from snnc.compiler.errors import BuildError, FitError, OptionError
from snnc.compiler.pipeline import compile_network
from snnc.compiler.plan import LOAD_BITS
from snnc.compiler.targets import Device, Implementation, Pin, load_target
from snnc.rtl.tops import UART

__all__ = [
    "AUTO",
    "FOLDER",
    "MARGIN",
    "OSCILLATOR",
    "TOP_BLOCKS",
    "WEIGHTS",
    "board_pins",
    "board_result",
    "build_command",
    "choose_clock",
    "flash_load",
    "place_top",
    "room_for_the_top",
    "synthesise_top",
    "top_for",
]

FOLDER: Final = "board"
WEIGHTS: Final = "weights.bin"
"""What of a build goes into a board's flash beside the bitstream, in `FOLDER`."""

_SECTION: Final = "Board"
_PINS: Final = "pins"

AUTO: Final = "auto"
OSCILLATOR: Final = "oscillator"
"""What ``--clock`` takes beside a number."""

MARGIN: Final = 1.1
"""What the routed design must reach, in terms of the clock that the top runs at."""

_RESERVE: Final = 0.95
"""Of what was reached at another clock is counted on."""

_TRIES: Final = 3
"""At faster clocks than the oscillator's."""

_WORTHWHILE: Final = 1.2
"""A PLL's clock, in terms of the oscillator's; below, the latter it is."""

_NEAR: Final = 1.1
"""A number of MHz that is asked for, in terms of the clock below it that can be made."""

_MHZ: Final = re.compile(r"\d{1,4}(\.\d{1,6})?")

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
@click.option("--lanes", metavar="N,N", help="As of snnc compile.")
@click.option(
    "--clock",
    default=AUTO,
    show_default=True,
    metavar="MHZ",
    help=f"Of the top, from the board's PLL; {OSCILLATOR}, or the fastest that the routed design allows.",
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
    seed: int,
    timeout: float | None,
) -> None:
    """Compile STUDENT for a board: network, top, pins and bitstream."""
    board = find_board(name)
    chip = board.device(device)
    wanted = _wanted(clock, board, chip)
    chosen, column_banks = (None, None) if lanes is None else map(tuple, zip(*parse_lanes(lanes), strict=True))
    path = Path("build") / student.stem if output is None else output
    check_output(path)
    options = Options(engines=Engines(engines), lanes=chosen, column_banks=column_banks)
    with progress_bar() as bar:
        task = bar.add_task("compiling", total=3)
        design = compile_network(student, room_for_the_top(chip), options)
        write_build(path, design.files, source=str(student))
        with using_build(path) as build, results_folder(build, FOLDER, section=_SECTION) as folder:
            bar.update(task, advance=1, description="synthesis, placing and routing")

            def run(clock: Clock) -> Implementation:
                netlist = synthesise_top(build, board, chip, folder, clock=clock, timeout=timeout)
                return place_top(netlist, board, chip, clock=clock, seed=seed, timeout=timeout)

            runs_at, placed = choose_clock(board, chip, wanted, run)
            bar.update(task, advance=1, description="packing")
            packed = load_target(board.target).pack(placed, folder=folder, timeout=timeout)
            section = _section(build, board, runs_at, packed)
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


def choose_clock(
    board: Board, chip: Device, wanted: Clock | None, run: Callable[[Clock], Implementation]
) -> tuple[Clock, Implementation]:
    """A clock that a board's top meets with the margin, and what was routed for it.

    Parameters
    ----------
    wanted
        The clock that was asked for; None for the fastest. That is looked for from what is routed at the oscillator's
        clock, with some reserve for a placement that turns out otherwise, and is the oscillator's where a PLL would
        gain little.
    run
        Synthesises, places and routes the top for a clock.

    Raises
    ------
    FitError
        The clock that was asked for, or the board's own, is not met with the margin.
    """
    clock = oscillator(board) if wanted is None else wanted
    placed = run(clock)
    _check_clock(board, clock, placed)
    if wanted is not None:
        return clock, placed
    tried, reached = clock, placed.fmax or 0.0
    for _ in range(_TRIES):
        limit = reached * 1e6 / MARGIN * _RESERVE
        faster = fastest_clock(board, chip, limit if tried is clock else min(limit, tried.hz - 1))
        if faster is None or faster.hz < clock.hz * _WORTHWHILE:
            break
        tried, again = faster, run(faster)
        reached = again.fmax or 0.0
        if _meets(faster, again):
            return faster, again
    # The files of another try are in the place of the oscillator's.
    return clock, placed if tried is clock else run(clock)


def synthesise_top(
    build: Build, board: Board, chip: Device, folder: Path, *, clock: Clock, timeout: float | None = None
) -> Path:
    """The netlist of a board's top around a build's core; the top itself and the board's pins are written beside it."""
    target = load_target(board.target)
    top = folder / UART.file
    top.write_text(top_for(build, board, clock), encoding="utf-8")
    if (load := flash_load(build, board)) is not None:
        (folder / WEIGHTS).write_bytes(load)
    pins = folder / f"{_PINS}.{target.pins_suffix}"
    pins.write_text(target.constraints(board_pins(board, flash=load is not None)), encoding="utf-8")
    sources = [*build.core_verilog, top]
    synthesis = target.synthesise(
        sources, top=UART.module, device=chip, folder=folder, base=build.path, timeout=timeout
    )
    return synthesis.netlist


def place_top(
    netlist: Path, board: Board, chip: Device, *, clock: Clock, seed: int = 1, timeout: float | None = None
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
        mhz=clock.hz * MARGIN / 1e6,
        keep_routed=True,
        timeout=timeout,
    )


def flash_load(build: Build, board: Board) -> bytes | None:
    """What a board's flash holds of a build's weights: the load, as its words lie in memory; None where nothing is."""
    if board.flash is None or not build.plan.loaded:
        return None
    words = (build.path / LOAD_IMAGE).read_text(encoding="utf-8").split()
    return b"".join(int(word, 16).to_bytes(LOAD_BITS // 8, "little") for word in words)


def top_for(build: Build, board: Board, clock: Clock) -> str:
    """Verilog of a board's top around a build's core, at a clock of `board_clocks`."""
    # Amaranth is not needed for anything before this.
    from snnc.rtl.emit import emit_top
    from snnc.rtl.tops.flash import Load
    from snnc.rtl.tops.uart.top import Settings, with_buffer

    load = flash_load(build, board)
    lights = [light.low for light in (board.life, board.activity) if light]
    settings = Settings(
        board=board.name,
        clock_hz=clock.hz,
        baud=board.baud,
        lights_low=tuple(lights),
        held=len(board.held),
        load=Load(offset=board.flash.offset, crc=zlib.crc32(load)) if board.flash and load else None,
        pll=clock.pll,
    )
    return with_buffer(write_verilog({UART.name: emit_top(build.plan, UART, settings)})[UART.name])


def board_pins(board: Board, *, flash: bool = False) -> tuple[Pin, ...]:
    """Where each port of the top is; with those of the flash where it has weights."""
    memory = board.flash if flash else None
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
        *(
            Pin(port=f"flash_{name}", location=getattr(memory, name))
            for name in ("select", "clock", "copi", "cipo")
            if memory
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
        if (weights := facts.get("weights")) is not None:
            data = (build.path / FOLDER / WEIGHTS).read_bytes()
            same &= hashlib.sha256(data).hexdigest() == weights["sha256"] and isinstance(weights["offset"], int)
        find_board(facts["board"])
    except (OSError, ValueError, KeyError, TypeError):
        raise BuildError(
            f"'{build.path}' was built for no board: a bitstream of snnc synth has its pins where the tool put them, "
            "and must not be loaded. Build it with snnc build STUDENT --board NAME."
        ) from None
    if not same:
        raise BuildError(
            f"'{bitstream}', or the weights beside it, is not what was made for this build; build it again."
        )
    return facts


def _wanted(text: str, board: Board, chip: Device) -> Clock | None:
    """The clock that ``--clock`` means."""
    if text == AUTO:
        return None
    if text == OSCILLATOR:
        return oscillator(board)
    if not _MHZ.fullmatch(text):
        raise OptionError(f"--clock '{text}' is neither a number of MHz, nor {OSCILLATOR}, nor {AUTO}.")
    found = fastest_clock(board, chip, float(text) * 1e6)
    if found is None or found.hz < float(text) * 1e6 / _NEAR:
        known = [clock.hz / 1e6 for clock in board_clocks(board, chip)]
        raise OptionError(
            f"No clock of {board.title} is {text} MHz or a little less: "
            + (f"its PLL makes {len(known)} from {known[0]:g} to {known[-1]:g} MHz." if board.pll else "it has no PLL.")
        )
    return found


def _meets(clock: Clock, placed: Implementation) -> bool:
    return (placed.fmax or 0.0) * 1e6 >= clock.hz * MARGIN


def _check_clock(board: Board, clock: Clock, placed: Implementation) -> None:
    if not _meets(clock, placed):
        raise FitError(
            f"The design reaches {placed.fmax or 0.0:.1f} MHz on {board.title}, whose clock of {clock.hz / 1e6:g} MHz "
            f"from {clock.source} needs {clock.hz * MARGIN / 1e6:.1f} MHz (a margin of {MARGIN - 1:.0%}).",
            "Try another --seed, a slower --clock where a PLL makes it, or a smaller network.",
        )


def _section(build: Build, board: Board, clock: Clock, packed: Implementation) -> Section:
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
        ("serial line", f"{board.baud:,} baud, {board.bridge}"),
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
