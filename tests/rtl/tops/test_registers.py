"""The register block in the bench of its bus's ecosystem, and what is written for LiteX and Amaranth around a core."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from snnc.compiler import cli
from snnc.compiler.backend.verilog import write_verilog
from snnc.compiler.build.folder import LOAD_IMAGE
from snnc.compiler.commands.verify import random_inputs
from snnc.compiler.errors import VerificationError
from snnc.compiler.ir import Encoding
from snnc.compiler.tools import VERILATOR, verilator_environment
from snnc.rtl.tops import AXIS, PARALLEL, REGISTERS, SPI, Register
from snnc.sim.cosimulation.simulator import build_executable, run_bench
from snnc.sim.models import golden
from snnc.sim.trust.protocol import vectors
from tests.networks import build_graph, random_chain

pytest.importorskip("cocotbext.axi")
pytestmark = pytest.mark.heavy

ORIGIN = 0x9000_0000
"""Of the block in a SoC."""


@pytest.fixture(scope="module", params=["built in", "loaded"])
def component(request, tmp_path_factory):
    """A build, and the folder that `snnc integrate` writes of it."""
    path = tmp_path_factory.mktemp("registers") / "build"
    graph = random_chain((12, 6, 3), encoding=Encoding.DIRECT, seed=4)
    build = build_graph(graph, path, lanes=(2, 3), spram=request.param == "loaded")
    assert cli.run(["integrate", str(path), "--mhz", "2"]) == 0  # a short hold: 100 cycles
    return build, path.with_name("build-axis")


def write_vectors(build, path, *, seed, spoil=0, **settings):
    """Five samples for a bench: what goes into the registers, and what must come out of them."""
    steps = build.plan.time_steps
    inputs = random_inputs(build.plan, 5, time_steps=steps, density=0.4, seed=seed)
    trace = golden.run(build.load_graph(), inputs, time_steps=steps)
    results = []
    for row in trace.logits.tolist():
        for k, logit in enumerate(row):
            best = max(range(k + 1), key=lambda place: (row[place], -place))
            results.append([logit, k, best, int(k == len(row) - 1)])
    results[4][0] += spoil
    image = build.path / LOAD_IMAGE
    content = {
        "beats": vectors(build, inputs, time_steps=steps)["beats"],
        "results": results,
        "load": [int(word, 16) for word in image.read_text().split()] if build.plan.loaded else [],
        "model": int(build.model_hash[:8], 16),
        "seed": seed,
        **settings,
    }
    path.write_text(json.dumps(content))


def run(component, repository, tmp_path, *, pause, seed, spoil=0):
    build, folder = component
    path = tmp_path / "vectors.json"
    write_vectors(build, path, seed=seed, spoil=spoil, pause=pause)
    sources = [folder / name for name in ("core.v", "primitives.v", REGISTERS.file)]
    executable = build_executable(sources, {}, REGISTERS.module)
    run_bench(
        executable,
        "tests.rtl.tops.registers_bench",
        cwd=folder,
        plusargs=["+verilator+rand+reset+2", f"+verilator+seed+{seed + 1}"],
        environment={"SNNC_VECTORS": str(path), "PYTHONPATH": str(repository)},
    )


@pytest.mark.parametrize(("pause", "seed"), [(0.0, 0), (0.6, 1)])
def test_every_result_comes_whatever_pauses(pause, seed, component, repository, tmp_path):
    run(component, repository, tmp_path, pause=pause, seed=seed)


def test_a_wrong_result_is_seen(component, repository, tmp_path):
    with pytest.raises(VerificationError):
        run(component, repository, tmp_path, pause=0.0, seed=0, spoil=1)


def module(folder: Path, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def lint(folder, verilog, top):
    """Verilator's warnings of a design around the component."""
    names = ("core.v", "primitives.v", REGISTERS.file)
    sources = [folder / "core.vlt", verilog, *(folder / name for name in names)]
    command = VERILATOR.command()
    result = subprocess.run(
        [*command, "--lint-only", "-Wno-fatal", "--top-module", top, *map(str, sources)],
        cwd=folder,
        env={**os.environ, **verilator_environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return [line for line in result.stderr.splitlines() if "PIN" in line or "%Error" in line]


@pytest.mark.parametrize("top", [AXIS, REGISTERS, PARALLEL, SPI], ids=lambda top: top.name)
def test_the_lint_of_every_top_is_silent(top, component):
    _, folder = component
    names = ("core.vlt", AXIS.file, REGISTERS.file, PARALLEL.file, SPI.file, "core.v", "primitives.v")
    result = subprocess.run(
        [*VERILATOR.command(), "--lint-only", "--top-module", top.module, *(str(folder / name) for name in names)],
        cwd=folder,
        env={**os.environ, **verilator_environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_the_component_of_amaranth_has_the_cores_ports(component, tmp_path):
    from amaranth.back import rtlil  # type: ignore[attr-defined]  # amaranth-stubs lacks it
    from amaranth.hdl import Module
    from amaranth.lib import wiring

    build, folder = component
    found = module(folder, "snnc_amaranth")
    assert issubclass(found.SnncCore, wiring.Component)
    core = found.SnncCore()
    m = Module()
    m.submodules.core = core
    ports = [core.i.payload, core.i.valid, core.i.ready, core.o.payload, core.o.valid, core.o.ready]
    if build.plan.loaded:
        ports += [core.load.payload, core.load.valid, core.load.ready]
    text = rtlil.convert(m, name="design", ports=ports)
    (tmp_path / "design.v").write_text(write_verilog({"design": text})["design"])
    assert lint(folder, tmp_path / "design.v", "design") == []

    class Platform:
        def __init__(self):
            self.files = {}

        def add_file(self, name, content):
            self.files[name] = content

    platform = Platform()
    core.add_files(platform)
    assert {"core.v", "primitives.v"} <= platform.files.keys()
    assert any(name.startswith("images/") for name in platform.files)


def test_the_module_of_litex_is_a_slave_of_its_bus(component, tmp_path):
    pytest.importorskip("litex")
    from litex.gen.fhdl.verilog import convert
    from migen import ClockDomain

    _, folder = component
    found = module(folder, "snnc_litex")
    assert {register.name: register.value for register in Register} == found.REGISTERS

    class Platform:
        def __init__(self):
            self.sources = []

        def add_source(self, name):
            self.sources.append(name)

    platform = Platform()
    block = found.Snnc(platform)
    assert {name.rpartition("/")[2] for name in platform.sources} >= {"core.v", "primitives.v", REGISTERS.file}
    block.cd_sys = ClockDomain("sys")  # a SoC has one
    bus = block.bus
    ios = {signal for channel in (bus.aw, bus.w, bus.b, bus.ar, bus.r) for signal in channel.flatten()}
    ios |= {block.cd_sys.clk, block.cd_sys.rst}
    convert(block, ios=ios, name="soc").write(str(tmp_path / "soc.v"))
    assert lint(folder, tmp_path / "soc.v", "soc") == []


def soc_of(folder):
    """Verilog of a SoC of LiteX with the component at its bus, as ``docs/integrate.md`` says; a host for a CPU."""
    from litex.build.generic_platform import Pins, Subsignal
    from litex.build.sim import SimPlatform
    from litex.gen import LiteXModule
    from litex.soc.integration.soc import SoCRegion
    from litex.soc.integration.soc_core import SoCMini
    from litex.soc.interconnect import wishbone
    from migen import ClockDomain

    widths = {
        "adr": 30,
        "dat_w": 32,
        "dat_r": 32,
        "sel": 4,
        "cyc": 1,
        "stb": 1,
        "ack": 1,
        "we": 1,
        "cti": 3,
        "bte": 2,
        "err": 1,
    }
    bus = [Subsignal(name, Pins(width)) for name, width in widths.items()]
    platform = SimPlatform("SIM", [("sys_clk", 0, Pins(1)), ("sys_rst", 0, Pins(1)), ("bus", 0, *bus)])

    class Clocks(LiteXModule):
        def __init__(self):
            self.cd_sys = ClockDomain()
            self.comb += self.cd_sys.clk.eq(platform.request("sys_clk"))
            self.comb += self.cd_sys.rst.eq(platform.request("sys_rst"))

    soc = SoCMini(platform, clk_freq=2_000_000)
    soc.crg = Clocks()
    soc.snnc = module(folder, "snnc_litex").Snnc(platform)
    soc.bus.add_slave("snnc", soc.snnc.bus, SoCRegion(origin=ORIGIN, size=0x1000, cached=False))
    host = wishbone.Interface(data_width=32, address_width=32, addressing="word")
    soc.comb += host.connect_to_pads(platform.request("bus"), mode="slave")
    soc.bus.add_master("host", host)
    soc.finalize()
    # What Verilator has against LiteX's own Verilog.
    waived = ("COMBDLY", "WIDTHEXPAND", "WIDTHTRUNC", "CASEINCOMPLETE")
    return "".join(f"/* verilator lint_off {name} */\n" for name in waived) + str(platform.get_verilog(soc, name="soc"))


def run_soc(component, repository, tmp_path, *, spoil=0):
    build, folder = component
    (tmp_path / "soc.v").write_text(soc_of(folder))
    path = tmp_path / "vectors.json"
    write_vectors(build, path, seed=3, spoil=spoil, origin=ORIGIN)
    sources = [tmp_path / "soc.v", *(folder / name for name in ("core.v", "primitives.v", REGISTERS.file))]
    run_bench(
        build_executable(sources, {}, "soc"),
        "tests.rtl.tops.litex_bench",
        cwd=folder,
        environment={"SNNC_VECTORS": str(path), "PYTHONPATH": str(repository)},
    )


def test_a_soc_of_litex_computes_samples(component, repository, tmp_path):
    pytest.importorskip("litex")
    run_soc(component, repository, tmp_path)


def test_a_wrong_result_of_the_soc_is_seen(component, repository, tmp_path):
    pytest.importorskip("litex")
    with pytest.raises(VerificationError, match="expected"):
        run_soc(component, repository, tmp_path, spoil=1)
