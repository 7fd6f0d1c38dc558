"""SPRAM in a bitstream: the blocks that are in use, with the nets of their ports."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from snnc.compiler.targets.ice40_sides import COLUMNS, with_blocks
from snnc.compiler.targets.ice40_spram import _BLOCKS, _ENABLE_COLUMN, sprams

NETLIST = """module top (input clk);

wire n1;
// (0, 0, 'glb_netwk_7')
// (0, 1, 'clk')
// (25, 2, 'clk')

reg n2 = 0;
// (0, 2, 'lutff_1/in_1')
// (12, 2, 'lutff_0/in_1')

wire n3;
// (0, 2, 'slf_op_7')

wire n4;
// (25, 4, 'lutff_5/in_3')

assign n3 = n1;

// Warning: unmatched port 'clk'

endmodule

"""


def layout(**enabled):
    """Two tiles with blocks, each with the lines in which the bit is set that brings one in."""
    text = ".logic_tile 12 1\n" + "1" * 54 + "\n\n"
    for column in COLUMNS:
        rows = ["0" * 54 for _ in range(16)]
        for row in enabled.get(f"at{column}", ()):
            rows[row] = "0" * _ENABLE_COLUMN + "1" + "0" * (53 - _ENABLE_COLUMN)
        text += f".ipcon_tile {column} 1\n" + "\n".join(rows) + "\n\n"
    return text


def ports(line):
    return dict(re.findall(r"\.(\w+)\(\{([^}]*)\}\)", line))


def test_without_a_block_in_use_nothing_is_added():
    assert with_blocks(NETLIST, layout(), sprams) == NETLIST
    assert with_blocks(NETLIST, ".ram_data 6 1\nff\n", sprams) == NETLIST


def test_blocks_in_use_get_the_nets_of_their_ports():
    found = with_blocks(NETLIST, layout(at0=[1], at25=[0]), sprams)
    cells = [line for line in found.splitlines() if line.startswith("SB_SPRAM256KA")]
    assert [line.split()[1] for line in cells] == ["spram_0_1", "spram_25_0"]
    left, right = map(ports, cells)
    assert left["CLOCK"] == right["CLOCK"] == "n1"
    assert left["ADDRESS"].split(", ") == ["1'b0"] * 12 + ["n2", "1'b0"]
    assert left["DATAOUT"].split(", ") == ["n3", *(f"spram_0_1_DATAOUT_{bit}" for bit in range(14, -1, -1))]
    assert (left["POWEROFF"], right["POWEROFF"]) == ("1'b0", "n4")
    assert right["DATAOUT"].split(", ") == [f"spram_25_0_DATAOUT_{bit}" for bit in range(15, -1, -1)]
    assert f"wire {', '.join(f'spram_25_0_DATAOUT_{bit}' for bit in range(15, -1, -1))};" in found
    assert found.rstrip().endswith("endmodule")
    assert found.startswith(NETLIST.partition("endmodule")[0])


@pytest.mark.skipif(shutil.which("icebox_vlog") is None, reason="fpga-icestorm is not installed")
def test_the_ports_are_those_that_icestorm_found():
    folder = Path(shutil.which("icebox_vlog") or "").resolve().parent
    program = (
        f"import sys, json; sys.path.insert(0, {str(folder)!r}); import icebox\n"
        "cells = [e for e in icebox.ipcon_5k_db if e[1] == 'IpConfig']\n"
        "print(json.dumps([[*key, ports] for key, ports in icebox.spram_db['5k'].items()]))\n"
        "print(json.dumps({entry[2]: entry[0] for entry in cells}))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    blocks, bits = map(json.loads, run.stdout.splitlines())
    assert len(blocks) == len(COLUMNS) * len(_BLOCKS)
    for column, _, number, wanted in blocks:
        block = _BLOCKS[(number - 1) % 2]
        _, row, bit = wanted.pop("SPRAM_EN")
        assert row == 1
        assert bits[bit] == [f"B{block.enable}[{_ENABLE_COLUMN}]"]
        found = {
            port if len(wires) == 1 else f"{port}_{number}": [column, *wire]
            for port, wires in block.ports.items()
            for number, wire in enumerate(wires)
        }
        assert found == wanted
