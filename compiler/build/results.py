"""What a command leaves in a build: its own folder, ``result.json`` in it, and its section of the report.

A result stays until a whole new one takes its place. A command that is interrupted says nothing about the build, and
leaves the earlier result; one that fails does, and takes it back.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from snnc.compiler.build.folder import Build, replace_file
from snnc.compiler.build.locks import locked
from snnc.compiler.build.report import Section, update_report, withdraw_section
from snnc.compiler.errors import BuildError, SnncError

__all__ = ["RESULT", "RESULT_VERSION", "results_folder", "write_result"]

RESULT: Final = "result.json"

RESULT_VERSION: Final = 1
"""Of its layout: what it has beside ``version`` are the facts of the command's section of the report."""


@contextlib.contextmanager
def results_folder(build: Build, command: str, *, section: str) -> Iterator[Path]:
    """The folder of a command in a build, for this process alone.

    Parameters
    ----------
    command
        ``verify`` or ``synth``; the folder is called so.
    section
        Title of its section of the report.

    Raises
    ------
    BuildError
        It cannot be written, or another process is at work in it.
    """
    folder = build.path / command
    with contextlib.ExitStack() as held:
        try:
            folder.mkdir(exist_ok=True)
            held.enter_context(locked(folder))
        except BlockingIOError:
            raise BuildError(
                f"Another 'snnc {command}' is at work in '{build.path}'; wait until it ends, or compile into another "
                "folder with -o."
            ) from None
        except OSError as error:
            raise BuildError(f"'{folder}' cannot be written: {error.strerror or error}.") from None
        try:
            yield folder
        except SnncError:
            with contextlib.suppress(OSError, BuildError):  # what failed counts more
                (folder / RESULT).unlink(missing_ok=True)
                withdraw_section(build.path, section)
            raise


def write_result(build: Build, folder: Path, section: Section) -> None:
    """Write the result of a command into its folder and into the report.

    Raises
    ------
    BuildError
        It cannot be written, or the build is no longer the one that was opened.
    """
    build.check_unchanged()
    replace_file(folder / RESULT, json.dumps({"version": RESULT_VERSION, **section.facts}, indent=2) + "\n")
    update_report(build.path, section)
