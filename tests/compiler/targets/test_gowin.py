"""Gowin: pins, block RAM and its model, and a design through the tools."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from snnc.compiler.errors import FitError
from snnc.compiler.lanes.memories import block_memory
from snnc.compiler.targets import gowin, load_target
from snnc.compiler.targets.nextpnr import NextpnrTarget
from tests.compiler.test_targets import COUNTER, check_resources

TARGET = load_target("gowin")


def synthesise(folder: Path, text: str, device: str, *more: Path, image: str = ""):
    (folder / "image.hex").write_text(image)
    (folder / "top.v").write_text(text)
    return TARGET.synthesise([folder / "top.v", *more], top="top", device=TARGET.device(device), folder=folder)


@pytest.mark.parametrize("device", ["gw1nr-9c", "gw2ar-18c"])
def test_from_verilog_to_bitstream(device, tmp_path):
    assert isinstance(TARGET, NextpnrTarget)
    synthesis = synthesise(tmp_path, COUNTER, device)
    placed = TARGET.place_and_route(synthesis.netlist, device=TARGET.device(device), folder=tmp_path, seed=3)
    # Every port has a pin of its own, since nextpnr would not choose one.
    pins = dict(re.findall(r'IO_LOC "(.+)" (\d+);', (tmp_path / "top.seed3.cst").read_text()))
    assert pins.keys() == {"clk", "rst", *(f"y[{bit}]" for bit in range(4))}
    assert len(set(pins.values())) == 6
    assert placed.fmax is not None
    assert placed.fmax > 80
    assert placed.used("LUT") > 20  # the counter's carry chain among them
    assert (placed.used("FF"), placed.used("IO"), placed.used("BSRAM")) == (20, 6, 0)
    check_resources(TARGET, placed)
    packed = TARGET.pack(placed, folder=tmp_path)
    assert packed.bitstream is not None
    assert packed.bitstream.suffix == ".fs"
    assert set(packed.bitstream.read_text().splitlines()[-1]) <= {"0", "1"}
    assert not list(tmp_path.glob("*.part"))


def test_more_ports_than_free_pins_are_refused():
    assert isinstance(TARGET, NextpnrTarget)
    ports = [f"y[{bit}]" for bit in range(99)]
    with pytest.raises(FitError, match=r"99 ports, and no file of pin constraints: package QN88P has \d\d pins"):
        TARGET.free_pins(ports, TARGET.device().package())


@pytest.mark.parametrize(("width", "depth", "blocks"), [(64, 1568, 8), (36, 512, 1), (4, 4096, 1), (3, 4000, 1)])
def test_contents_are_in_block_ram_and_its_model_knows_every_parameter(width, depth, blocks, repository, tmp_path):
    """The planner's count of blocks is Yosys's, or more."""
    planned = block_memory(TARGET.device(), "m", width=width, depth=depth, bits_used=1, banked=True)
    assert planned is not None
    assert (planned.blocks, planned.banks) == (blocks, 1)
    bits = (depth - 1).bit_length()
    synthesis = synthesise(
        tmp_path,
        f"module top(input clk, input [{bits}-1:0] address, output [{width}-1:0] data);\n"
        f'    snnc_rom_block #(.WIDTH({width}), .DEPTH({depth}), .ADDRESS_BITS({bits}), .FILE("image.hex"))\n'
        "        rom (.clk(clk), .address(address), .data(data));\nendmodule\n",
        "gw1nr-9c",
        repository / "rtl" / "primitives.v",
        image="".join(f"{word * 0x9E3779B97F4A7C15 % 2**width:x}\n" for word in range(depth)),
    )
    found = sum(count for cell, count in synthesis.cells.items() if cell in {"SP", "SPX9"})
    assert 0 < found <= blocks
    netlist, _, model = (path.read_text() for path in TARGET.netlist_verilog(synthesis.netlist, folder=tmp_path))
    assert netlist.count("snnc_gowin_sp #(") == found
    used = set(re.findall(r"^    \.([A-Z]\w+)\(\S+\),?$", netlist, re.MULTILINE))
    assert "INIT_RAM_3F" in used
    assert used - set(re.findall(r"\w+", model)) == set()


@pytest.mark.nightly
@pytest.mark.parametrize("device", ["gw1nr-9c", "gw2ar-18c"])
def test_hold_times_that_are_warned_of_are_of_pins_whose_constraint_is_repeated(device, repository, tmp_path):
    """See the module: a warning on any other pin would be real."""
    netlist = synthesise(
        tmp_path,
        "module top(input clk, input step, output parity);\n"
        "    reg [8:0] address; reg sum; wire [35:0] data; assign parity = sum;\n"
        "    always @(posedge clk) begin address <= address + step; sum <= ^data; end\n"
        '    snnc_rom_block #(.WIDTH(36), .DEPTH(512), .ADDRESS_BITS(9), .FILE("image.hex"))\n'
        "        rom (.clk(clk), .address(address), .data(data));\nendmodule\n",
        device,
        repository / "rtl" / "primitives.v",
        image="".join(f"{word * 0x9E3779B97F4A7C15 % 2**36:x}\n" for word in range(512)),
    ).netlist
    log = TARGET.place_and_route(netlist, device=TARGET.device(device), folder=tmp_path).log.read_text()
    ends = re.findall(r"^Info:\s+hold .* Source \S+\.(\w+)$", log, re.MULTILINE)
    assert all(re.fullmatch(r"ADB\d+", end) for end in ends)
    assert not re.search(r"Hold/min time violation", log) or ends


@pytest.mark.parametrize("mode", [0, 1, 2, 3, 4, 6, 7, 8, 9])
def test_the_carry_cell_of_a_placed_design_is_the_one_of_the_netlist(mode):
    """The table of each mode against what Yosys's ALU does."""
    text = (Path(gowin.__file__).with_name("gowin_alu.v")).read_text()
    default = re.search(r": 16'b([01]{16});", text)
    assert default is not None
    tables = dict(re.findall(r"ALU_MODE == (\d+) \? 16'b([01]{16})", text)) | {"9": default[1]}
    table = int(tables[str(mode)], 2)
    for number in range(8):
        i0, i1, i3 = (number >> bit & 1 for bit in range(3))
        propagate, generate = {
            0: (i0 ^ i1, i0),
            1: (1 ^ i0 ^ i1, i0),
            2: (i0 ^ i1 if i3 else 1 ^ i0 ^ i1, i0),
            3: (1 ^ i0 ^ i1, 1),
            4: (1 ^ i0 ^ i1, i0),
            6: (i0, 0),
            7: (1 ^ i0, 1),
            8: (i0 if i3 else 1 ^ i0, i0),
            9: ((i0 & i1) ^ i3, i0 & i1),
        }[mode]
        found = table >> (i3 << 3 | 1 << 2 | i1 << 1 | i0) & 1, table >> (i1 << 1 | i0) & 1
        # A carry counts where nothing is propagated alone.
        carry = found[1] if not found[0] else generate
        assert (found[0], carry) == (propagate, generate), (number, found)


def test_every_kind_of_block_ram_that_is_placed_has_a_model(tmp_path):
    """A memory with a port that writes and one that reads both of 36 bits is placed as a kind of its own."""
    from apycula import gowin_pack

    cells = gowin.Gowin().routed_cells(tmp_path)
    models = "".join(path.read_text(encoding="utf-8") for path in cells.files)
    for kind in gowin_pack._bsram_cell_types - {"ROM"}:  # those are placed as SP, whose ports are written never
        for subtype in ("", "X9"):
            model = cells.model({"type": kind, "attributes": {"BSRAM_SUBTYPE": subtype}})
            assert f"module {model.removesuffix('_x9')} #" in models
        assert kind in cells.joined
