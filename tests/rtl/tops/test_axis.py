"""The component for others' designs, in the bench of their own ecosystem: AXI4-Stream with random pauses, FuseSoC."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from snnc.compiler import cli
from snnc.compiler.backend import emit
from snnc.compiler.build.folder import open_build, write_build
from snnc.compiler.commands.verify import random_inputs
from snnc.compiler.errors import VerificationError
from snnc.compiler.tools import verilator_environment
from snnc.sim.cosimulation.ports import input_widths, offsets, result_widths
from snnc.sim.cosimulation.simulator import build_executable, run_bench
from snnc.sim.trust.protocol import vectors
from tests.compiler.networks import random_design

pytest.importorskip("cocotbext.axi")


@pytest.fixture(scope="module")
def component(tmp_path_factory):
    """A build, and the folder that `snnc integrate` writes of it."""
    path = tmp_path_factory.mktemp("axis") / "build"
    write_build(path, emit(random_design((12, 6, 3))).files, source="a test")
    assert cli.run(["integrate", str(path), "--mhz", "2"]) == 0  # a short hold: 100 cycles
    return open_build(path), path.with_name("build-axis")


def run(component, repository, tmp_path, *, gap, stall, seed, markers=True, spoil=0):
    build, folder = component
    steps = build.plan.time_steps
    inputs = random_inputs(build.plan, 8, time_steps=steps, density=0.4, seed=seed)
    content = vectors(build, inputs, time_steps=steps)
    marker = offsets(input_widths(build.plan))["marker"]
    classes = build.plan.readout.neurons
    ends = [k + 1 for k, beat in enumerate(content["beats"]) if beat >> marker & 3 == 2]
    if not markers:  # TLAST alone says where a sample ends: the marker of its last beat is that of a step
        content["beats"] = [beat ^ (3 << marker) if k + 1 in ends else beat for k, beat in enumerate(content["beats"])]
    results = [value ^ (spoil if k == 5 else 0) for k, value in enumerate(content["results"])]
    path = tmp_path / "vectors.json"
    path.write_text(
        json.dumps(
            {
                "samples": [content["beats"][start:end] for start, end in pairwise([0, *ends])],
                "results": [results[k : k + classes] for k in range(0, len(results), classes)],
                "gap": gap,
                "stall": stall,
                "seed": seed,
            }
        )
    )
    executable = build_executable([folder / name for name in ("core.v", "primitives.v", "axis.v")], {}, "snnc_axis")
    run_bench(
        executable,
        "tests.rtl.tops.axis_bench",
        cwd=folder,
        plusargs=["+verilator+rand+reset+2", f"+verilator+seed+{seed + 1}"],
        environment={"SNNC_VECTORS": str(path), "PYTHONPATH": str(repository)},
    )


@pytest.mark.parametrize(("gap", "stall"), [(0.0, 0.0), (0.7, 0.0), (0.0, 0.9), (0.4, 0.6)])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_result_comes_whatever_pauses(gap, stall, seed, component, repository, tmp_path):
    run(component, repository, tmp_path, gap=gap, stall=stall, seed=seed)


def test_tlast_ends_a_sample(component, repository, tmp_path):
    run(component, repository, tmp_path, gap=0.3, stall=0.3, seed=2, markers=False)


def test_a_wrong_result_is_seen(component, repository, tmp_path):
    with pytest.raises(VerificationError, match="sample 1: expected"):
        run(component, repository, tmp_path, gap=0.0, stall=0.0, seed=0, spoil=1)


FUSESOC = Path(sys.executable).with_name("fusesoc")

BENCH = """
`timescale 1ns/1ns
module bench;
    reg clk = 0;
    reg resetn = 0;
    reg [7:0] beats [0:{beats} - 1];
    reg [{width} - 1:0] results [0:{results} - 1];
    integer given = 0, got = 0;
    wire ready, valid;
    wire [{width} - 1:0] result;
    always #5 clk = ~clk;
    initial begin
        $readmemh("beats.hex", beats);
        $readmemh("results.hex", results);
        #50 resetn = 1;
        #1000000 $display("no answer");
        $fatal;
    end
    snnc_axis dut (
        .aclk(clk), .aresetn(resetn),
        .s_axis_tdata(beats[given]), .s_axis_tvalid(given < {beats}), .s_axis_tready(ready), .s_axis_tlast(1'b0),
        .m_axis_tdata(result), .m_axis_tvalid(valid), .m_axis_tready(1'b1), .m_axis_tlast()
    );
    always @(posedge clk) if (resetn) begin
        if (ready && given < {beats}) given <= given + 1;
        if (valid) begin
            if (result !== results[got]) begin
                $display("result %0d: %h, not %h", got, result, results[got]);
                $fatal;
            end
            got <= got + 1;
            if (got == {results} - 1) begin
                $display("all right");
                $finish;
            end
        end
    end
endmodule
"""

DESIGN = """CAPI=2:
name: ::design:0
filesets:
  bench:
    depend: [snnc::core]
    files:
      - bench.v: {file_type: verilogSource}
      - beats.hex: {file_type: user, copyto: beats.hex}
      - results.hex: {file_type: user, copyto: results.hex}
targets:
  sim:
    filesets: [bench]
    toplevel: bench
    default_tool: icarus
"""


def fusesoc(folders, target, core, cwd):
    (cwd / "fusesoc.conf").write_text("")
    roots = [word for folder in folders for word in ("--cores-root", str(folder))]
    return subprocess.run(
        [str(FUSESOC), "--config", "fusesoc.conf", *roots, "run", "--target", target, core],
        cwd=cwd,
        env={**os.environ, **verilator_environment()},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(not FUSESOC.exists(), reason="FuseSoC is not installed")
def test_fusesoc_knows_the_component_and_its_lint_is_silent(component, tmp_path):
    _, folder = component
    result = fusesoc([folder], "lint", "snnc::core", tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "%Warning" not in result.stdout + result.stderr
    assert list(tmp_path.rglob("images/*.hex"))


@pytest.mark.skipif(not FUSESOC.exists(), reason="FuseSoC is not installed")
@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog, which FuseSoC runs, is not installed")
@pytest.mark.parametrize("spoil", [0, 1])
def test_a_design_that_depends_on_the_component_is_simulated_by_fusesoc(spoil, component, tmp_path):
    build, folder = component
    steps = build.plan.time_steps
    content = vectors(build, random_inputs(build.plan, 5, time_steps=steps, density=0.4, seed=1), time_steps=steps)
    content["results"][4] ^= spoil
    design, width = tmp_path / "design", -(-sum(result_widths(build.plan).values()) // 8) * 8
    design.mkdir()
    for name in ("beats", "results"):
        (design / f"{name}.hex").write_text("\n".join(f"{word:x}" for word in content[name]) + "\n")
    counts = {name: len(content[name]) for name in ("beats", "results")}
    (design / "bench.v").write_text(BENCH.format(width=width, **counts))
    (design / "design.core").write_text(DESIGN)
    result = fusesoc([folder, design], "sim", "::design", tmp_path)
    text = result.stdout + result.stderr
    assert ("all right" in text) == (not spoil), text
    assert ("result 4" in text) == bool(spoil), text


def test_the_description_names_the_files_that_are_there(component):
    _, folder = component
    named = re.findall(r"^ {6}- ([^:\s]+)", (folder / "snnc.core").read_text(), re.MULTILINE)
    named += ["core.vlt", "snnc.core", "snnc_litex.py", "snnc_amaranth.py"]
    assert sorted(named) == sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_another_folder_is_not_overwritten(component, tmp_path, capsys):
    build, _ = component
    (tmp_path / "mine").mkdir()
    assert cli.run(["integrate", str(build.path), "-o", str(tmp_path / "mine")]) == 1
    assert "is there, and no component of snnc" in capsys.readouterr().err
