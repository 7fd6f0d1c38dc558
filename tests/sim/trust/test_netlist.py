"""Gate level, for every kind of memory: some minutes of synthesis and compilation, so `make nightly`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from snnc.compiler.build.folder import Build
from snnc.compiler.commands.synth import FOLDER, TOP, check_netlist, synthesise_build
from snnc.compiler.commands.verify import random_inputs
from snnc.compiler.errors import VerificationError
from snnc.compiler.ir import Encoding, Initial, Reset
from snnc.compiler.plan import MemoryKind
from snnc.compiler.targets import load_target
from snnc.sim.trust.netlist import verify_netlist
from tests.networks import Conv, Full, build_graph, random_chain, spatial_chain

pytestmark = pytest.mark.nightly
of_each_family = pytest.mark.parametrize(
    ("target", "device"),
    [("ice40", "hx8k"), ("ecp5", "25k"), ("gowin", "gw1nr-9c"), ("gatemate", "ccgm1a1")],
    ids=["ice40", "ecp5", "gowin", "gatemate"],
)


def synthesise(build: Build) -> None:
    """As `snnc synth` does; what is placed and routed afterwards is not what is simulated."""
    target = load_target(build.plan.target)
    device = target.device(build.plan.device)
    target.synthesise(build.verilog, top=TOP, device=device, folder=build.path / FOLDER, base=build.path)


@of_each_family
def test_membranes_and_weights_in_block_ram(target: str, device: str, tmp_path: Path) -> None:
    graph = random_chain(
        (40, 24, 10), encoding=Encoding.DIRECT, value_bits=8, reset=Reset.HARD, initial=Initial.HALF, seed=1
    )
    build = build_graph(graph, tmp_path / "build", lanes=(4, 4), target=target, device=device)
    assert build.plan.engines[0].membrane.kind is MemoryKind.EBR
    synthesise(build)
    assert check_netlist(build, 5) == 5 * 10


@of_each_family
def test_rings_and_banks(target: str, device: str, tmp_path: Path) -> None:
    graph = random_chain((600, 16, 5), bits=3, time_steps=3, seed=2)
    build = build_graph(graph, tmp_path / "build", lanes=(8, 5), target=target, device=device)
    assert build.plan.engines[0].membrane.kind is MemoryKind.REGISTERS
    # An ECP5's block holds 2,048 words of nine bits.
    assert (build.plan.engines[0].projections[0].weights.banks > 1) == (target == "ice40")
    synthesise(build)
    assert check_netlist(build, 4)


@of_each_family
def test_a_wrong_block_ram_is_found(target: str, device: str, tmp_path: Path) -> None:
    graph = random_chain((40, 16, 5), seed=3)
    build = build_graph(graph, tmp_path / "build", lanes=(8, 5), target=target, device=device)
    synthesise(build)
    assert check_netlist(build, 2)
    folder = build.path / FOLDER
    files = load_target(target).netlist_verilog(folder / f"{TOP}.json", folder=folder)
    # Another content of one block RAM: its first rows.
    parameter, digits = {
        "ice40": ("INIT_0", 64),
        "ecp5": ("INITVAL_00", 80),
        "gowin": ("INIT_RAM_00", 64),
        "gatemate": ("INIT_00", 80),
    }[target]
    text, changes = re.subn(
        rf"\.{parameter}\((\d+'h)[0-9a-f]+\)",
        rf".{parameter}(\g<1>{'5a' * (digits // 2)})",
        files[0].read_text(),
        count=1,
    )
    assert changes == 1
    files[0].write_text(text)
    inputs = random_inputs(build.plan, 20, time_steps=build.plan.time_steps, density=0.5, seed=4)
    with pytest.raises(VerificationError, match=r"bit \d+ of result \d+: expected [01], got [01]"):
        verify_netlist(build, files, inputs, time_steps=build.plan.time_steps)


@of_each_family
def test_convolutions_behind_an_image(target: str, device: str, tmp_path: Path) -> None:
    graph = spatial_chain(
        (2, 6, 7),
        [Conv(channels=6, stride=(1, 2)), Conv(channels=5, stride=(2, 2)), Full(shape=(5, 1, 1))],
        encoding=Encoding.DIRECT,
        seed=6,
    )
    build = build_graph(graph, tmp_path / "build", lanes=(4, 5, 5), target=target, device=device)
    synthesise(build)
    assert check_netlist(build, 2)


def test_weights_in_spram(tmp_path: Path) -> None:
    graph = random_chain((40, 24, 10), encoding=Encoding.DIRECT, seed=4)
    build = build_graph(graph, tmp_path / "build", lanes=(4, 4), spram=True)
    synthesis = synthesise_build(build)
    assert [memory.name for memory in build.plan.loaded] == ["hidden0.weights", "readout.weights"]
    assert synthesis.best.used("SPRAM") == build.plan.sprams == 2
    assert check_netlist(build, 4)
