"""The multipliers of an iCE40 UltraPlus in a bitstream, which icebox_vlog leaves out of the Verilog that it writes.

Four blocks stand at either side of the die, each in four tiles above each other. Which wire of which tile is which of
their ports, and which bit of which tile is which of their parameters, is what Project IceStorm found out
(``get_dsp_nets_db`` and ``dsp_config_db`` in its ``icebox.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from snnc.compiler.targets.ice40_sides import COLUMNS, Nets, Tiles, instance, nets_at

__all__ = ["multipliers"]

_ROWS: Final = (5, 10, 15, 23)
"""Of the lowest tile of each block."""

_PORTS: Final[Mapping[str, tuple[tuple[int, str], ...]]] = {
    "CLK": ((2, "lutff_global/clk"),),
    "CE": ((2, "lutff_global/cen"),),
    "IRSTTOP": ((1, "lutff_global/s_r"),),
    "IRSTBOT": ((0, "lutff_global/s_r"),),
    "ORSTTOP": ((3, "lutff_global/s_r"),),
    "ORSTBOT": ((2, "lutff_global/s_r"),),
    "AHOLD": ((2, "lutff_0/in_0"),),
    "BHOLD": ((1, "lutff_0/in_0"),),
    "CHOLD": ((3, "lutff_0/in_0"),),
    "DHOLD": ((0, "lutff_0/in_0"),),
    "OHOLDTOP": ((3, "lutff_1/in_0"),),
    "OHOLDBOT": ((0, "lutff_1/in_0"),),
    "ADDSUBTOP": ((3, "lutff_3/in_0"),),
    "ADDSUBBOT": ((0, "lutff_3/in_0"),),
    "OLOADTOP": ((3, "lutff_2/in_0"),),
    "OLOADBOT": ((0, "lutff_2/in_0"),),
    "CI": ((0, "lutff_4/in_0"),),
    **{
        port: tuple((row, f"lutff_{bit % 8}/in_{3 if bit < 8 else 1}") for bit in range(16))
        for port, row in (("A", 2), ("B", 1), ("C", 3), ("D", 0))
    },
    "O": tuple((bit // 8, f"mult/O_{bit}") for bit in range(32)),
}
"""The wires of each port, from bit 0 on: the row, counted from the lowest tile, and the wire's name."""

_LEVELS: Final = {"CE": "1'b1"}
"""Of inputs without a wire; those of the others are 0."""

_BITS: Final = (1, 0, 3, 2, 5, 4, 7, 6)
"""The line of a tile's configuration in which each of its eight bits is, in column 7."""

_PARAMETERS: Final[Mapping[str, tuple[tuple[int, int], ...]]] = {
    "C_REG": ((0, 0),),
    "A_REG": ((0, 1),),
    "B_REG": ((0, 2),),
    "D_REG": ((0, 3),),
    "TOP_8x8_MULT_REG": ((0, 4),),
    "BOT_8x8_MULT_REG": ((0, 5),),
    "PIPELINE_16x16_MULT_REG1": ((0, 6),),
    "PIPELINE_16x16_MULT_REG2": ((0, 7),),
    "TOPOUTPUT_SELECT": ((1, 0), (1, 1)),
    "TOPADDSUB_LOWERINPUT": ((1, 2), (1, 3)),
    "TOPADDSUB_UPPERINPUT": ((1, 4),),
    "TOPADDSUB_CARRYSELECT": ((1, 5), (1, 6)),
    "BOTOUTPUT_SELECT": ((1, 7), (2, 0)),
    "BOTADDSUB_LOWERINPUT": ((2, 1), (2, 2)),
    "BOTADDSUB_UPPERINPUT": ((2, 3),),
    "BOTADDSUB_CARRYSELECT": ((2, 4), (2, 5)),
    "MODE_8x8": ((2, 6),),
    "A_SIGNED": ((2, 7),),
    "B_SIGNED": ((3, 0),),
}
"""The bits of each parameter, the lowest first: the row, counted from the lowest tile, and the number of its bit."""

_ELSEWHERE: Final = {
    (0, 15): {
        "TOPOUTPUT_SELECT": ((1, 0), (4, 3)),
        "TOPADDSUB_LOWERINPUT": ((4, 4), (4, 5)),
        "TOPADDSUB_UPPERINPUT": ((4, 6),),
        "TOPADDSUB_CARRYSELECT": ((4, 7), (1, 6)),
    }
}
"""The same of a block, by its column and row, that has them in other places."""


def multipliers(nets: Nets, tiles: Tiles) -> Iterator[str]:
    """The blocks whose results lead somewhere, as ``SB_MAC16`` (`ice40_sides.with_blocks`)."""
    for column in COLUMNS:
        for lowest in _ROWS:
            ports = {port: nets_at(nets, column, lowest, wires, _LEVELS.get(port)) for port, wires in _PORTS.items()}
            if not any(ports["O"]):
                continue
            places = {**_PARAMETERS, **_ELSEWHERE.get((column, lowest), {})}
            parameters = {
                name: f"{len(bits)}'b" + "".join(_bit(tiles, column, lowest + row, bit) for row, bit in reversed(bits))
                for name, bits in places.items()
            }
            yield instance("SB_MAC16", f"multiplier_{column}_{lowest}", ports, outputs=("O",), parameters=parameters)


def _bit(tiles: Tiles, column: int, row: int, bit: int) -> str:
    """Of a tile that icepack leaves out where it is empty."""
    lines = tiles.get((column, row))
    return "0" if lines is None else lines[_BITS[bit]][7]
