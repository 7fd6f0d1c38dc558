"""Dense layers that hear windows of pixels: one weight a window, whatever walks them."""

from __future__ import annotations

from pathlib import Path

import pytest

from snnc.compiler.commands.verify import random_inputs
from snnc.compiler.design import Engines
from snnc.compiler.ir import Encoding
from snnc.sim.trust.verify import verify_build
from tests.networks import Full, build_graph, spatial_chain


@pytest.mark.parametrize(("engines", "kind"), [(Engines.SCATTER, "scatter"), (Engines.GATHER, "pixel_list")])
@pytest.mark.parametrize(("target", "device"), [("ice40", "hx8k"), ("ecp5", "25k")])
@pytest.mark.parametrize(("shape", "pool"), [((2, 4, 6), 2), ((1, 9, 6), 3)])
def test_a_pixel_has_the_weight_of_its_window(
    tmp_path: Path, engines: Engines, kind: str, target: str, device: str, shape: tuple[int, int, int], pool: int
) -> None:
    graph = spatial_chain(shape, [Full(shape=(6, 1, 1), pool=pool), Full(shape=(4, 1, 1))], encoding=Encoding.DIRECT)
    build = build_graph(graph, tmp_path / "build", target=target, device=device, engines=engines)
    (first, _) = build.plan.engines
    assert first.kind.kind == kind
    weights = first.main.weights
    assert weights.depth * weights.width // first.main.weight_bits < 2 * 6 * shape[0] * shape[1] * shape[2] // pool**2
    verdict = verify_build(build, random_inputs(build.plan, 12, time_steps=graph.time_steps, density=0.6, seed=5))
    assert all(rate > 0.02 for rate in verdict.firing_rates.values())
