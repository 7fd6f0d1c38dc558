"""Time and rectangles of the architecture string, in hardware."""

from __future__ import annotations

from typing import Any

import pytest

from snnc.compiler.commands.verify import random_inputs
from snnc.compiler.design import Engines
from snnc.compiler.formats.random_network import RandomNetwork, random_graph
from snnc.compiler.ir import Encoding
from snnc.sim.trust.verify import verify_build
from tests.networks import build_graph


@pytest.mark.parametrize("architecture", ["6-8t3-6Rt2-4", "2x6x6-4c1x3s1x2t2-m3x1-a2x1-5-3", "2x4x6-4c3-4r3d2-3"])
def test_taps_rectangles_and_late_skips_are_equal_to_the_golden_model(tmp_path, architecture):
    build = build_graph(random_graph(RandomNetwork(architecture=architecture, time_steps=6)), tmp_path / "build")
    inputs = random_inputs(build.plan, 8, time_steps=6, density=0.3, seed=1)
    assert verify_build(build, inputs).samples == 8


@pytest.mark.parametrize(
    ("target", "device", "lanes", "units"),
    [
        ("ecp5", "25k", (6, 6, 3, 4, 8, 5), (1, 2, 4, 1, 2, 1)),
        ("ecp5", "25k", (2, 6, 6, 8, 8, 5), (1, 1, 1, 1, 1, 1)),
        ("ice40", "hx8k", (3, 3, 2, 4, 3, 5), (1, 1, 1, 1, 1, 1)),
        ("ice40", "hx8k", (6, 6, 6, 8, 8, 5), (1, 1, 2, 1, 2, 1)),
    ],
)
def test_residual_blocks_behind_pixels_gather(tmp_path, target, device, lanes, units):
    """With the identity and with a convolution of 1 x 1 as their shortcuts."""
    network = RandomNetwork(architecture="3x8x8-6c3-6r3-8r3s2-a4-5", encoding=Encoding.DIRECT, time_steps=3)
    build = build_graph(
        random_graph(network),
        tmp_path / "build",
        target=target,
        device=device,
        lanes=lanes,
        column_banks=units,
        engines=Engines.GATHER,
    )
    blocks = [engine for engine in build.plan.engines if len(engine.projections) > 1]
    assert [engine.kind.kind for engine in blocks] == ["gather", "gather"]
    inputs = random_inputs(build.plan, 8, time_steps=3, density=0.4, seed=1)
    assert verify_build(build, inputs).samples == 8


def test_weights_of_a_block_that_take_unlike_cycles(tmp_path):
    """Those of the main kernel are in banks, and come a cycle later than the shortcut's."""
    network = RandomNetwork(architecture="2x4x4-16c1-16r3-3", encoding=Encoding.DIRECT, time_steps=2)
    build = build_graph(random_graph(network), tmp_path / "build", lanes=(16, 16, 1, 3), engines=Engines.GATHER)
    shortcut, main = build.plan.engine("hidden2").projections
    assert (shortcut.weights.banks, main.weights.banks) == (1, 3)
    assert build.plan.engine("hidden2").pipeline == 4
    inputs = random_inputs(build.plan, 6, time_steps=2, density=0.4, seed=1)
    assert verify_build(build, inputs).samples == 6


def test_units_share_the_weights_of_a_shortcut_too(tmp_path):
    network = RandomNetwork(architecture="2x4x4-8c1-64r1-3", encoding=Encoding.DIRECT, time_steps=2)
    options: dict[str, Any] = {"lanes": (8, 64, 64, 3), "column_banks": (1, 1, 2, 1), "engines": Engines.GATHER}
    build = build_graph(random_graph(network), tmp_path / "build", target="ecp5", device="85k", **options)
    block = build.plan.engine("hidden2")
    assert [block.shares(projection) for projection in block.projections] == [True, True]
    inputs = random_inputs(build.plan, 6, time_steps=2, density=0.4, seed=1)
    assert verify_build(build, inputs).samples == 6
