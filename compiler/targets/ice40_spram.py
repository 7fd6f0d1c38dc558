"""The SPRAM of an iCE40 UltraPlus in a bitstream, which icebox_vlog leaves out of the Verilog that it writes.

Two blocks stand in the lowest tiles of either side of the die. Which wire of which tile is which of their ports, and
which bit of a tile brings a block in, is what Project IceStorm found out (``spram_db`` in its ``icebox.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from snnc.compiler.targets.ice40_sides import COLUMNS, Nets, Tiles, instance, nets_at

__all__ = ["sprams"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """Where a block's ports are, on either side of the die.

    Attributes
    ----------
    enable
        The line of the configuration of the tile in row 1 whose bit in column 7 brings the block in.
    ports
        The wires of each port, from bit 0 on: the tile's row and the wire's name.
    """

    enable: int
    ports: Mapping[str, tuple[tuple[int, str], ...]]


def _inputs(row: int, number: int, *, count: int, first: int = 0) -> tuple[tuple[int, str], ...]:
    """The same input of successive cells of a tile, which these tiles have for a logic tile's look-up tables."""
    return tuple((row, f"lutff_{cell}/in_{number}") for cell in range(first, first + count))


def _outputs(*rows: int) -> tuple[tuple[int, str], ...]:
    return tuple((row, f"slf_op_{bit}") for row in rows for bit in range(8))


_ENABLE_COLUMN: Final = 7

_BLOCKS: Final = (
    _Block(
        enable=1,
        ports={
            "ADDRESS": (*_inputs(2, 1, count=8), *_inputs(2, 0, count=6)),
            "DATAIN": (*_inputs(1, 3, count=8), *_inputs(1, 1, count=8)),
            "MASKWREN": _inputs(3, 0, count=4),
            "WREN": _inputs(3, 1, count=1, first=4),
            "CHIPSELECT": _inputs(3, 1, count=1, first=6),
            "STANDBY": _inputs(4, 3, count=1),
            "SLEEP": _inputs(4, 3, count=1, first=2),
            "POWEROFF": _inputs(4, 3, count=1, first=4),
            "CLOCK": ((1, "clk"),),
            "DATAOUT": _outputs(1, 2),
        },
    ),
    _Block(
        enable=0,
        ports={
            "ADDRESS": (*_inputs(2, 0, count=2, first=6), *_inputs(3, 3, count=8), *_inputs(3, 1, count=4)),
            "DATAIN": (*_inputs(1, 0, count=8), *_inputs(2, 3, count=8)),
            "MASKWREN": _inputs(3, 0, count=4, first=4),
            "WREN": _inputs(3, 1, count=1, first=5),
            "CHIPSELECT": _inputs(3, 1, count=1, first=7),
            "STANDBY": _inputs(4, 3, count=1, first=1),
            "SLEEP": _inputs(4, 3, count=1, first=3),
            "POWEROFF": _inputs(4, 3, count=1, first=5),
            "CLOCK": ((2, "clk"),),
            "DATAOUT": _outputs(3, 4),
        },
    ),
)


def sprams(nets: Nets, tiles: Tiles) -> Iterator[str]:
    """The blocks that are in use, as ``SB_SPRAM256KA`` (`ice40_sides.with_blocks`)."""
    for column in COLUMNS:
        enabling = tiles.get((column, 1))
        for block in _BLOCKS:
            if enabling is None or enabling[block.enable][_ENABLE_COLUMN] == "0":
                continue
            ports = {port: nets_at(nets, column, 0, wires) for port, wires in block.ports.items()}
            yield instance("SB_SPRAM256KA", f"spram_{column}_{block.enable}", ports, outputs=("DATAOUT",))
