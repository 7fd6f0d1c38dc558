"""`snnc flash`: a build's bitstream onto its board."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import click

from snnc.compiler.boards import find_board
from snnc.compiler.build.folder import Build, using_build
from snnc.compiler.commands.board_top import FOLDER, WEIGHTS, board_result
from snnc.compiler.commands.levels import verdicts
from snnc.compiler.errors import ToolError

__all__ = ["flash_command"]


@click.command("flash")
@click.argument("build", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show the command line, and run nothing.")
def flash_command(build: Path, dry_run: bool) -> None:
    """Write BUILD, bitstream and weights, to its board, where it survives a power cycle."""
    with using_build(build) as opened:
        facts = board_result(opened)
        board = find_board(facts["board"])
        bitstream = opened.path / facts["bitstream"]
        commands = [[*board.loader, str(bitstream)]]
        if facts.get("weights") and board.flash is not None:
            place = (board.flash.option, str(facts["weights"]["offset"]))
            # The bitstream last: a board that starts from a new one finds the weights that it is for.
            commands.insert(0, [*board.loader, *place, str(opened.path / FOLDER / WEIGHTS)])
        for line in (
            f"{board.title}: {bitstream.name}, SHA-256 {facts['sha256'][:16]}.",
            _verified(opened),
            board.note,
        ):
            if line:
                click.echo(line)
        for command in commands:
            click.echo(shlex.join(command))
        if dry_run:
            return
        program = board.loader[0]
        if shutil.which(program) is None:
            raise ToolError(f"{program}, which writes to {board.title}, is not installed: install it first.")
        for command in commands:
            if subprocess.run(command, check=False).returncode != 0:
                raise ToolError(
                    f"{program} failed; what it says is above. Is the board plugged in, and may you use it?"
                )


def _verified(build: Build) -> str:
    """Down to what the build is known to equal its golden model."""
    found = [f"{level.called} ({samples:,} samples)" for level, samples in verdicts(build)]
    if not found:
        return "Not verified yet: snnc verify."
    return f"Equal to the golden model in simulation: {', '.join(found)}."
