"""Cycles of a pixel list engine, counted by hand; `test_circuit.py` holds the hardware to them."""

from __future__ import annotations

import numpy as np

from snnc.rtl.engines.pixel_list.timing import Timing
from snnc.sim.models.stimulus import from_images
from tests.rtl.pixel_list_engines import dense_case, engine_plan
from tests.rtl.word_engines import Receiver


def _run(images: np.ndarray, *, steps: int) -> tuple[Timing, Receiver]:
    case = dense_case((1, 2, 2), 2, 1, time_steps=steps)
    stimulus = from_images(images, time_steps=steps)
    timing = Timing(engine_plan(case), stimulus)
    timing.outputs = link = Receiver(np.ones((steps, 2, len(images)), dtype=np.bool_), 4, 1)
    timing.run()
    return timing, link


def test_two_words() -> None:
    # Three beats, issued at 1 to 3; the first transfer at 4. The second word's taps from 6 to 8. The first word's steps
    # take 6 cycles from 6 on, so that the second transfer waits until 12: its first spikes, of an operation issued 4
    # cycles later, execute at 12 + 4 + 3 and leave a cycle after. Then the first word of the second step is read, and
    # the second word's spikes of it come three cycles after those of the first step.
    timing, link = _run(np.array([[[[3, 0], [1, 2]]]]), steps=2)
    assert [at.tolist() for at in link.executed] == [[4 + 4 + 4], [12 + 4 + 4], [20 + 2], [23 + 2]]
    assert timing.first_issue.tolist() == [1]
    assert timing.first_execute.tolist() == [4]
    assert timing.last_execute.tolist() == [23 + 1]
    assert timing.operations.tolist() == [2 * (3 + 1 + 1)]


def test_a_blank_image_is_one_tap() -> None:
    timing, link = _run(np.zeros((1, 1, 2, 2), dtype=np.int64), steps=1)
    # The tap at 1, the transfers at 2 and, behind the first word's only step, at 2 + 1 + 3 + 1.
    assert [at.tolist() for at in link.executed] == [[2 + 4 + 4], [7 + 4 + 4]]
    assert timing.operations.tolist() == [2 * (1 + 1)]
