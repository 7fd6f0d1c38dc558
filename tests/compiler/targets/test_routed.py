"""What nextpnr leaves out of its netlist is put back: open inputs, multiplexers of inputs, vectors, pads."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from snnc.compiler.errors import ToolError
from snnc.compiler.targets import TARGETS, load_target
from snnc.compiler.targets.ice40 import Ice40, _declared_once
from snnc.compiler.targets.routed import RoutedCells, readable

CELLS = RoutedCells(
    model=lambda cell: "model_of_lc" if cell["type"] == "LC" else str(cell["type"]),
    open_level=lambda kind, port: "1" if port == "CEN" else "0",
    pads={"PAD": ("PIN", "IN", "OUT")},
    joined=("RAM",),
    files=(),
)


def cell(kind, parameters=(), **connections):
    """Ports in capitals that begin with O are outputs."""
    return {
        "type": kind,
        "parameters": dict(parameters),
        "attributes": {"NEXTPNR_BEL": "X1/Y2"},
        "port_directions": {port: "output" if port.startswith("O") else "input" for port in connections},
        "connections": connections,
    }


def read(**cells):
    ports = {"clk": {"direction": "input", "bits": [100]}, "tx": {"direction": "output", "bits": [101]}}
    design = {"modules": {"empty": {"cells": {}}, "top": {"ports": ports, "cells": cells}}}
    before = copy.deepcopy(design)
    found = readable(design, top="named", cells=CELLS)["modules"]
    assert design == before
    assert list(found) == ["named"]
    assert found["named"]["ports"] == ports
    return found["named"]["cells"]


def test_an_open_input_gets_its_level_and_an_open_output_goes():
    found = read(a=cell("LC", I0=[], CEN=[], I1=[7], O=[], O2=[8]))["a"]
    assert found["type"] == "model_of_lc"
    assert found["connections"] == {"I0": ["0"], "CEN": ["1"], "I1": [7], "O2": [8]}
    assert found["port_directions"].keys() == found["connections"].keys()


def test_an_input_is_constant_inverted_or_itself_as_its_parameter_says():
    muxes = {"AMUX": "0 ", "BMUX": "1", "CMUX": "INV", "DMUX": "D", "EMUX": "INV", "OUTPUT_MUX": "X", "INIT": "0110"}
    cells = read(a=cell("RAW", muxes, A=[5], C=[6], D=[7], E=[]), b=cell("RAW", {"CMUX": "INV"}, C=[6]))
    inverse = cells["a"]["connections"]["C"]
    assert cells["a"]["connections"] == {"A": ["0"], "B": ["1"], "C": inverse, "D": [7], "E": ["1"]}
    assert cells["a"]["parameters"] == {"OUTPUT_MUX": "X", "INIT": "0110"}
    assert cells["b"]["connections"]["C"] == inverse
    gates = [found for found in cells.values() if found["type"] == "$_NOT_"]
    assert [gate["connections"] for gate in gates] == [{"A": [6], "Y": inverse}]


def test_bits_become_vectors_in_order():
    found = read(a=cell("RAM", AD0=[1], AD2=[3], AD1=[], O_1=[5], WE=[6]))["a"]
    assert found["connections"] == {"AD": [1, "0", 3], "O": ["x", 5], "WE": [6]}
    assert found["port_directions"] == {"AD": "input", "O": "output", "WE": "input"}


def test_a_pad_becomes_a_wire_in_the_direction_of_its_port():
    cells = read(a=cell("PAD", PIN=[100], IN=[4], OUT=[]), b=cell("PAD", PIN=[101], IN=[], OUT=[5]))
    assert [cells[name]["connections"] for name in "ab"] == [{"A": [100], "Y": [4]}, {"A": [5], "Y": [101]}]


@pytest.mark.parametrize("name", TARGETS)
def test_a_family_whose_routed_netlist_or_bitstream_is_not_possible_says_so(name, tmp_path):
    target = load_target(name)
    device = target.device()
    if name == "gatemate":
        with pytest.raises(ToolError, match=f"A routed netlist of {name} cannot be simulated yet"):
            target.routed_verilog(tmp_path / "a.json", top="top", folder=tmp_path)
    if name not in ("ice40", "gowin"):
        with pytest.raises(ToolError, match=f"A bitstream of {name} cannot be taken apart yet"):
            target.bitstream_verilog(
                tmp_path / "a", top="top", device=device, package=device.packages[0].name, pins=(), folder=tmp_path
            )


def test_without_icestorm_a_bitstream_of_an_ice40_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    target = load_target("ice40")
    with pytest.raises(
        ToolError, match=r"icebox_vlog is missing, .*'apt-get install fpga-icestorm'.* SNNC_ICEBOX_VLOG"
    ):
        target.bitstream_verilog(
            Path("a.bin"), top="top", device=target.device(), package="sg48", pins=(), folder=tmp_path
        )


def test_ports_are_declared_once():
    text = (
        "module top (input clk, output a, output ab);\n\n"
        "wire n1, clk, n2;\nreg a = 0;\nreg n3 = 0, n4 = 0;\nassign n1 = clk;\n"
    )
    assert _declared_once(text) == (
        "module top (input clk, output reg a = 0, output ab);\n\n"
        "wire n1, n2;\n\nreg n3 = 0, n4 = 0;\nassign n1 = clk;\n"
    )
    with pytest.raises(ToolError, match="no module"):
        _declared_once("")


def test_a_netlist_of_synthesis_and_a_routed_one_are_simulated_with_the_same_cells_of_ice40(tmp_path):
    """With levels of open inputs in them Verilator takes those levels for the inputs' own, beside a PLL."""
    target = Ice40()
    _, (models,) = target.cell_models(tmp_path)
    text = models.read_text(encoding="utf-8")
    assert models in target.routed_cells(tmp_path).files
    assert text.startswith("`define NO_ICE40_DEFAULT_ASSIGNMENTS\n")
