"""Boards: a file with data each, and one line here."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from snnc.compiler.boards.base import Board, Flash, Held, Led
from snnc.compiler.errors import OptionError

__all__ = ["BOARDS", "Board", "Flash", "Held", "Led", "find_board"]

BOARDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "icebreaker": "snnc.compiler.boards.icebreaker",
        "icesugar": "snnc.compiler.boards.icesugar",
        "upduino3": "snnc.compiler.boards.upduino3",
        "hx8k-evn": "snnc.compiler.boards.hx8k_evn",
        "ulx3s": "snnc.compiler.boards.ulx3s",
        "colorlight-i5": "snnc.compiler.boards.colorlight_i5",
        "orangecrab": "snnc.compiler.boards.orangecrab",
        "tangnano9k": "snnc.compiler.boards.tangnano9k",
        "tangnano20k": "snnc.compiler.boards.tangnano20k",
        "gatemate-evb": "snnc.compiler.boards.gatemate_evb",
    }
)
"""The module of each board, which defines BOARD. Imported when asked for."""


def find_board(name: str) -> Board:
    """The board of that name.

    Raises
    ------
    OptionError
        There is none.
    """
    if name not in BOARDS:
        raise OptionError(f"There is no board {name!r}: the boards are {', '.join(BOARDS)}.")
    board: Board = importlib.import_module(BOARDS[name]).BOARD
    return board
