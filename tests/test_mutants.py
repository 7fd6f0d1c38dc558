"""The mutants of `benchmarks/mutants.py`: what they change, and that a seed stands for the same ones."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def script(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutants", repository / "benchmarks" / "mutants.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutants"] = module
    spec.loader.exec_module(module)
    return module


def test_each_mutant_changes_one_expression(script: ModuleType) -> None:
    source = (
        'def f(a: int | None, b):\n    if a < -b:\n        raise ValueError(f"{a + 1}")\n    return max(a, b) + 2\n'
    )
    found = {(mutant.line, mutant.was, mutant.now) for mutant in script.mutants(source)}
    assert found == {
        (2, "a < -b", "a <= -b"),
        (2, "-b", "b"),
        (4, "max(a, b) + 2", "max(a, b) - 2"),
        (4, "max(a, b) + 2", "max(a, b)"),
        (4, "max(a, b)", "min(a, b)"),
        (4, "2", "3"),
    }
    for mutant in script.mutants(source):
        changed = [line for line in mutant.source.splitlines() if line not in source.splitlines()]
        assert len([line for line in changed if "raise" not in line]) == 1


@pytest.mark.parametrize("name", ["bound", "residual", "quantise", "memories", "fit", "golden"])
def test_a_seed_stands_for_twelve_mutants_of_a_module_that_has_tests(
    name: str, script: ModuleType, repository: Path
) -> None:
    path, tests = script.MODULES[name]
    source = (repository / path).read_text(encoding="utf-8")
    first, again, other = (script.mutants(source, seed=seed, count=12) for seed in (0, 0, 1))
    assert first == again
    assert len(first) == 12
    assert first != other
    assert any((repository / test).exists() for test in tests)
