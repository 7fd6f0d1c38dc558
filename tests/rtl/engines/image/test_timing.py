"""Cycles of an image engine, counted by hand; `test_circuit.py` holds the hardware to them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from snnc.rtl.engines.image.timing import Timing
from snnc.sim.models.stimulus import from_images
from tests.rtl.image_engines import Case, engine_plan

CASE = Case(source=(1, 2, 2), channels=1, lanes=1, kernel=(2, 2), time_steps=2)


class _Open:
    """A queue that lets sweeps issue from a given cycle on."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.emitted: list[tuple[int, int, list[int]]] = []

    def granted(self) -> npt.NDArray[np.int64]:
        return np.array([self.first])

    def emit(self, t: int, word: int, executed: npt.NDArray[np.int64]) -> None:
        self.emitted.append((t, word, executed.tolist()))

    def finish(self, t: int) -> None:
        pass


@pytest.mark.parametrize(("granted", "waits"), [(0, 0), (10, 0), (14, 4)])
def test_one_word(granted: int, waits: int) -> None:
    # Three beats, so the image is complete at 2. Slots from 5 on: 3 = 4 - 1 takes two, every other pixel one; the
    # transfer at 10, and the steps from 11 to 14. The last one executes at 16; the second step's word is read at 17.
    stimulus = from_images(np.array([[[[3, 0], [1, 2]]]]), time_steps=2)
    gathering, link = Timing(engine_plan(CASE), stimulus), _Open(granted)
    gathering.outputs = link
    gathering.run()
    assert link.emitted == [(0, 0, [15 + waits]), (1, 0, [20 + waits])]
    assert gathering.first_issue.tolist() == [5]
    assert gathering.first_execute.tolist() == [7]
    assert gathering.last_execute.tolist() == [19 + waits]
    assert gathering.operations.tolist() == [4 + 1 + 1]


def test_an_image_of_zeros_executes_first_with_its_transfer() -> None:
    stimulus = from_images(np.zeros((1, 1, 2, 2), dtype=np.int64), time_steps=1)
    gathering, link = Timing(engine_plan(CASE), stimulus), _Open(0)
    gathering.outputs = link
    gathering.run()
    assert gathering.first_issue.tolist() == [3]
    assert gathering.first_execute.tolist() == [3 + 4 + 2]
    assert link.emitted == [(0, 0, [3 + 4 + 2 + 2 + 1])]
