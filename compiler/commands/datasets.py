"""The options ``--dataset`` and ``--data``, which several commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from snnc.distill.data import DATASETS, chosen

__all__ = ["DATASET_NAMES", "dataset_of", "dataset_options"]

_Command = TypeVar("_Command", bound=Callable[..., Any])

DATASET_NAMES = ", ".join(DATASETS)


def dataset_options(purpose: str) -> Callable[[_Command], _Command]:
    """The two options, for a command that says what it does with the data set and without one."""

    def add(command: _Command) -> _Command:
        data = click.option(
            "--data",
            type=click.Path(path_type=Path),
            help="Folder of the data set's files; or an .npz file of your own.",
        )
        name = click.option("--dataset", metavar="NAME", help=f"{purpose} One of {DATASET_NAMES}.")
        return name(data(command))

    return add


def dataset_of(dataset: str | None, data: Path | None) -> str | None:
    """The data set that the options name; None where they name none.

    Raises
    ------
    OptionError
        They name two.
    UsageError
        They name a folder, but not which of the data sets in it.
    """
    name = chosen(dataset, data)
    if data is not None and name is None:
        raise click.UsageError("--data needs --dataset: which of the data sets in that folder?")
    return name
