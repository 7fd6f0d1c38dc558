"""A board's top around a build's core: its clock, its Verilog, its pins, placed and routed; and what came of it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from snnc.compiler.backend.verilog import write_verilog
from snnc.compiler.boards import Board, find_board
from snnc.compiler.boards.clocks import Clock, fastest_clock, oscillator
from snnc.compiler.build.folder import LOAD_IMAGE, Build
from snnc.compiler.build.results import RESULT
from snnc.compiler.errors import BuildError, FitError
from snnc.compiler.plan import LOAD_BITS
from snnc.compiler.targets import Device, Implementation, Pin, load_target
from snnc.rtl.tops import PROTOCOLS, UART, Top

__all__ = [
    "FOLDER",
    "MARGIN",
    "WEIGHTS",
    "board_pins",
    "board_result",
    "board_top",
    "choose_clock",
    "flash_load",
    "model_name",
    "place_top",
    "room_for_the_top",
    "synthesise_top",
    "top_for",
]

FOLDER: Final = "board"
WEIGHTS: Final = "weights.bin"
"""What of a build goes into a board's flash beside the bitstream, in `FOLDER`."""

_PINS: Final = "pins"

_NAME_LETTERS: Final = 64

MARGIN: Final = 1.1
"""What the routed design must reach, in terms of the clock that the top runs at."""

_TRIES: Final = 3
"""At faster clocks than the oscillator's."""

_WORTHWHILE: Final = 1.2
"""A PLL's clock, in terms of the oscillator's; below, the latter it is."""

TOP_BLOCKS: Final = 1
_TOP_CELLS: Final = 1100
"""Block RAMs and iCE40 logic cells of the serial line's top, measured; the compiler leaves them free."""


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
    reserve = load_target(board.target).reserve
    tried, reached = clock, placed.fmax or 0.0
    for _ in range(_TRIES):
        limit = reached * 1e6 / MARGIN * reserve
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
    build: Build,
    board: Board,
    chip: Device,
    folder: Path,
    *,
    clock: Clock,
    top: Top = UART,
    timeout: float | None = None,
) -> Path:
    """The netlist of a board's top around a build's core; the top itself and the board's pins are written beside it."""
    target = load_target(board.target)
    text = folder / top.file
    text.write_text(top_for(build, board, clock, top), encoding="utf-8")
    if (load := flash_load(build, board)) is not None:
        (folder / WEIGHTS).write_bytes(load)
    pins = folder / f"{_PINS}.{target.pins_suffix}"
    pins.write_text(target.constraints(board_pins(board, flash=load is not None)), encoding="utf-8")
    synthesis = target.synthesise(
        [*build.core_verilog, text], top=top.module, device=chip, folder=folder, base=build.path, timeout=timeout
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


def top_for(build: Build, board: Board, clock: Clock, top: Top = UART) -> str:
    """Verilog of a board's top around a build's core, at a clock of `board_clocks`."""
    # Amaranth is not needed for anything before this.
    from snnc.rtl.emit import emit_top
    from snnc.rtl.tops.board import Settings, with_buffer
    from snnc.rtl.tops.flash import Load

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
        model=model_name(build),
    )
    return with_buffer(write_verilog({top.name: emit_top(build.plan, top, settings)})[top.name])


def model_name(build: Build) -> str:
    """What people call a build's network: the name of the file that it was compiled from, and letters that any line
    and any file may have.
    """
    name = Path(str(build.manifest.get("source", ""))).stem
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)[:_NAME_LETTERS] or "model"


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
        board_top(facts)
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


def board_top(facts: Mapping[str, Any]) -> Top:
    """The top that `board_result` is of."""
    return PROTOCOLS[facts.get("protocol", "frames")]  # not said by builds that knew no other


def _meets(clock: Clock, placed: Implementation) -> bool:
    return (placed.fmax or 0.0) * 1e6 >= clock.hz * MARGIN


def _check_clock(board: Board, clock: Clock, placed: Implementation) -> None:
    if not _meets(clock, placed):
        raise FitError(
            f"The design reaches {placed.fmax or 0.0:.1f} MHz on {board.title}, whose clock of {clock.hz / 1e6:g} MHz "
            f"from {clock.source} needs {clock.hz * MARGIN / 1e6:.1f} MHz (a margin of {MARGIN - 1:.0%}).",
            "Try another --seed, a slower --clock where a PLL makes it, or a smaller network.",
        )
