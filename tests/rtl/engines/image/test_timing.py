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


@pytest.mark.parametrize(("granted", "waits"), [(0, 0), (12, 0), (16, 4)])
def test_one_word(granted: int, waits: int) -> None:
    # Three beats, so the image is complete at 2. Slots from 7 on: 3 = 4 - 1 takes two, every other pixel one; the
    # transfer at 12, and the steps from 13 to 16. The last one executes at 18; the second step's word is read at 19.
    stimulus = from_images(np.array([[[[3, 0], [1, 2]]]]), time_steps=2)
    gathering, link = Timing(engine_plan(CASE), stimulus), _Open(granted)
    gathering.outputs = link
    gathering.run()
    assert link.emitted == [(0, 0, [17 + waits]), (1, 0, [22 + waits])]
    assert gathering.first_issue.tolist() == [7]
    assert gathering.first_execute.tolist() == [9]
    assert gathering.last_execute.tolist() == [21 + waits]
    assert gathering.operations.tolist() == [4 + 1 + 1]


def test_an_image_of_zeros_executes_first_with_its_transfer() -> None:
    stimulus = from_images(np.zeros((1, 1, 2, 2), dtype=np.int64), time_steps=1)
    gathering, link = Timing(engine_plan(CASE), stimulus), _Open(0)
    gathering.outputs = link
    gathering.run()
    # The beat at 0 ends the sample. No tap is left of the word, so that one stands for them.
    assert gathering.first_issue.tolist() == [5]
    assert gathering.first_execute.tolist() == [5 + 1 + 2]
    assert link.emitted == [(0, 0, [5 + 1 + 2 + 2 + 1])]


def test_blank_rows_and_columns_take_no_slot() -> None:
    case = Case(source=(2, 3, 3), channels=1, lanes=1, kernel=(3, 3), time_steps=1)
    image = np.zeros((1, 2, 3, 3), dtype=np.int64)
    image[0, 0, 1, 0], image[0, 1, 1, 2] = 1, 4  # the middle row of both channels, but for its middle column
    gathering, link = Timing(engine_plan(case), from_images(image, time_steps=1)), _Open(0)
    gathering.outputs = link
    gathering.run()
    # Two taps in each channel; the first one has a digit.
    assert gathering.first_issue.tolist() == [1 + 5]
    assert gathering.first_execute.tolist() == [6 + 2]
    assert link.emitted == [(0, 0, [6 + 4 + 2 + 2 + 1])]
    assert gathering.operations.tolist() == [2 + 1]
