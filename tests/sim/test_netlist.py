"""Gate level, for every kind of memory: some minutes of synthesis and compilation, so `make nightly`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from snnc.compiler.commands.synth import check_netlist, synthesise_build
from snnc.compiler.errors import VerificationError
from snnc.compiler.ir import Encoding, Initial, Reset
from snnc.sim.commands import random_inputs
from snnc.sim.netlist import verify_netlist
from tests.networks import build_graph, random_chain

pytestmark = pytest.mark.nightly


def test_membranes_and_weights_in_block_ram(tmp_path: Path) -> None:
    graph = random_chain(
        (40, 24, 10), encoding=Encoding.DIRECT, value_bits=8, reset=Reset.HARD, initial=Initial.HALF, seed=1
    )
    build = build_graph(graph, tmp_path / "build", lanes=(4, 4))
    synthesise_build(build)
    assert check_netlist(build, 5) == 5 * 10 * (build.plan.readout.residual_bits + 9)


def test_rings_and_banks(tmp_path: Path) -> None:
    build = build_graph(random_chain((600, 16, 5), bits=3, time_steps=3, seed=2), tmp_path / "build", lanes=(8, 5))
    assert build.plan.engines[0].projections[0].weights.banks > 1
    synthesise_build(build)
    assert check_netlist(build, 4)


def test_a_wrong_block_ram_is_found(tmp_path: Path) -> None:
    build = build_graph(random_chain((40, 16, 5), seed=3), tmp_path / "build", lanes=(8, 5))
    synthesise_build(build)
    assert check_netlist(build, 2)
    folder = build.path / "synth"
    netlist = folder / "netlist.v"
    # Another content of one block RAM: its first rows.
    text, changes = re.subn(r"\.INIT_0\(256'h[0-9a-f]+\)", f".INIT_0(256'h{'5a' * 32})", netlist.read_text(), count=1)
    assert changes == 1
    netlist.write_text(text)
    from snnc.compiler.toolchain import yosys_folder

    cells = yosys_folder() / "ice40" / "cells_sim.v"
    inputs = random_inputs(build.plan, 20, time_steps=build.plan.time_steps, density=0.5, seed=4)
    with pytest.raises(VerificationError, match=r"bit \d+ of result \d+: expected [01], got [01]"):
        verify_netlist(build, (netlist, cells), inputs, time_steps=build.plan.time_steps)


def test_weights_in_spram(tmp_path: Path) -> None:
    graph = random_chain((40, 24, 10), encoding=Encoding.DIRECT, seed=4)
    build = build_graph(graph, tmp_path / "build", lanes=(4, 4), spram=True)
    synthesis = synthesise_build(build)
    assert [memory.name for memory in build.plan.loaded] == ["hidden0.weights", "readout.weights"]
    assert synthesis.best.used("SPRAM") == build.plan.sprams == 2
    assert check_netlist(build, 4)
