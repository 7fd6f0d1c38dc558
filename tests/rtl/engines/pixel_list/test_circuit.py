"""The pixel list engine against the contract's sums, word for word and cycle for cycle."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnc.compiler.ir import Reset
from snnc.compiler.plan import MemoryKind
from snnc.rtl.engines.pixel_list.circuit import PixelListEngine
from snnc.rtl.engines.pixel_list.timing import Timing
from snnc.sim.models.stimulus import Marker, from_images
from tests.rtl.image_engines import Case, input_plan
from tests.rtl.memories import simulate_memories
from tests.rtl.pixel_list_engines import dense_case, engine_plan, write_contents
from tests.rtl.word_engines import Receiver, beats_for, entering, existing, expected, images_for, run

CASES = {
    "one pixel": dense_case((1, 1, 1), 2, 2),
    "one word": dense_case((1, 4, 5), 3, 4, half=True),
    "two words": dense_case((1, 3, 4), 4, 2, half=True),
    "channels": dense_case((3, 3, 3), 7, 3),
    "hard": dense_case((1, 3, 3), 5, 2, reset=Reset.HARD, half=True, shift=1),
    "hard, eager": dense_case((1, 3, 3), 4, 2, reset=Reset.HARD, eager=True),
    "one step": dense_case((1, 4, 4), 3, 1, time_steps=1, shift=2),
    "two steps": dense_case((1, 4, 4), 3, 1, time_steps=2),
    "banks": dense_case((2, 4, 3), 4, 2, banks=3, half=True),
    "constants": dense_case((1, 3, 3), 7, 2, constants=MemoryKind.EBR, half=True, bits=6, residual_bits=18),
    "one bit": dense_case((1, 3, 3), 4, 2, bits=1, banks=2),
    "summed": dense_case((1, 3, 4), 7, 3, half=True, summed=3),
    "one of three summed": dense_case((1, 3, 4), 6, 3, banks=2, summed=1, reset=Reset.HARD),
    "eight bits": dense_case((1, 2, 3), 4, 2, bits=8, residual_bits=18),
}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def make(case: Case, behind: int, stride: int | None = None) -> PixelListEngine:
        simulate_memories(monkeypatch, tmp_path, "snnc.rtl.memories")
        plan = engine_plan(case, stride=stride)
        assert list(plan.faults()) == []
        write_contents(case, plan, tmp_path)
        return PixelListEngine(plan, input_plan(case), (behind,))

    return make


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("behind", "gap", "service", "hold"), [(4, 0.0, 1, 0.0), (1, 0.4, 2, 0.6)])
def test_spikes_residuals_and_order(engine: Any, name: str, behind: int, gap: float, service: int, hold: float) -> None:
    case = CASES[name]
    images = images_for(case, 3)
    time_steps = case.time_steps if gap else (case.time_steps + 1) // 2
    stimulus = from_images(images, time_steps=time_steps)
    found = run(engine(case, behind), beats_for(case, stimulus), behind=behind, gap=gap, service=service, hold=hold)
    words, sweeps = expected(case, images, time_steps)
    assert existing(case, found.sweeps) == sweeps
    assert [word[1:] for word in found.words] == words


def test_rows_need_no_power_of_two(engine: Any) -> None:
    case = dense_case((1, 3, 4), 5, 2)
    images = images_for(case, 2)
    stimulus = from_images(images, time_steps=case.time_steps)
    found = run(engine(case, 4, stride=3), beats_for(case, stimulus), behind=4)
    assert existing(case, found.sweeps) == expected(case, images, case.time_steps)[1]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("behind", "service"), [(4, 1), (2, 5)])
def test_cycles_are_those_of_the_contract(engine: Any, name: str, behind: int, service: int) -> None:
    case = CASES[name]
    images = images_for(case, 3)
    time_steps = min(3, case.time_steps)
    stimulus = from_images(images, time_steps=time_steps)
    found = run(engine(case, behind), beats_for(case, stimulus), behind=behind, service=service, pause=100)

    timing = Timing(engine_plan(case), stimulus)
    link = Receiver(entering(case, images, time_steps), behind, service)
    timing.outputs = link
    timing.run()
    bounds = [*(found.taken[k] for k in stimulus.offsets[:-1]), 1 << 60]
    for sample, (start, end) in enumerate(itertools.pairwise(bounds)):
        emitted = [at - start for at, *_ in found.words if start <= at < end]
        assert emitted == [int(cycles[sample]) for cycles in link.executed if cycles[sample] >= 0]
        executed = [at - start for at in found.executed if start <= at < end]
        assert len(executed) == timing.operations[sample]
        assert executed[0] == timing.first_execute[sample]
        assert executed[-1] == timing.last_execute[sample]
        taken = [at - start for at in found.taken if start <= at < end]
        taps = _taps(stimulus, sample)
        assert taken[:taps] == list(range(taps))


def _taps(stimulus: Any, sample: int) -> int:
    marker = stimulus.marker[stimulus.offsets[sample] :]
    return int(np.flatnonzero(marker != Marker.NONE)[0]) + 1


def test_the_next_sample_follows_the_last_addition(engine: Any) -> None:
    case = CASES["two words"]
    images = images_for(case, 2)
    stimulus = from_images(images, time_steps=1)
    found = run(engine(case, 4), beats_for(case, stimulus), behind=4)
    timing = Timing(engine_plan(case), stimulus)
    timing.outputs = Receiver(entering(case, images, 1), 4, 1)
    timing.run()
    # The last word's steps follow its transfer, three cycles each, from the second cycle on.
    assert found.taken[stimulus.offsets[1]] == int(timing.last_execute[0]) + 1 + 3 * case.time_steps + 1


def test_pixels_of_0_are_left_out(engine: Any) -> None:
    """Some hosts send every pixel: they cost the first word a cycle each, and no other word any."""
    case = CASES["two words"]
    images = images_for(case, 3)
    found = {}
    for name in ("none", "all"):
        stimulus = _with_zeros(images) if name == "all" else from_images(images, time_steps=2)
        run_ = run(engine(case, 4), beats_for(case, stimulus), behind=4, pause=100)
        assert existing(case, run_.sweeps) == expected(case, images, 2)[1]
        timing = Timing(engine_plan(case), stimulus)
        timing.outputs = link = Receiver(entering(case, images, 2), 4, 1)
        timing.run()
        found[name] = timing
        bounds = [*(run_.taken[k] for k in stimulus.offsets[:-1]), 1 << 60]
        for sample, (start, end) in enumerate(itertools.pairwise(bounds)):
            emitted = [at - start for at, *_ in run_.words if start <= at < end]
            assert emitted == [int(cycles[sample]) for cycles in link.executed if cycles[sample] >= 0]
            executed = [at - start for at in run_.executed if start <= at < end]
            assert (len(executed), executed[0]) == (timing.operations[sample], timing.first_execute[sample])
    zeros = (images == 0).reshape(3, -1).sum(axis=1)
    assert zeros[2] > 0
    # The last beat, which is on the list whatever its value, may be another one.
    assert np.abs(found["all"].operations - found["none"].operations).max() <= case.layout.words


def _with_zeros(images: Any) -> Any:
    """A beat for every pixel, as of an image without a 0; in two steps."""
    full = from_images(np.where(images == 0, 1, images), time_steps=2)
    values = full.value.copy()
    values[full.event] = images.reshape(-1)
    return dataclasses.replace(full, value=values)
