"""Block RAM in a Gowin bitstream: what it is set to, and what it holds.

Apycula's unpacker gives its place alone. Its shape is the one that Apycula's packer makes the very bits of that are
there, tried one by one; its contents lie in lines behind those of the tiles, 256 to a row of blocks, in the order that
the packer writes (``store_bsram_init_val``).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from snnc.compiler.errors import ToolError

__all__ = ["block_contents", "block_shape"]

_LINES: Final = 256
_TILES: Final = 3
_BITS: Final = 18
"""Of a word: two bytes, each with a ninth bit."""

_QUARTERS: Final = {0x30: 0xC0, 0x20: 0x40, 0x10: 0x80, 0x00: 0x00}
"""Which quarter of a block's lines has a word, by bits 4 and 5 of its address."""

_HALF_WIDTHS: Final = (1, 2, 4, 9, 18)
_WIDTHS: Final = (*_HALF_WIDTHS, 36)
_USUAL: Final = {"RESET_MODE": "ASYNC"}
"""As Yosys maps to it."""
_BOTH_SELECTED: Final = {"BLK_SEL_0": "000", "BLK_SEL_1": "000"}


def _shapes() -> Iterator[tuple[str, Mapping[str, str], bool]]:
    """Kinds and parameters, and whether byte enables are constant: all that Yosys's mapping comes to here.

    That is one port of both halves of a block, which is only read, a port that writes and one that reads, of which one
    takes both halves, and two ports of a half each; a single one of these is the same to the chip, and so is the first
    with byte enables.
    """
    for mode in range(3):
        yield "SP", {"BIT_WIDTH": f"{36:b}", "WRITE_MODE": f"{mode:02b}", "BLK_SEL": "000", **_USUAL}, True
    for first, second in itertools.product(_WIDTHS, _WIDTHS):
        if max(first, second) <= _HALF_WIDTHS[-1]:
            continue  # the bits of two ports
        widths = {"BIT_WIDTH_0": f"{first:b}", "BIT_WIDTH_1": f"{second:b}"}
        yield "SDP", {**widths, **_BOTH_SELECTED, **_USUAL}, False
    for first, second, one, other in itertools.product(_HALF_WIDTHS, _HALF_WIDTHS, range(3), range(3)):
        widths = {"BIT_WIDTH_0": f"{first:b}", "BIT_WIDTH_1": f"{second:b}"}
        modes = {"WRITE_MODE0": f"{one:02b}", "WRITE_MODE1": f"{other:02b}"}
        yield "DP", {**widths, **modes, **_BOTH_SELECTED, **_USUAL}, False


def block_shape(db: Any, tiles: Mapping[tuple[int, int], Any], place: tuple[int, int]) -> tuple[str, Mapping[str, str]]:
    """Kind and parameters, as Verilog, of the block in a tile and the two to the right of it.

    Raises
    ------
    ToolError
        Its bits are none that the packer makes of a shape known here.
    """
    from apycula import chipdb, gowin_pack

    gowin_pack._gnd_net = ["0"]  # what its test for constants looks up
    found: dict[str, tuple[str, Mapping[str, str]]] = {}
    places = [(place[0], place[1] + offset) for offset in range(_TILES)]
    tables = [db.shortval[db[tile].ttyp] for tile in places]
    there = [
        {
            (row, column)
            for name, table in given.items()
            if name.startswith("BSRAM_")
            for bits in table.values()
            for row, column in bits
            if tiles[tile][row][column]
        }
        for tile, given in zip(places, tables, strict=True)
    ]
    for kind, parameters, constant in _shapes():
        nets = {f"AD{port}{bit}": ["0" if constant else 2] for port in ("", "A", "B") for bit in range(4)}
        attributes = gowin_pack.set_bsram_attrs(db, {"connections": nets}, kind, dict(parameters))
        if there == [chipdb.get_table_fuses(attributes, given[f"BSRAM_{kind}"]) for given in tables]:
            found[str((kind, parameters))] = (kind, parameters)
    if len(found) != 1:
        raise ToolError(
            f"The block RAM in row {place[0] + 1}, column {place[1] + 1} is set as none that is known here."
        )
    ((kind, parameters),) = found.values()
    return kind, {
        name: f"'b{value}" if set(value) <= {"0", "1"} else f'"{value}"' for name, value in parameters.items()
    }


def block_contents(db: Any, bitmap: Sequence[Sequence[int]], place: tuple[int, int]) -> Mapping[str, str]:
    """Contents of the block in a tile, as parameters of its cell: ``INIT_RAM_00`` to ``3F``, 32 bytes of nine bits."""
    top = db.height + sorted(db.simplio_rows).index(place[0]) * _LINES
    left = sum(db[0, column].width for column in range(place[1]))
    columns = db.rev_logicinfo("BSRAM_INIT")
    words = {}
    for number in range(0x40):
        bits = ""
        for word, bit in itertools.product(range(16), range(_BITS)):
            # Addresses count the sixteen bits of a word that are not the ninth of a byte.
            address = number * 256 + word * 16 + (min(bit, 7) if bit < 9 else min(bit, 16) - 1)
            line = _QUARTERS[address & 0x30] + (address >> 6 & 0x3F)
            column = columns[bit * 4 + (address >> 12)][0] - 1
            bits += str(int(bitmap[top + _LINES - 1 - line][left + column]))
        words[f"INIT_RAM_{number:02X}"] = f"288'h{int(bits[::-1], 2):072x}"
    return words
