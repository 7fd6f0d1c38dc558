"""A Gowin bitstream taken apart: what outputs need is followed back, and block RAM is read as it was packed."""

from __future__ import annotations

import random
import re
from types import SimpleNamespace

import pytest

from snnc.compiler.errors import ToolError
from snnc.compiler.targets.gowin_blocks import block_contents, block_shape
from snnc.compiler.targets.gowin_tiles import Cell, Pad, _table
from snnc.compiler.targets.gowin_unpack import unpacked

PLACE = (9, 4)
PORTS = {"clk": "52", "tx": "17"}


def die(**changed):
    """tx is a flip-flop's, whose input is a table of itself and of an open wire; another table is of no use."""
    cells = {
        "Q0": Cell(
            kind="DFFE", name="ff", outputs={"Q": ("Q0",)}, inputs={"D": ("D0",), "CLK": ("C0",), "CE": ("CE0",)}
        ),
        "F0": Cell(
            kind="LUT4",
            name="table",
            outputs={"F": ("F0",)},
            inputs={"I0": ("A0",), "I1": ("B0",)},
            parameters={"INIT": "16'h6666"},
        ),
        "F1": Cell(kind="LUT4", name="unused", outputs={"F": ("F1",)}, inputs={"I0": ("A0",)}),
    }
    sources = {"PAD": "X0", "X0": "Q0", "D0": "F0", "C0": "SPINE", "SPINE": "IN", "A0": "Q0", "CE0": "VSS"}
    pads = {"52": Pad(is_input=True, wire="IN"), "17": Pad(is_input=False, wire="PAD")}
    return SimpleNamespace(cells=cells, sources=sources | changed, pads=pads)


def searched(pattern, text):
    found = re.search(pattern, text)
    assert found is not None, pattern
    return found


def test_what_the_outputs_need_is_followed_back():
    text = unpacked(die(), PORTS, top="top")
    assert text.startswith("module top (input clk, output tx);\n")
    assert "unused" not in text
    out = searched(r"assign tx = (\w+);", text)[1]
    flip_flop = searched(r"DFFE ff \(\.Q\((\w+)\), \.D\((\w+)\), \.CLK\((\w+)\), \.CE\((.*?)\)\);", text)
    assert (flip_flop[1], flip_flop[3], flip_flop[4]) == (out, "clk", "1'b0")
    table = searched(r"LUT4 #\(\.INIT\(16'h6666\)\) table \(\.F\((\w+)\), \.I0\((\w+)\), \.I1\((.*?)\)\);", text)
    assert (table[1], table[2], table[3]) == (flip_flop[2], out, "1'b1")
    assert sorted(re.findall(r"^wire (\w+);", text, re.MULTILINE)) == sorted({out, table[1]})


def test_wires_in_a_ring_are_one_sentence():
    with pytest.raises(ToolError, match="The wires in front of PAD are a ring"):
        unpacked(die(X0="PAD"), PORTS, top="top")


def test_set_bits_are_rows_with_0():
    assert _table(()) == 0xFFFF
    assert _table((0, 3, 15)) == 0x7FF6


@pytest.fixture(scope="module")
def database():
    chipdb = pytest.importorskip("apycula.chipdb")
    from importlib import resources

    with resources.as_file(resources.files("apycula") / "GW1N-9C.msgpack.xz") as path:
        return chipdb.load_chipdb(path)


def empty_tiles(db):
    return {
        (PLACE[0], PLACE[1] + k): [[0] * db[PLACE[0], PLACE[1] + k].width for _ in range(db[PLACE].height)]
        for k in range(3)
    }


@pytest.mark.heavy
@pytest.mark.parametrize("nine", [False, True])
def test_contents_are_those_that_were_packed(nine, database, monkeypatch):
    from apycula import gowin_pack

    generator = random.Random(1)
    bits = 288 if nine else 256
    words = {f"INIT_RAM_{k:02X}": f"{generator.getrandbits(bits):0{bits}b}" for k in range(0x40)}
    monkeypatch.setattr(gowin_pack, "bsram_init_map", None)
    monkeypatch.setattr(gowin_pack, "device", "GW1N-9C")
    gowin_pack.store_bsram_init_val(database, *PLACE, "SP", words, {"BSRAM_SUBTYPE": "X9" if nine else ""})
    bitmap = [*([0] * database.width for _ in range(database.height)), *gowin_pack.bsram_init_map]
    found = block_contents(database, bitmap, PLACE)
    for name, word in words.items():
        text = f"{int(found[name].partition('h')[2], 16):0288b}"
        given = text if nine else "".join(text[k + 1 : k + 9] for k in range(0, 288, 9))
        assert given == word


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("kind", "given", "wanted"),
    [
        ("SP", {"BIT_WIDTH": "100100", "WRITE_MODE": "10", "BLK_SEL": "000"}, {"BIT_WIDTH": "'b100100"}),
        *(
            (
                "SDP",
                {"BIT_WIDTH_0": f"{one:b}", "BIT_WIDTH_1": f"{other:b}", "BLK_SEL_0": "000", "BLK_SEL_1": "000"},
                {"BIT_WIDTH_0": f"'b{one:b}", "BIT_WIDTH_1": f"'b{other:b}"},
            )
            for one, other in ((36, 36), (9, 36), (36, 2))
        ),
        (
            "DP",
            {
                "BIT_WIDTH_0": "1001",
                "BIT_WIDTH_1": "10010",
                "WRITE_MODE0": "01",
                "WRITE_MODE1": "00",
                "BLK_SEL_0": "000",
                "BLK_SEL_1": "000",
            },
            {"BIT_WIDTH_0": "'b1001", "BIT_WIDTH_1": "'b10010", "WRITE_MODE0": "'b01", "WRITE_MODE1": "'b00"},
        ),
    ],
)
def test_a_shape_is_the_one_that_was_packed(kind, given, wanted, database, monkeypatch):
    from apycula import chipdb, gowin_pack

    monkeypatch.setattr(gowin_pack, "_gnd_net", ["0"])
    nets = {f"AD{port}{bit}": ["0" if kind == "SP" else 2] for port in ("", "A", "B") for bit in range(4)}
    attributes = gowin_pack.set_bsram_attrs(database, {"connections": nets}, kind, {**given, "RESET_MODE": "ASYNC"})
    tiles = empty_tiles(database)
    for place, tile in tiles.items():
        table = database.shortval[database[place].ttyp][f"BSRAM_{kind}"]
        for row, column in chipdb.get_table_fuses(attributes, table):
            tile[row][column] = 1
    found, parameters = block_shape(database, tiles, PLACE)
    assert found == kind
    assert wanted.items() <= parameters.items()
    row, column = next((r, c) for r, line in enumerate(tiles[PLACE]) for c, bit in enumerate(line) if bit)
    tiles[PLACE][row][column] = 0
    with pytest.raises(ToolError, match="row 10, column 5 is set as none"):
        block_shape(database, tiles, PLACE)
