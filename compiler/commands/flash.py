"""`snnc flash`: a build's bitstream onto its board."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click

from snnc.compiler.boards import find_board
from snnc.compiler.build.folder import Build, using_build
from snnc.compiler.build.results import RESULT
from snnc.compiler.commands.build import FOLDER
from snnc.compiler.errors import BuildError, ToolError

__all__ = ["board_result", "flash_command"]


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


def _verified(build: Build) -> str:
    done = (build.path / "verify" / RESULT).exists()
    return "Verified against the golden model in simulation." if done else "Not verified yet: snnc verify."
