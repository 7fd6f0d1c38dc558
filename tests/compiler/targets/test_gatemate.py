"""GateMate: a design through the tools, and what its block RAM holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from snnc.compiler.lanes.memories import block_memory
from snnc.compiler.targets import load_target
from snnc.compiler.targets.nextpnr import NextpnrTarget
from tests.compiler.test_targets import COUNTER, check_resources

TARGET = load_target("gatemate")


def synthesise(folder: Path, text: str, *more: Path):
    (folder / "top.v").write_text(text)
    return TARGET.synthesise([folder / "top.v", *more], top="top", device=TARGET.device(), folder=folder)


def test_from_verilog_to_bitstream(tmp_path):
    assert isinstance(TARGET, NextpnrTarget)
    synthesis = synthesise(tmp_path, COUNTER)
    placed = TARGET.place_and_route(synthesis.netlist, device=TARGET.device(), folder=tmp_path, seed=3)
    assert placed.fmax_mhz.keys() == {"clk"}
    assert placed.fmax is not None
    assert placed.fmax > 40
    assert (placed.used("FF"), placed.used("IO"), placed.used("half BRAM")) == (20, 6, 0)
    check_resources(TARGET, placed)
    packed = TARGET.pack(placed, folder=tmp_path)
    assert packed.bitstream is not None
    assert packed.bitstream.suffix == ".bit"
    assert packed.bitstream.stat().st_size > 100
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(("width", "depth", "blocks"), [(64, 1568, 7), (40, 512, 1), (9, 2000, 1), (3, 4000, 1)])
def test_contents_are_in_block_ram(width, depth, blocks, repository, tmp_path):
    """The planner's count of half blocks is Yosys's, or more."""
    planned = block_memory(TARGET.device(), "m", width=width, depth=depth, bits_used=1, banked=True)
    assert planned is not None
    assert (planned.blocks, planned.banks) == (blocks, 1)
    bits = (depth - 1).bit_length()
    (tmp_path / "image.hex").write_text("".join(f"{word * 0x9E3779B97F4A7C15 % 2**width:x}\n" for word in range(depth)))
    synthesis = synthesise(
        tmp_path,
        f"module top(input clk, input [{bits}-1:0] address, output [{width}-1:0] data);\n"
        f'    snnc_rom_block #(.WIDTH({width}), .DEPTH({depth}), .ADDRESS_BITS({bits}), .FILE("image.hex"))\n'
        "        rom (.clk(clk), .address(address), .data(data));\nendmodule\n",
        repository / "rtl" / "primitives.v",
    )
    halves = synthesis.cells.get("CC_BRAM_20K", 0) + 2 * synthesis.cells.get("CC_BRAM_40K", 0)
    assert 0 < halves <= blocks
