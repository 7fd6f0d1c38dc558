"""The SPI slave's top: samples through its four wires, from a master that ends transactions wherever it likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from snnc.compiler import cli
from snnc.compiler.backend import emit
from snnc.compiler.build.folder import open_build, write_build
from snnc.compiler.commands.verify import random_inputs
from snnc.compiler.link import LinkError, Session
from snnc.compiler.link.frames import END, ESCAPE
from snnc.compiler.link.port import Port
from snnc.rtl.tops import SPI
from snnc.sim.cosimulation.board import board_executable, simulated_board
from snnc.sim.trust.onboard import answers, check_identity, checked
from tests.compiler.networks import random_design

pytestmark = pytest.mark.heavy

CLOCK = 20_000_000
DRIVER = Path(__file__).with_name("spi_driver.cpp")


@pytest.fixture(scope="module")
def component(tmp_path_factory):
    path = tmp_path_factory.mktemp("spi") / "build"
    write_build(path, emit(random_design((12, 6, 3))).files, source="a test")
    assert cli.run(["integrate", str(path), "--mhz", "20"]) == 0
    return open_build(path), path.with_name("build-axis")


def ask(component, bits_per_second, samples):
    """Samples through the slave; the session that was had."""
    build, folder = component
    sources = [folder / name for name in ("core.v", "primitives.v", SPI.file)]
    executable = board_executable(sources, top=SPI, driver=DRIVER)
    with simulated_board(executable, cwd=folder, clock_hz=CLOCK, baud=bits_per_second) as name:
        line = Port(name, 115_200)
        try:
            session = Session(line, timeout=5, tries=2)
            check_identity(session, build)
            awkward = bytes([END, ESCAPE, 0, 255, END])
            assert session.echo(awkward) == awkward
            steps = build.plan.time_steps
            inputs = random_inputs(build.plan, samples, time_steps=steps, density=0.3, seed=0)
            found = list(checked(answers(session, build, inputs, time_steps=steps), build, inputs, time_steps=steps))
            assert len(found) == samples
            return session
        finally:
            line.close()


@pytest.mark.parametrize("cycles", [10, 37])
def test_every_answer_is_the_golden_models(cycles, component):
    session = ask(component, CLOCK // cycles, 100)
    assert session.identity.board == SPI.name
    assert session.identity.clock_hz == CLOCK
    assert session.repetitions == 0


def test_a_master_that_is_too_fast_is_not_understood(component):
    with pytest.raises(LinkError, match="does not answer"):
        ask(component, CLOCK // 2, 1)
