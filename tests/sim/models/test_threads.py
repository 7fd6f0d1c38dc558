"""The models' products run on one thread."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from snnc.compiler.formats import RandomNetwork
from snnc.compiler.formats.random_network import random_graph
from snnc.sim.models import golden, synapses
from snnc.sim.models.threads import in_order, one_blas_thread


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
    product = synapses.WeightedSum._product

    def watched(self, *arguments):
        seen.extend(blas_threads())
        return product(self, *arguments)

    monkeypatch.setattr(synapses.WeightedSum, "_product", watched)
    golden.run(graph, np.zeros((2, 3, 20), np.bool_), time_steps=2)
    assert set(seen) == {1}


def test_results_come_in_the_order_of_the_items() -> None:
    """The first takes longest, and no more than a few items are taken before they are needed."""
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(200):
            taken.append(item)
            yield item

    def work(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0)
        assert set(blas_threads()) == {1}
        return item

    found = in_order(work, items())
    assert next(found) == 0
    assert len(taken) <= (os.cpu_count() or 1) + 1
    assert list(found) == list(range(1, 200))


@pytest.mark.parametrize("cores", [1, 3])
def test_an_error_in_one_item_comes_out(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)), raising=False)

    def work(item: int) -> int:
        if item == 5:
            raise ValueError("the sixth")
        return item

    with pytest.raises(ValueError, match="the sixth"):
        list(in_order(work, range(100)))
