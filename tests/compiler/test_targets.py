"""The FPGA families: their tables, and a design through each one's tools."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from snnc.compiler import targets
from snnc.compiler.errors import FitError, OptionError, ToolError
from snnc.compiler.lanes.memories import block_memory
from snnc.compiler.targets import TARGETS, Implementation, Target, find_device, load_target
from snnc.compiler.targets.nextpnr import NextpnrTarget

COUNTER = """
module top(input clk, input rst, output [3:0] y);
    reg [19:0] count;
    always @(posedge clk) count <= rst ? 0 : count + 1;
    assign y = count[19:16];
endmodule
"""

# A memory of `words` words of 16 bits with one write and one read port.
MEMORY = """
module top(input clk, input we, input [14:0] a, input [15:0] d, output reg [15:0] q);
    (* ram_style = "block" *) reg [15:0] memory [0:{words} - 1];
    always @(posedge clk) begin
        if (we) memory[a] <= d;
        q <= memory[a];
    end
endmodule
"""

# What a counter with a synchronous reset is made of.
FLIP_FLOPS = {"ice40": "SB_DFFSR", "ecp5": "TRELLIS_FF", "gowin": "DFFR", "gatemate": "CC_DFF"}

every_target = pytest.mark.parametrize("name", TARGETS)
every_device = pytest.mark.parametrize(
    ("target", "device"), [(name, device) for name in TARGETS for device in load_target(name).devices]
)


@every_target
def test_a_family_is_listed_under_its_own_name(name):
    target = load_target(name)
    assert isinstance(target, Target)
    assert target.name == name
    assert target.device().name == target.default_device
    for key, device in target.devices.items():
        assert device.name == key
        assert device.family == name


@every_device
def test_a_device_is_consistent(target, device):
    found = find_device(target, device)
    assert found.logic_cells > 0
    assert found.packages
    assert len({package.name for package in found.packages}) == len(found.packages)
    assert found.package() == found.packages[0]
    shapes = [words * bits for words, bits in found.block_ram_modes]
    assert max(shapes) == found.block_ram_bits
    # A narrow shape may reach eight bits of nine, or four of five.
    assert set(shapes) - {found.block_ram_bits} <= {found.block_ram_bits * 8 // 9, found.block_ram_bits * 4 // 5}
    family = load_target(target)
    assert isinstance(family, NextpnrTarget)
    assert found.logic_name in family.cells
    assert found.block_ram_name in family.cells
    assert family.cells.keys() <= family.available(found, found.package()).keys()
    assert (found.spram_blocks > 0) == (found.spram_mode != (0, 0))


def test_the_default_is_the_board_for_ten_euros():
    assert find_device("ice40").name == "up5k"
    assert find_device("ice40").package().name == "sg48"
    assert find_device("ecp5").name == "25k"
    assert find_device("ecp5").package().name == "CABGA381"


def test_an_unknown_target_lists_the_known():
    with pytest.raises(OptionError, match=r"no target 'virtex': the targets are ice40, ecp5"):
        load_target("virtex")


def test_an_unknown_device_lists_the_known():
    with pytest.raises(OptionError, match=r"no device 'up6k': its devices are lp384, .*up5k.*u4k"):
        find_device("ice40", "up6k")


def test_a_device_of_another_target_names_it():
    with pytest.raises(OptionError, match=r"ice40 has no device '85k', but ecp5 has: give --target ecp5"):
        find_device("ice40", "85k")


def test_an_unknown_package_lists_the_known():
    with pytest.raises(OptionError, match=r"up5k has no package 'ct256': its packages are sg48, uwg30"):
        find_device("ice40", "up5k").package("ct256")


@pytest.fixture(scope="module")
def counters(tmp_path_factory) -> dict[str, Path]:
    """A counter's netlist for each family, whose cells are the same in every one of its devices."""
    netlists = {}
    for name, flip_flop in FLIP_FLOPS.items():
        folder = tmp_path_factory.mktemp(f"counter-{name}")
        (folder / "top.v").write_text(COUNTER)
        target = load_target(name)
        synthesis = target.synthesise([folder / "top.v"], top="top", device=target.device(), folder=folder)
        assert synthesis.cells[flip_flop] == 20
        netlists[name] = synthesis.netlist
    return netlists


@pytest.fixture
def counter(counters) -> Path:
    return counters["ice40"]


def check_package(netlist: Path, folder: Path, name: str, device: str, package: str | None) -> None:
    """It places; the die has at least what the table grants, and exactly the package's pins."""
    target = load_target(name)
    assert isinstance(target, NextpnrTarget)
    # What is not routed nextpnr writes for no GateMate.
    options = [] if name == "gatemate" else ["--no-route"]
    implementation = target.place_and_route(
        netlist, device=target.device(device), package=package, folder=folder, options=options
    )
    assert implementation.used(target.device(device).logic_name) >= 20
    check_resources(target, implementation)


def check_resources(target: NextpnrTarget, implementation: Implementation) -> None:
    die = json.loads(implementation.report.read_text())["utilization"]
    for resource in implementation.resources:
        found = die.get(target.cells[resource.name], {"available": 0})["available"]
        if resource.name == "IO":
            # On ECP5 the place and route tool counts those of the die.
            assert resource.available == implementation.package.pins
            assert resource.available == found if target.name == "ice40" else resource.available <= found
        else:
            assert resource.available <= found


@pytest.mark.parametrize("device", load_target("ice40").devices)
def test_ice40_device_is_one_that_nextpnr_knows(device, counter, tmp_path):
    check_package(counter, tmp_path, "ice40", device, None)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("target", "device", "package"),
    [
        (name, device.name, package.name)
        for name in TARGETS
        for device in load_target(name).devices.values()
        # The first of each iCE40 device is in every run.
        for package in device.packages[name == "ice40" :]
    ],
)
def test_package_is_one_that_nextpnr_knows(target, device, package, counters, tmp_path):
    check_package(counters[target], tmp_path, target, device, package)


def test_ice40_from_verilog_to_bitstream(counter, tmp_path):
    target = load_target("ice40")
    placed = target.place_and_route(counter, device=target.device(), folder=tmp_path, seed=3)
    assert placed.bitstream is None
    assert placed.fmax_mhz.keys() == {"clk"}
    assert placed.fmax is not None
    assert placed.fmax > 40
    assert placed.used("IO") == 6
    packed = target.pack(placed, folder=tmp_path)
    assert packed.bitstream is not None
    assert packed.bitstream.read_bytes()[:4] == bytes.fromhex("ff0000ff")  # the head of icepack's comment block
    assert not list(tmp_path.glob("*.part"))


def test_ecp5_from_verilog_to_bitstream(counters, tmp_path):
    target = load_target("ecp5")
    assert isinstance(target, NextpnrTarget)
    placed = target.place_and_route(
        counters["ecp5"], device=target.device("12k"), package="CABGA256", folder=tmp_path, seed=3
    )
    assert placed.layout.name == "top.seed3.config"
    assert placed.fmax_mhz.keys() == {"clk"}
    assert placed.fmax is not None
    assert placed.fmax > 100
    assert (placed.used("FF"), placed.used("IO"), placed.used("EBR")) == (20, 6, 0)
    assert {resource.name: resource.available for resource in placed.resources} == {
        "LUT": 12000,
        "FF": 12000,
        "EBR": 32,
        "DSP": 28,
        "IO": 197,
    }
    check_resources(target, placed)
    packed = target.pack(placed, folder=tmp_path)
    assert packed.bitstream is not None
    assert packed.bitstream.suffix == ".bit"
    assert b"LFE5U-12F-6CABGA256" in packed.bitstream.read_bytes()[:64]  # ecppack's comment
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(("width", "depth", "blocks"), [(64, 1568, 8), (36, 512, 1)])
def test_ecp5_contents_are_in_block_ram_and_its_model_knows_every_parameter(width, depth, blocks, repository, tmp_path):
    """The planner's count of blocks is Yosys's too."""
    target = load_target("ecp5")
    planned = block_memory(target.device(), "m", width=width, depth=depth, bits_used=1, banked=True)
    assert planned is not None
    assert (planned.blocks, planned.banks) == (blocks, 1)
    bits = (depth - 1).bit_length()
    (tmp_path / "image.hex").write_text("".join(f"{word * 0x9E3779B97F4A7C15 % 2**width:x}\n" for word in range(depth)))
    (tmp_path / "top.v").write_text(
        f"module top(input clk, input [{bits}-1:0] address, output [{width}-1:0] data);\n"
        f'    snnc_rom_block #(.WIDTH({width}), .DEPTH({depth}), .ADDRESS_BITS({bits}), .FILE("image.hex"))\n'
        "        rom (.clk(clk), .address(address), .data(data));\nendmodule\n"
    )
    synthesis = target.synthesise(
        [tmp_path / "top.v", repository / "rtl" / "primitives.v"], top="top", device=target.device(), folder=tmp_path
    )
    assert synthesis.cells["DP16KD"] == blocks
    assert synthesis.cells["TRELLIS_FF"] == 0  # the register is the block's own
    netlist, cells, model, _ = (path.read_text() for path in target.netlist_verilog(synthesis.netlist, folder=tmp_path))
    assert netlist.count("snnc_dp16kd #(") == blocks
    head = model[model.index("module snnc_dp16kd") : model.index(");")]
    used = set(re.findall(r"^    \.([A-Z]\w+)\(\S+\),?$", netlist, re.MULTILINE))
    assert "INITVAL_3F" in used
    assert used - set(re.findall(r"\w+", model)) == set()
    assert re.search(r"\.INITVAL_00\(320'h0*[1-9a-f]", netlist)
    assert "parameter DATA_WIDTH_A" in head
    assert cells.startswith("`define NO_INCLUDES")
    assert "module TRELLIS_FF" in cells


@pytest.mark.nightly
def test_ecp5_data_sheet_counts_not_the_die(tmp_path):
    target = load_target("ecp5")
    deep = MEMORY.format(words=1024 * 40).replace("[14:0] a", "[15:0] a")
    (tmp_path / "top.v").write_text(deep)
    device = target.device("12k")
    netlist = target.synthesise([tmp_path / "top.v"], top="top", device=device, folder=tmp_path).netlist
    with pytest.raises(FitError, match=r"does not fit ECP5 LFE5U-12F \(12k\): it needs 40 EBR \(it has 32\)"):
        target.place_and_route(netlist, device=device, folder=tmp_path)


def test_the_seed_alone_changes_the_placement(counter, tmp_path):
    target = load_target("ice40")
    layouts = [
        target.place_and_route(
            counter, device=target.device(), folder=tmp_path / str(run), seed=seed
        ).layout.read_text()
        for run, seed in enumerate((1, 1, 2))
    ]
    assert layouts[0] == layouts[1]
    assert layouts[0] != layouts[2]


@pytest.mark.parametrize(
    ("words", "used"),
    [
        (256 * 24, 24),  # fits the 8k's die under the hx4k, not its data sheet
        (256 * 40, 40),  # fits no die: nextpnr itself fails
    ],
)
def test_a_design_that_is_too_large_is_refused_with_the_numbers(words, used, tmp_path):
    target = load_target("ice40")
    device = target.device("hx4k")
    (tmp_path / "top.v").write_text(MEMORY.format(words=words))
    netlist = target.synthesise([tmp_path / "top.v"], top="top", device=device, folder=tmp_path).netlist
    with pytest.raises(FitError, match=rf"does not fit iCE40 HX4K \(hx4k\): it needs {used} EBR \(it has 20\)"):
        target.place_and_route(netlist, device=device, folder=tmp_path)
    assert not list(tmp_path.glob("*.asc"))


def test_a_failed_run_leaves_the_good_result(tmp_path):
    target = load_target("ice40")
    (tmp_path / "top.v").write_text(COUNTER)
    good = target.synthesise([tmp_path / "top.v"], top="top", device=target.device(), folder=tmp_path)
    before = good.netlist.read_bytes()
    (tmp_path / "top.v").write_text("module top(input clk output y); endmodule")
    with pytest.raises(ToolError, match=r"Yosys failed: top\.v:1: ERROR: syntax error"):
        target.synthesise([tmp_path / "top.v"], top="top", device=target.device(), folder=tmp_path)
    assert good.netlist.read_bytes() == before


@pytest.mark.parametrize("base", [None, "images"])
@pytest.mark.parametrize(("name", "block"), [("ice40", "SB_RAM40_4K"), ("ecp5", "DP16KD")])
def test_memory_images_are_found_beside_the_source_or_in_the_base(base, name, block, tmp_path):
    source, out = tmp_path / "rtl", tmp_path / "out folder"
    source.mkdir()
    place = tmp_path / base if base else source
    place.mkdir(exist_ok=True)
    (place / "image.hex").write_text("\n".join(f"{word * word % 13:x}" for word in range(256)))
    (source / "top.v").write_text(
        "module top(input clk, input [7:0] a, output reg [3:0] q);\n"
        '    (* rom_style = "block" *) reg [3:0] memory [0:255];\n'
        '    initial $readmemh("image.hex", memory);\n'
        "    always @(posedge clk) q <= memory[a];\n"
        "endmodule\n"
    )
    target = load_target(name)
    synthesis = target.synthesise(
        [source / "top.v"],
        top="top",
        device=target.device(),
        folder=out,
        base=tmp_path / base if base else None,
    )
    assert synthesis.cells[block] == 1
    assert synthesis.netlist == out / "top.json"


def test_a_source_of_an_unknown_kind_is_refused(tmp_path):
    target = load_target("ice40")
    with pytest.raises(OptionError, match=r"top\.vhd cannot be synthesised: sources end in \.v, \.sv, \.il"):
        target.synthesise([tmp_path / "top.vhd"], top="top", device=target.device(), folder=tmp_path)


def test_the_table_is_lazy():
    """A family's module is imported when it is asked for, so that a broken one cannot break the others."""
    assert all(isinstance(module, str) for module in targets.TARGETS.values())
