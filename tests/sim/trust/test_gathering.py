"""Networks whose convolutions gather spikes against the models, in Verilator: every spike, membrane and cycle."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from snnc.compiler.design import Engines
from snnc.compiler.errors import FitError
from snnc.sim.trust.verify import verify_build
from tests.networks import build_graph
from tests.sim.random_gathering import gathering_case

FEW, MANY = 8, 108


def check(seed: int, folder: Path) -> None:
    case = gathering_case(seed)
    # Without and with registers behind block RAM; every fifth with weights that are loaded.
    chips = [("ice40", "hx8k")] * (seed % 2) + [("ecp5", "85k")]
    for target, device in chips:
        with contextlib.suppress(FitError):  # the largest chip takes what does not fit the other
            build = build_graph(
                case.graph,
                folder / "build",
                lanes=case.lanes,
                # What is filled after a reset is filled once.
                column_banks=(1,) * len(case.units) if seed % 5 == 4 else case.units,
                target=target,
                device=device,
                spram=seed % 5 == 4,
                engines=Engines.GATHER,
            )
            break
    assert any(engine.kind.reads_maps for engine in build.plan.engines)
    verdict = verify_build(build, case.inputs, time_steps=case.time_steps, seed=seed)
    assert verdict.samples == len(case.inputs)


@pytest.mark.parametrize("seed", range(FEW))
def test_gathering_network(tmp_path: Path, seed: int) -> None:
    check(seed, tmp_path)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(FEW, MANY))
def test_many_gathering_networks(tmp_path: Path, seed: int) -> None:
    check(seed, tmp_path)
