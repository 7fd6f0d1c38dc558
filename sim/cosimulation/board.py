"""A board's whole top in Verilator, behind a pseudo-terminal: a host cannot tell it from a board."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pty
import re
import subprocess
import tempfile
import tty
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from snnc.compiler.errors import ToolError
from snnc.compiler.tools import VERILATOR, run_tool, tool_versions
from snnc.compiler.tools.cache import cache_folder
from snnc.rtl.tops import UART, Top
from snnc.sim.cosimulation.simulator import store

__all__ = ["bad_start", "board_executable", "simulated_board"]

_DRIVER: Final = Path(__file__).with_suffix(".cpp")
_WAIVERS: Final = Path(__file__).parent / "verilator.vlt"
_PROGRAM: Final = "board"
_ARGUMENTS: Final = (
    *("--cc", "--exe", "--build", "-O3", "--x-initial", "unique", "--prefix", "Vtop", "-o", _PROGRAM),
    *("-Wno-fatal", "--Mdir", "objects", "--timescale", "1ps/1ps"),
)
# Only a PLL has a time of its own. The wheel does not know how to ask the compiler for coroutines.
_TIMED: Final = ("--timing", "-CFLAGS", "-std=c++20 -fcoroutines")
# The wheel was configured without a compiler at hand: see snnc.sim.cosimulation.simulator.
_MAKE_FLAGS: Final = {True: "VM_PARALLEL_BUILDS=0 OPT_FAST=-O2", False: "VM_PARALLEL_BUILDS=0 OPT_FAST=-O0"}
"""By whether the simulation is optimised."""


_FLASH: Final = "flash_select"
"""A port of a top that has a flash."""


def board_executable(
    sources: Sequence[Path], *, late: int = 0, optimised: bool = True, top: Top = UART, driver: Path = _DRIVER
) -> Path:
    """Compile a board's top, or find it in the cache.

    Parameters
    ----------
    sources
        Verilog of the top, the core and its primitives; and of a PLL that the top has (`Target.pll_models`).
    late
        Make the start as bad as it can be: read-only memories give 0 for so many cycles, and every register of the
        core starts at random, those with a reset value too.
    optimised
        Worth it for many samples: of a netlist of thousands of cells it takes minutes.
    top, driver
        The module, and the program in C++ that has its clock and its line.
    """
    texts = {path.name: path.read_text(encoding="utf-8") for path in sources}
    if late:
        texts = {name: bad_start(name, text, late) for name, text in texts.items()}
    program = driver.read_text(encoding="utf-8")
    timed = any("snnc_pll #(" in text for text in texts.values())
    memory = ("-CFLAGS", "-DSNNC_FLASH") if any(_FLASH in text for text in texts.values()) else ()
    arguments = [
        *_ARGUMENTS,
        "--top-module",
        top.module,
        *memory,
        *(_TIMED if timed else ()),
        "-MAKEFLAGS",
        _MAKE_FLAGS[optimised],
    ]
    key = hashlib.sha256()
    for part in (*texts.values(), program, *arguments, *tool_versions([VERILATOR]).values()):
        key.update(part.encode() + b"\0")
    folder = cache_folder() / "simulation" / key.hexdigest()[:32]
    if (folder / _PROGRAM).exists():
        return folder / _PROGRAM
    with tempfile.TemporaryDirectory(prefix="snnc-") as name:
        work = Path(name)
        for file, text in texts.items():
            (work / file).write_text(text, encoding="utf-8")
        (work / _WAIVERS.name).write_text(_WAIVERS.read_text(encoding="utf-8"), encoding="utf-8")
        (work / driver.name).write_text(program, encoding="utf-8")
        made = work / "objects" / _PROGRAM
        arguments += [_WAIVERS.name, *texts, driver.name]
        run_tool(VERILATOR, arguments, cwd=work, log=cache_folder() / "logs" / "board.log", produces=[made])
        store([made], folder)
    return folder / _PROGRAM


@contextlib.contextmanager
def simulated_board(
    executable: Path,
    *,
    cwd: Path,
    clock_hz: int,
    baud: int,
    flash: tuple[Path, int] | None = None,
    seed: int = 1,
) -> Iterator[str]:
    """Run it in a build's folder; gives the path of its serial port.

    Parameters
    ----------
    clock_hz, baud
        Of the board's oscillator, whatever its top makes of it, and of its serial line.
    flash
        A file that is in its flash, and from which byte on; the rest is erased. Only where the top has a flash.

    Raises
    ------
    ToolError
        It cannot be started.
    """
    master, slave = pty.openpty()
    tty.setraw(slave)
    times = [str(round(1e12 / hz)) for hz in (2 * clock_hz, baud)]
    held = [str(flash[0].resolve()), str(flash[1])] if flash else []
    command = [str(executable), *times, str(master), *held, "+verilator+rand+reset+2", f"+verilator+seed+{seed}"]
    try:
        process = subprocess.Popen(command, cwd=cwd, pass_fds=[master], stdin=subprocess.DEVNULL)
    except OSError as error:
        raise ToolError(f"The simulated board cannot be started: {error.strerror}.") from None
    try:
        yield os.ttyname(slave)
    finally:
        process.kill()
        process.wait()
        os.close(master)
        os.close(slave)


def bad_start(name: str, text: str, late: int) -> str:
    """A file of a build as it is right after configuration, at its worst: see `board_executable`."""
    if name == "primitives.v":
        age = f"    integer age = 0;\n    always @(posedge clk) if (age < {late}) age <= age + 1;\n"
        text, count = re.subn(
            r"^    always @\(posedge clk\) data <= memory\[address\];\n",
            age + f"    always @(posedge clk) data <= age < {late} ? 0 : memory[address];\n",
            text,
            flags=re.MULTILINE,
        )
        if not count:
            raise ValueError("No read-only memory was found in primitives.v")
    if name == "core.v":
        text = re.sub(r"^(\s*reg (?:\[[^\]]*\] )?[^=;\n]+) = [^;\n]+;$", r"\1;", text, flags=re.MULTILINE)
    return text
