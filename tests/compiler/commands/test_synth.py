"""`snnc synth`: seeds, results, failures; one small network through the real tools."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from snnc.compiler import cli
from snnc.compiler.backend import emit
from snnc.compiler.build.folder import open_build, write_build
from snnc.compiler.build.results import RESULT_VERSION
from snnc.compiler.commands import synth
from snnc.compiler.commands.demo import summary
from snnc.compiler.commands.synth import parse_seeds, synthesise_build
from snnc.compiler.errors import OptionError, ToolError
from snnc.compiler.targets import load_target
from snnc.compiler.targets.base import Implementation, Resource, Synthesis
from snnc.compiler.targets.critical import CriticalPath, PathEnd
from tests.compiler.networks import random_design

DESIGN = random_design((12, 6, 3))


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    path = tmp_path_factory.mktemp("synth") / "build"
    write_build(path, emit(DESIGN).files, source="a test")
    return path


@pytest.fixture
def build(pristine, tmp_path):
    path = tmp_path / "build"
    write_build(
        path,
        {
            p.relative_to(pristine).as_posix(): p.read_bytes()
            for p in pristine.rglob("*.*")
            if p.is_file() and p.name != "manifest.json"
        },
        source="a test",
    )
    return open_build(path)


CRITICAL = CriticalPath(
    clock="clk",
    source=PathEnd(unit="engine_hidden0.sequencer", signal="turn", port="O"),
    sink=PathEnd(unit="", signal=None, port="CEN"),
    through=("engine_hidden0.sequencer", "queue_readout", ""),
    levels=1,
    logic_ns=7.25,
    routing_ns=17.5,
)


class FakeTarget:
    """Tools that take no time: seed n reaches n % 4 times 10 MHz."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails

    tools = load_target("ice40").tools

    def device(self, name):
        return load_target("ice40").device(name)

    def synthesise(self, sources, *, top, device, folder, base, timeout=None):
        assert top == "snnc_shell"
        assert [path.name for path in sources] == ["core.v", "primitives.v", "shell.v"]
        assert (base / "images/hidden0.weights.hex").exists()
        if self.fails:
            raise ToolError("Yosys failed: ERROR: no such module.")
        return Synthesis(netlist=folder / "n.json", log=folder / "yosys.log", cells={}, seconds=1.0)

    def place_and_route(self, netlist, *, device, folder, package=None, seed=1, mhz=None, timeout=None):
        return Implementation(
            device=device,
            package=device.package(package),
            seed=seed,
            resources=(Resource(name="LC", used=100, available=5280), Resource(name="EBR", used=2, available=30)),
            fmax_mhz={"clk": 10.0 * (seed % 4)},
            target_mhz=mhz or 40.0,
            critical=CRITICAL if seed == 3 else None,
            layout=folder / "n.asc",
            report=folder / "n.report.json",
            log=folder / "n.log",
            seconds=2.0,
        )

    def pack(self, implementation, *, folder, timeout=None):
        return replace(implementation, bitstream=folder / f"seed{implementation.seed}.bin")


def test_the_best_seed_is_packed_and_the_median_reported(build, monkeypatch):
    monkeypatch.setattr(synth, "load_target", lambda name: FakeTarget())
    result = synthesise_build(build, seeds=(1, 2, 3, 4, 5))
    assert [run.seed for run in result.runs] == [1, 2, 3, 4, 5]
    assert (result.best.seed, result.median_mhz) == (3, 10.0)
    facts = json.loads((build.path / "synth/result.json").read_text())
    assert facts["fmax_mhz"] == {"1": 10.0, "2": 20.0, "3": 30.0, "4": 0.0, "5": 10.0}
    assert facts["bitstream"] == "synth/seed3.bin"
    assert facts["model_hash"] == build.model_hash
    assert facts["resources"]["LC"] == {"used": 100, "available": 5280}
    text = (build.path / "report.md").read_text()
    assert "## Synthesis" in text
    assert "10.0, 20.0, 30.0, 0.0, 10.0 MHz" in text
    assert "not to be loaded" in text
    assert facts["pins"] == "any"
    assert facts["version"] == RESULT_VERSION
    assert facts["critical_path"] == {"1": None, "2": None, "3": CRITICAL.facts, "4": None, "5": None}
    limit = "engine_hidden0.sequencer turn to top unnamed logic (CEN): 1 level, 7.2 ns logic, 17.5 ns routing (seed 3)"
    assert limit in text
    assert "engine_hidden0.sequencer, queue_readout, top" in text
    open_build(build.path)


def test_a_failure_removes_the_earlier_result(build, monkeypatch):
    monkeypatch.setattr(synth, "load_target", lambda name: FakeTarget())
    synthesise_build(build)
    monkeypatch.setattr(synth, "load_target", lambda name: FakeTarget(fails=True))
    with pytest.raises(ToolError, match="no such module"):
        synthesise_build(build)
    assert not (build.path / "synth/result.json").exists()


def test_an_unknown_package_is_refused_before_synthesis(build):
    with pytest.raises(OptionError, match="'dip40'"):
        synthesise_build(build, package="dip40")
    assert not (build.path / "synth").exists()


def test_an_edited_build_is_not_synthesised(build, capsys):
    (build.path / "rtl/core.v").write_text("module snnc_core; endmodule\n")
    assert cli.run(["synth", str(build.path)]) == 1
    assert "core.v' was changed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seeds"), [("1", (1,)), ("1-5", (1, 2, 3, 4, 5)), ("7,3", (7, 3)), ("1-2, 9", (1, 2, 9)), ("0", (0,))]
)
def test_seeds(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "5-1", "1,1", "1-1000000000", "1-99999999", "1.5", "1--2"])
def test_impossible_seeds(text):
    with pytest.raises(OptionError, match="--seeds"):
        parse_seeds(text)


def test_through_the_real_tools(build, capsys):
    assert cli.run(["synth", str(build.path), "--seed", "2"]) == 0
    out = capsys.readouterr().out
    facts = json.loads((build.path / "synth/result.json").read_text())
    assert (build.path / facts["bitstream"]).stat().st_size > 10_000
    assert 0 < facts["resources"]["LC"]["used"] < 2000
    assert facts["resources"]["EBR"]["used"] <= build.plan.blocks
    assert facts["median_fmax_mhz"] > 20
    (path,) = facts["critical_path"].values()
    assert path["logic_ns"] + path["routing_ns"] == pytest.approx(1000 / facts["median_fmax_mhz"], abs=0.01)
    assert path["source"]["unit"].split(".")[0] in out
    assert path["source"]["signal"]
    assert facts["bitstream"] in out
    assert list((build.path / "synth").glob("*.log"))
    open_build(build.path)


def test_the_summary_of_the_demo(build, monkeypatch):
    monkeypatch.setattr(synth, "load_target", lambda name: FakeTarget())
    synthesise_build(build, seeds=(2,))
    report = json.loads((build.path / "report.json").read_text())
    facts = {"accuracy": 0.9667, "samples": 360, "spikes": 1000, "membranes": 2000, "cycles_mean": 200.0}
    report["sections"].append({"title": "Verification", "summary": "", "rows": [], "facts": facts})
    text = "\n".join(summary(report, build.path, 61.2))
    for part in (
        "12-6-3 network, 4-bit",
        "96.67% of 360",
        "200 cycles",
        "20.0 MHz 10.0 microseconds",
        "100 LC, 2 EBR",
        "61 s",
    ):
        assert part in text
