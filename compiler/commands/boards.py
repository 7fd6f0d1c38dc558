"""`snnc boards`: the boards, and what fits them."""

from __future__ import annotations

from pathlib import Path

import click
from rich import box
from rich.table import Table

from snnc.compiler.boards import BOARDS, Board, find_board
from snnc.compiler.commands.console import terminal
from snnc.compiler.design import Options
from snnc.compiler.lanes.fit import lacking
from snnc.compiler.passes.schedule import schedule
from snnc.compiler.pipeline import begin, passes_before, run_passes
from snnc.sim.models.timing.estimate import estimate, expected

__all__ = ["boards_command"]


@click.command("boards")
@click.argument("student", type=click.Path(path_type=Path), required=False)
def boards_command(student: Path | None) -> None:
    """List the boards that snnc knows; with STUDENT, what of it each one holds."""
    found = [find_board(name) for name in BOARDS]
    rows = {board.name: _what(board) for board in found} if student is None else _fits(student, found)
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True)
    for heading in ("board", "FPGA", "clock", "serial line", "" if student is None else student.name):
        table.add_column(heading)
    for board in found:
        table.add_row(
            board.name,
            ", ".join(board.devices),
            f"{board.clock_hz / 1e6:g} MHz",
            f"{board.baud:,} baud, {board.bridge}",
            rows[board.name],
        )
    terminal().print(table)


def _what(board: Board) -> str:
    return " ".join(filter(None, (board.title + ".", board.note)))


def _fits(student: Path, boards: list[Board]) -> dict[str, str]:
    """By board: the smallest of its devices that the network fits, or what the largest one lacks."""
    bounded = run_passes(begin(student, boards[0].device(), Options()), passes_before("schedule"))
    found = {}
    for board in boards:
        for name in board.devices:
            device = board.device(name)
            plan = schedule(bounded.on(device)).complete_plan
            problem = lacking(plan, device)
            if not problem:
                cycles = estimate(plan, expected(bounded.graph)).cycles
                microseconds = cycles / board.clock_hz * 1e6
                found[board.name] = f"fits {name}: about {cycles:,.0f} cycles, {microseconds:,.0f} us at its clock"
                break
            found[board.name] = f"needs {problem}"
    return found
