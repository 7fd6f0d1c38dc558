"""Training in Python: what ``snnc distill`` does."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import click

from snnc.compiler.errors import OptionError
from snnc.compiler.extras import needed
from snnc.network import Network, load

__all__ = ["train"]


def train(dataset: str = "digits", *, out: str | Path = "student.pt", **options: Any) -> Network:
    """Train a teacher, distil a student from it, and read the student back.

    It runs ``snnc distill`` in this process, so that both are one thing; what it says goes to stderr.

    Parameters
    ----------
    dataset
        By name, such as ``"digits"`` or ``"mnist"``.
    out
        Where the student is written.
    options
        Every option of ``snnc distill`` by its name with underscores: ``data="DIR"``, ``architecture="784-32-10"``,
        ``epochs=3``, ``loss="twkd"``, ``resume=True``.

    Raises
    ------
    MissingError
        torch is not installed.
    OptionError
        An option does not exist, or has a value that cannot be.
    TrainingError, DataError
        See `snnc.compiler.errors`.
    """
    with needed():
        from snnc.compiler.commands.distill import distill

        words = ["--dataset", dataset, "--output", str(out)]
        for name, value in options.items():
            option = "--" + name.replace("_", "-")
            if isinstance(value, bool):
                words += [option] if value else []
            else:
                repeated = value if isinstance(value, (list, tuple)) else [value]
                words += [word for one in repeated for word in (option, str(one))]
        try:
            with contextlib.redirect_stdout(sys.stderr):
                distill.main(words, prog_name="snnc.train", standalone_mode=False)
        except click.ClickException as error:
            raise OptionError(f"snnc.train: {error.format_message()}") from None
    return load(out)
