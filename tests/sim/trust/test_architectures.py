"""Time and rectangles of the architecture string, in hardware."""

from __future__ import annotations

import pytest

from snnc.compiler.commands.verify import random_inputs
from snnc.compiler.formats.random_network import RandomNetwork, random_graph
from snnc.sim.trust.verify import verify_build
from tests.networks import build_graph


@pytest.mark.parametrize("architecture", ["6-8t3-6Rt2-4", "2x6x6-4c1x3s1x2t2-m3x1-a2x1-5-3", "2x4x6-4c3-4r3d2-3"])
def test_taps_rectangles_and_late_skips_are_equal_to_the_golden_model(tmp_path, architecture):
    build = build_graph(random_graph(RandomNetwork(architecture=architecture, time_steps=6)), tmp_path / "build")
    inputs = random_inputs(build.plan, 8, time_steps=6, density=0.3, seed=1)
    assert verify_build(build, inputs).samples == 8
