"""The options of commands that compile for a device, with what the table of families says of them.

The families are imported when their help is asked for, not when a command starts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from snnc.compiler.targets import TARGETS, load_target

__all__ = ["target_options"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


class _DeviceOption(click.Option):
    """Says the default device of every family."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        defaults = ", ".join(f"{load_target(name).default_device} of {name}" for name in TARGETS)
        self.help = f"Chip of the family; by default {defaults}."
        return super().get_help_record(ctx)


def target_options(command: _Command) -> _Command:
    """Add ``--target`` and ``--device`` to a command."""
    device = click.option("--device", cls=_DeviceOption)
    target = click.option("--target", default="ice40", show_default=True, help=f"FPGA family: {', '.join(TARGETS)}.")
    return target(device(command))
