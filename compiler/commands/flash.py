"""`snnc flash`: a build's bitstream onto its board."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import click

from snnc.compiler.boards import find_board
from snnc.compiler.build.folder import Build, using_build
from snnc.compiler.commands.build import board_result
from snnc.compiler.commands.levels import verdicts
from snnc.compiler.errors import ToolError

__all__ = ["flash_command"]


@click.command("flash")
@click.argument("build", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show the command line, and run nothing.")
def flash_command(build: Path, dry_run: bool) -> None:
    """Write the bitstream of BUILD to its board, where it survives a power cycle."""
    with using_build(build) as opened:
        facts = board_result(opened)
        board = find_board(facts["board"])
        bitstream = opened.path / facts["bitstream"]
        command = [*board.loader, str(bitstream)]
        for line in (
            f"{board.title}: {bitstream.name}, SHA-256 {facts['sha256'][:16]}.",
            _verified(opened),
            board.note,
        ):
            if line:
                click.echo(line)
        click.echo(shlex.join(command))
        if dry_run:
            return
        if shutil.which(command[0]) is None:
            raise ToolError(f"{command[0]}, which writes to {board.title}, is not installed: install it first.")
        if subprocess.run(command, check=False).returncode != 0:
            raise ToolError(f"{command[0]} failed; what it says is above. Is the board plugged in, and may you use it?")


def _verified(build: Build) -> str:
    """Down to what the build is known to equal its golden model."""
    found = [f"{level.called} ({samples:,} samples)" for level, samples in verdicts(build)]
    if not found:
        return "Not verified yet: snnc verify."
    return f"Equal to the golden model in simulation: {', '.join(found)}."
