"""What every test may use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run, on machines of any speed: a failure must be there again in the next run.
settings.register_profile("snnc", derandomize=True, deadline=None)
# For make nightly and by hand: HYPOTHESIS_PROFILE=explore looks for new examples.
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "snnc"))


HEAVY: Mapping[str, str] = {
    "compiler/api": "compiles, simulates, places and trains",
    "compiler/backend/test_bench.py": "simulates",
    "compiler/commands/test_deciding.py": "trains",
    "compiler/commands/test_distill.py": "trains",
    "compiler/commands/test_evaluate.py": "draws reports",
    "compiler/commands/test_synth.py": "places and routes",
    "compiler/explore/test_machines.py": "a scheduler and its workers",
    "compiler/explore/test_search.py": "asks hundreds of times",
    "compiler/formats/nir/test_hostile.py": "hundreds of damaged files",
    "compiler/formats/nir/test_reader.py::test_every_spike_is_that_of_the_equation": "many steps of each",
    "compiler/formats/nir/test_writer.py::test_any_network_reads_back": "drawn networks, in files",
    "compiler/formats/test_c99.py": "compiles with gcc",
    "compiler/formats/test_sealed.py::test_evaluate_works_with_every_format": "evaluates",
    "compiler/ir/test_architecture.py::test_every_phase_runs_and_learns": "trains",
    "compiler/lanes/test_gathering.py::test_auto_is_as_good_as_either": "plans every student three times",
    "compiler/targets": "places and routes",
    "compiler/test_process.py": "whole processes that are interrupted",
    "compiler/test_targets.py": "places and routes",
    "compiler/tools": "runs and stops real tools",
    "distill/losses/test_methods.py::test_gradients_agree_with_finite_differences": "hundreds of differences a method",
    "distill/test_compare.py": "trains, in processes",
    "distill/test_exactness.py::test_every_folded_student_equals_its_integer_network": "drawn networks, in integers",
    "distill/test_methods_train.py": "trains",
    "distill/test_regime.py": "trains",
    "distill/test_sparse_training.py": "trains",
    "distill/test_training.py": "trains",
    "rtl/engines": "thousands of cycles in Amaranth's simulator",
    "rtl/test_sequencer.py": "thousands of cycles in Amaranth's simulator",
    "rtl/walkers": "thousands of cycles in Amaranth's simulator",
    "sim/cosimulation": "simulates",
    "sim/models/test_golden.py::test_every_spike_membrane_and_current_is_the_oracles": "drawn networks, in pure Python",
    "sim/models/timing/test_timeline.py": "follows every cycle",
    "sim/models/timing/test_exact.py::test_cycles_are_the_simulators": "drawn networks, in pure Python",
    "sim/trust": "simulates",
    "test_debugging.py": "simulates",
    "test_docs.py": "Verilator's lint of a whole core",
    "test_emitted.py": "compiles 56 networks",
    "test_mutants.py": "runs tests of mutants",
    "test_pages.py": "opens a browser",
    "test_packaging.py::test_the_wheel_installs_one_name": "builds a wheel",
}
"""Folders, files and tests (``file::name``) that `make quick` leaves out, and why. With
`SNNC_VERILATOR=none` nothing else may fail."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        inside = item.path.relative_to(here)
        named = f"{inside.as_posix()}::{item.originalname}" if isinstance(item, pytest.Function) else None
        if named in HEAVY or any(inside.is_relative_to(name) for name in HEAVY):
            item.add_marker("heavy")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds pyproject.toml."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_folder() -> Path | None:
    """The folder named by SNNC_DATA (mnist/, fashion-mnist/), or None. No test may need it: it may only check more."""
    name = os.environ.get("SNNC_DATA")
    return Path(name) if name else None
