"""`snnc verify --level`: what the tools made of a build, held against the golden model, each in its own folder.

A verdict is ``BUILD/LEVEL/result.json``: which samples, which files by their SHA-256, which tools. It counts for as
long as those files are the ones that lie in the build (`verdicts`).
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from snnc.compiler.boards import find_board
from snnc.compiler.build.folder import LOAD_IMAGE, MODEL, Build
from snnc.compiler.build.report import Section
from snnc.compiler.build.results import RESULT, results_folder, write_result
from snnc.compiler.commands import board_top, synth
from snnc.compiler.commands import verify as verilog
from snnc.compiler.errors import BuildError
from snnc.compiler.targets import load_target
from snnc.compiler.tools import VERILATOR, YOSYS, tool_versions
from snnc.rtl.tops import SHELL
from snnc.sim.models import golden
from snnc.sim.trust.netlist import verify_netlist
from snnc.sim.trust.tops import verify_top

__all__ = ["Level", "check_level", "verdicts"]


class Level(enum.StrEnum):
    """How far down a build is held against the golden model."""

    RTL = "rtl"
    GATES = "gates"
    ROUTED = "routed"
    BITSTREAM = "bitstream"

    @property
    def called(self) -> str:
        return {
            Level.RTL: "Verilog",
            Level.GATES: "netlist of synthesis",
            Level.ROUTED: "routed netlist",
            Level.BITSTREAM: "bitstream",
        }[self]


def check_level(
    build: Build,
    level: Level,
    inputs: npt.NDArray[Any],
    *,
    time_steps: int,
    source: str,
    shell: bool = False,
    timeout: float | None = None,
) -> Mapping[str, Any]:
    """Hold what lies in the build at a level below the Verilog against the golden model, and write down the verdict.

    A build for a board is simulated whole, through its serial line. Where there is none, or with `shell`, the gates are
    those of the shell that `snnc synth` puts around the core.

    Raises
    ------
    BuildError
        There is nothing at that level: the build was not made for a board, or not synthesised.
    ToolError
        The level is not possible for the family, or a tool is missing or failed.
    VerificationError
        An answer differs.
    """
    board = not shell and (build.path / board_top.FOLDER / RESULT).exists()
    if not board and level is not Level.GATES:
        raise BuildError(
            f"'{build.path}' was built for no board, so that it has no {level.called} that would be loaded: build it "
            "with snnc build STUDENT --board NAME."
        )
    compared = _on_board(build, level) if board else build.path / synth.FOLDER / f"{synth.TOP}.json"
    if not compared.is_file():
        raise BuildError(f"'{build.path}' holds no {level.called}: make it with snnc {'build' if board else 'synth'}.")
    with results_folder(build, level.value, section=_section_title(level)) as folder:
        files = [compared, build.path / MODEL, *([build.path / LOAD_IMAGE] if build.plan.loaded else [])]
        digests = {file.relative_to(build.path).as_posix(): _digest(file) for file in files}
        samples = golden.sample_count(build.plan.input.encoding, inputs)
        made = board_top.board_result(build) if board else {}
        if board:
            netlist = _board_netlist(build, level, compared, folder, timeout)
            known, flash = find_board(made["board"]), None
            if made.get("weights"):
                flash = (build.path / board_top.FOLDER / board_top.WEIGHTS, made["weights"]["offset"])
            verify_top(
                build,
                netlist,
                inputs,
                time_steps=time_steps,
                clock_hz=known.clock_hz,
                baud=made["baud"],
                top=board_top.board_top(made),
                flash=flash,
            )
        else:
            netlist = load_target(build.plan.target).netlist_verilog(compared, folder=folder, timeout=timeout)
            verify_netlist(build, netlist, inputs, time_steps=time_steps)
        facts = {
            "level": level.value,
            "top": (board_top.board_top(made) if board else SHELL).module,
            "source": source,
            "time_steps": time_steps,
            "samples": samples,
            "logits": samples * build.plan.readout.neurons,
            "model_hash": build.model_hash,
            "compared": digests,
            "tools": tool_versions([*load_target(build.plan.target).tools, YOSYS, VERILATOR]),
        }
        summary = f"The {level.called} gives the golden model's classes and logits on {samples:,} samples ({source})."
        write_result(build, folder, Section(title=_section_title(level), summary=summary, rows=[], facts=facts))
    return facts


def verdicts(build: Build) -> Iterator[tuple[Level, int]]:
    """Levels and samples of the verdicts on what lies in the build now, and on no other file; none of the shell."""
    for level in Level:
        folder = verilog.FOLDER if level is Level.RTL else level.value
        try:
            facts = json.loads((build.path / folder / RESULT).read_text(encoding="utf-8"))
            compared = facts.get("compared", {})
            same = all(_digest(_inside(build, name)) == digest for name, digest in compared.items())
            if same and facts["model_hash"] == build.model_hash and facts.get("top") != SHELL.module:
                yield level, int(facts["samples"])
        except (BuildError, OSError, ValueError, KeyError, TypeError, AttributeError):
            continue


def _on_board(build: Build, level: Level) -> Path:
    made, folder = board_top.board_result(build), build.path / board_top.FOLDER
    match level:
        case Level.ROUTED:
            return _inside(build, made.get(level.value, "of a version that kept none"))
        case Level.BITSTREAM:
            return _inside(build, made[level.value])
        case _:
            return folder / f"{board_top.board_top(made).module}.json"


def _board_netlist(build: Build, level: Level, compared: Path, folder: Path, timeout: float | None) -> tuple[Path, ...]:
    facts = board_top.board_result(build)
    board = find_board(facts["board"])
    target, top = load_target(board.target), board_top.board_top(facts)
    match level:
        case Level.ROUTED:
            return target.routed_verilog(compared, top=top.module, folder=folder, timeout=timeout)
        case Level.BITSTREAM:
            return target.bitstream_verilog(
                compared,
                top=top.module,
                device=board.device(facts["device"]),
                package=board.package,
                pins=board_top.board_pins(board, flash=bool(facts.get("weights"))),
                folder=folder,
                timeout=timeout,
            )
        case _:
            return target.netlist_verilog(compared, folder=folder, timeout=timeout)


def _inside(build: Build, name: object) -> Path:
    path = build.path / str(name)
    if not path.resolve().is_relative_to(build.path.resolve()):
        raise BuildError(f"A result in '{build.path}' names '{name}', which is outside: build it again.")
    return path


def _section_title(level: Level) -> str:
    return f"Verification of the {level.called}"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
