"""The FPGA families: their tables, and a design through each one's tools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from snnc.compiler import targets
from snnc.compiler.errors import FitError, OptionError, ToolError
from snnc.compiler.targets import TARGETS, Target, find_device, load_target

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
    for words, bits in found.block_ram_modes:
        assert words * bits == found.block_ram_bits
    assert (found.spram_blocks > 0) == (found.spram_mode != (0, 0))


def test_the_default_is_the_board_for_ten_euros():
    assert find_device("ice40").name == "up5k"
    assert find_device("ice40").package().name == "sg48"


def test_an_unknown_target_lists_the_known():
    with pytest.raises(OptionError, match=r"no target 'virtex': the targets are ice40"):
        load_target("virtex")


def test_an_unknown_device_lists_the_known():
    with pytest.raises(OptionError, match=r"no device 'up6k': its devices are lp384, .*up5k.*u4k"):
        find_device("ice40", "up6k")


def test_an_unknown_package_lists_the_known():
    with pytest.raises(OptionError, match=r"up5k has no package 'ct256': its packages are sg48, uwg30"):
        find_device("ice40", "up5k").package("ct256")


@pytest.fixture(scope="module")
def counter(tmp_path_factory) -> Path:
    """A counter's netlist. iCE40 cells are the same in every device of the family."""
    folder = tmp_path_factory.mktemp("counter")
    (folder / "top.v").write_text(COUNTER)
    target = load_target("ice40")
    synthesis = target.synthesise([folder / "top.v"], top="top", device=target.device(), folder=folder)
    assert synthesis.cells["SB_DFFSR"] == 20
    return synthesis.netlist


def check_package(counter: Path, folder: Path, device: str, package: str | None) -> None:
    """It places; the die has at least what the table grants, and exactly the package's pins."""
    target = load_target("ice40")
    implementation = target.place_and_route(
        counter, device=target.device(device), package=package, folder=folder, options=["--no-route"]
    )
    assert implementation.used("LC") >= 20
    die = json.loads(implementation.report.read_text())["utilization"]
    names = {"LC": "ICESTORM_LC", "EBR": "ICESTORM_RAM", "SPRAM": "ICESTORM_SPRAM", "DSP": "ICESTORM_DSP"}
    for resource in implementation.resources:
        if resource.name == "IO":
            assert resource.available == die["SB_IO"]["available"] == implementation.package.pins
        else:
            assert resource.available <= die.get(names[resource.name], {"available": 0})["available"]


@pytest.mark.parametrize("device", load_target("ice40").devices)
def test_ice40_device_is_one_that_nextpnr_knows(device, counter, tmp_path):
    check_package(counter, tmp_path, device, None)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("device", "package"),
    [
        (device.name, package.name)
        for device in load_target("ice40").devices.values()
        for package in device.packages[1:]
    ],
)
def test_ice40_package_is_one_that_nextpnr_knows(device, package, counter, tmp_path):
    check_package(counter, tmp_path, device, package)


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
def test_memory_images_are_found_beside_the_source_or_in_the_base(base, tmp_path):
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
    target = load_target("ice40")
    synthesis = target.synthesise(
        [source / "top.v"],
        top="top",
        device=target.device(),
        folder=out,
        base=tmp_path / base if base else None,
    )
    assert synthesis.cells["SB_RAM40_4K"] == 1
    assert synthesis.netlist == out / "top.json"


def test_a_source_of_an_unknown_kind_is_refused(tmp_path):
    target = load_target("ice40")
    with pytest.raises(OptionError, match=r"top\.vhd cannot be synthesised: sources end in \.v, \.sv, \.il"):
        target.synthesise([tmp_path / "top.vhd"], top="top", device=target.device(), folder=tmp_path)


def test_the_table_is_lazy():
    """A family's module is imported when it is asked for, so that a broken one cannot break the others."""
    assert all(isinstance(module, str) for module in targets.TARGETS.values())
