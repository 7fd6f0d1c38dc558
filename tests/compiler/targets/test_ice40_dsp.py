"""Multipliers in a bitstream: those that are in use, with the nets of their ports and their parameters."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from snnc.compiler.targets.ice40_dsp import _BITS, _ELSEWHERE, _PARAMETERS, _PORTS, _ROWS, multipliers
from snnc.compiler.targets.ice40_sides import COLUMNS, with_blocks

NETLIST = """module top (input clk);

wire n1;
// (0, 7, 'lutff_global/clk')
// (25, 12, 'lutff_global/clk')

wire n2;
// (0, 7, 'lutff_3/in_1')

wire n3;
// (0, 6, 'mult/O_9')

wire n4;
// (25, 10, 'mult/O_0')

endmodule
"""


def layout() -> str:
    """Of the block at (0, 5) A_REG and B_SIGNED, of that at (25, 10) the higher bit of BOTOUTPUT_SELECT."""
    text = ".logic_tile 12 1\n" + "1" * 54 + "\n\n"
    for kind, column, row, line in (("dsp0", 0, 5, 0), ("dsp3", 0, 8, 1), ("dsp2", 25, 12, 1)):
        rows = ["0" * 54 for _ in range(16)]
        rows[line] = "0" * 7 + "1" + "0" * 46
        text += f".{kind}_tile {column} {row}\n" + "\n".join(rows) + "\n\n"
    return text


def test_those_in_use_get_their_nets_and_parameters() -> None:
    found = with_blocks(NETLIST, layout(), multipliers)
    cells = [line for line in found.splitlines() if line.startswith("SB_MAC16")]
    assert [re.findall(r"\) (\w+) \(", line)[0] for line in cells] == ["multiplier_0_5", "multiplier_25_10"]
    left, right = (dict(re.findall(r"\.(\w+)\(\{([^}]*)\}\)", line)) for line in cells)
    assert left["CLK"] == right["CLK"] == "n1"
    assert left["A"].split(", ") == ["1'b0"] * 4 + ["n2"] + ["1'b0"] * 11
    assert left["O"].split(", ")[31 - 9] == "n3"
    assert right["O"].split(", ")[31] == "n4"
    assert (left["CE"], left["CI"]) == ("1'b1", "1'b0")
    set_left, set_right = (
        {name for name, value in re.findall(r"\.(\w+)\((\d'b[01]+)\)", line) if "1" in value[2:]} for line in cells
    )
    assert set_left == {"A_REG", "B_SIGNED"}
    assert set_right == {"BOTOUTPUT_SELECT"}
    assert ".BOTOUTPUT_SELECT(2'b10)" in cells[1]


def test_without_one_in_use_nothing_is_added() -> None:
    netlist = NETLIST.replace("mult/O", "slf_op")
    assert with_blocks(netlist, layout(), multipliers) == netlist


@pytest.mark.skipif(shutil.which("icebox_vlog") is None, reason="fpga-icestorm is not installed")
def test_places_are_those_that_icestorm_found() -> None:
    folder = Path(shutil.which("icebox_vlog") or "").resolve().parent
    program = (
        f"import sys, json; sys.path.insert(0, {str(folder)!r}); import icebox\n"
        "chip = icebox.iceconfig(); chip.setup_empty_5k()\n"
        "for x, y in chip.dsp_tiles[0]:\n"
        "    print(json.dumps([x, y, chip.get_dsp_nets_db(x, y), chip.get_dsp_config_db(x, y)]))\n"
        "print(json.dumps({entry[2]: entry[0] for entry in icebox.dsp0_5k_db if entry[1] == 'IpConfig'}))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    *blocks, bits = map(json.loads, run.stdout.splitlines())
    assert {(x, y) for x, y, *_ in blocks} == {(column, row) for column in COLUMNS for row in _ROWS}
    assert bits == {f"CBIT_{number}": [f"B{line}[7]"] for number, line in enumerate(_BITS)}
    for column, lowest, wires, parameters in blocks:
        ports = {
            port if len(places) == 1 else f"{port}_{bit}": [column, lowest + row, wire]
            for port, places in _PORTS.items()
            for bit, (row, wire) in enumerate(places)
        }
        assert ports == {port: wire for port, wire in wires.items() if port != "CO"}
        found = {
            name if len(places) == 1 else f"{name}_{k}": [column, lowest + row, f"CBIT_{bit}"]
            for name, places in {**_PARAMETERS, **_ELSEWHERE.get((column, lowest), {})}.items()
            for k, (row, bit) in enumerate(places)
        }
        assert found == parameters
