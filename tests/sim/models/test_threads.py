"""The models' products run on one thread."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from snnc.compiler.formats import RandomNetwork
from snnc.compiler.formats.random_network import random_graph
from snnc.sim.models import golden, synapses
from snnc.sim.models.threads import one_blas_thread


def blas_threads() -> list[int]:
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_one_inside_and_as_before_after() -> None:
    before = blas_threads()
    with one_blas_thread():
        assert set(blas_threads()) == {1}
    assert blas_threads() == before


def test_the_golden_model_runs_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = random_graph(RandomNetwork(architecture="20-8-10", time_steps=2))
    seen: list[int] = []
    product = synapses.WeightedSum.__call__

    def watched(self, *arguments):
        seen.extend(blas_threads())
        return product(self, *arguments)

    monkeypatch.setattr(synapses.WeightedSum, "__call__", watched)
    golden.run(graph, np.zeros((2, 3, 20), np.bool_), time_steps=2)
    assert set(seen) == {1}
