"""Random networks against the models, in Verilator: beyond the corners that somebody thought of.

Thirty of them in every run, five hundred more in `make nightly`: every spike, membrane, logit, class and cycle.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from pathlib import Path

import pytest

from snnc.compiler.design import Engines
from snnc.compiler.errors import FitError
from snnc.compiler.lanes.gathering import gatherable, listed, sparse
from snnc.sim.trust.verify import verify_build
from tests.networks import build_graph
from tests.sim.random_spatial import BANKED, features, random_case

FEW, MANY = 30, 530


def check(seed: int, folder: Path) -> None:
    case = random_case(seed)
    # Both families: what the plan makes of membranes in block RAM differs.
    chips = [("ice40", "hx8k")] * (seed % 2) + [BANKED]
    # A layer that hears pixels gathers a list of them, or those that are not 0, in two of three networks. (What gathers
    # spikes too is drawn in `test_gathering`.)
    pixels = listed(case.graph) or (sparse(case.graph) and not gatherable(case.graph))
    engines = Engines.GATHER if pixels and seed % 3 else Engines.SCATTER
    for target, device in chips:
        banks = case.column_banks if (target, device) == BANKED else None
        with contextlib.suppress(FitError):  # the largest chip takes what does not fit the other
            build = build_graph(
                case.graph,
                folder / "build",
                lanes=case.lanes,
                column_banks=banks,
                target=target,
                device=device,
                engines=engines,
            )
            break
    verdict = verify_build(build, case.inputs, seed=seed)
    assert verdict.samples == 12


# In that of 320, feedback takes longer than a sample: samples that follow each other have come to a stop over it.
@pytest.mark.parametrize("seed", [*range(FEW), 320])
def test_random_network(tmp_path: Path, seed: int) -> None:
    check(seed, tmp_path)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(FEW, MANY))
def test_many_random_networks(tmp_path: Path, seed: int) -> None:
    check(seed, tmp_path)


# Features of which a network has one at most.
ALTERNATIVES = (
    {"direct", "rate", "events"},
    {"T = 1", "T > 1"},
    {"soft reset", "hard reset"},
    {"from zero", "from half"},
    {"2 layers", "3 layers", "4 layers"},
    # A single hidden layer has none but itself to send to, or to be heard by, past the chain.
    {"2 layers", "feedback"},
    {"2 layers", "skip"},
    {"T = 1", "exit"},
)


@pytest.mark.nightly
def test_pairs_of_features_are_covered() -> None:
    seen: Counter[tuple[str, str]] = Counter()
    names: set[str] = set()
    for seed in range(MANY):
        found = features(random_case(seed))
        names |= found
        seen.update(itertools.combinations(sorted(found), 2))
    wanted = {
        pair
        for pair in itertools.combinations(sorted(names), 2)
        if not any(set(pair) <= alternatives for alternatives in ALTERNATIVES)
    }
    missing = sorted(wanted - set(seen))
    print(f"{len(wanted) - len(missing)} of {len(wanted)} pairs of {len(names)} features; rarest:")
    for pair, count in sorted(seen.items(), key=lambda item: item[1])[:10]:
        print(f"  {count}  {pair[0]}, {pair[1]}")
    assert not missing
