"""The image engine against the contract's sums, word for word and cycle for cycle."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import pytest

from snnc.compiler.ir import Reset
from snnc.compiler.plan import MemoryKind
from snnc.rtl.engines.image.circuit import ImageEngine
from snnc.rtl.engines.image.timing import Timing
from snnc.sim.models.stimulus import stimulus
from tests.rtl.image_engines import Case, engine_plan, input_plan, write_images
from tests.rtl.memories import simulate_memories
from tests.rtl.word_engines import Receiver, beats_for, entering, existing, expected, images_for, run

CASES = {
    "one pixel": Case(source=(1, 1, 1), channels=2, lanes=2, kernel=(1, 1)),
    "padding": Case(source=(1, 4, 5), channels=3, lanes=3, kernel=(3, 3), padding=(1, 1)),
    "stride": Case(source=(1, 6, 5), channels=4, lanes=4, kernel=(3, 2), stride=(2, 1), time_steps=2),
    "groups": Case(source=(2, 4, 4), channels=5, lanes=2, kernel=(3, 3), stride=(2, 2), padding=(1, 1), half=True),
    "dilation": Case(
        source=(3, 5, 4), channels=3, lanes=4, kernel=(2, 2), padding=(1, 0), dilation=(2, 2), reset=Reset.HARD
    ),
    "no pixel": Case(source=(2, 2, 2), channels=2, lanes=2, kernel=(2, 2), padding=(4, 4), dilation=(4, 4)),
    "one step": Case(source=(1, 4, 4), channels=3, lanes=2, kernel=(2, 2), time_steps=1, shift=2),
    "banks": Case(source=(2, 4, 3), channels=4, lanes=2, kernel=(3, 3), padding=(1, 1), banks=3, half=True),
    "constants": Case(
        source=(1, 3, 3), channels=7, lanes=2, kernel=(2, 2), constants=MemoryKind.EBR, half=True, bits=6
    ),
    "hard half": Case(source=(1, 3, 3), channels=2, lanes=1, kernel=(2, 2), half=True, reset=Reset.HARD, shift=1),
    "hard, eager": Case(source=(1, 3, 3), channels=4, lanes=2, kernel=(2, 2), eager=True, reset=Reset.HARD),
    "products": Case(
        source=(2, 4, 4), channels=5, lanes=3, kernel=(3, 3), stride=(2, 1), padding=(1, 1), half=True, multiplies=True
    ),
    "products, banks": Case(source=(1, 4, 4), channels=3, lanes=2, kernel=(2, 2), banks=2, bits=6, multiplies=True),
    "summed": Case(
        source=(2, 4, 4), channels=5, lanes=5, kernel=(3, 3), padding=(1, 1), half=True, multiplies=True, summed=5
    ),
    "summed and not": Case(
        source=(1, 4, 4), channels=8, lanes=4, kernel=(2, 2), banks=2, bits=5, multiplies=True, summed=2, shift=1
    ),
    "two pixels": Case(source=(4, 3, 3), channels=3, lanes=2, kernel=(2, 2), padding=(1, 0), half=True, pixels=2),
    "three pixels": Case(source=(3, 4, 5), channels=3, lanes=3, kernel=(2, 3), multiplies=True, pixels=3),
    "three pixels, digits": Case(
        source=(3, 3, 3), channels=4, lanes=2, kernel=(2, 2), padding=(3, 3), dilation=(3, 3), pixels=3, bits=6
    ),
    "one bit": Case(source=(1, 3, 3), channels=2, lanes=2, kernel=(2, 2), bits=1, banks=2, time_steps=1),
}
CASES |= {
    f"{name}, skipping": dataclasses.replace(case, skips=True, late=bool(number % 2))
    for number, (name, case) in enumerate(CASES.items())
    if case.pixels == 1
}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def make(case: Case, behind: int) -> ImageEngine:
        simulate_memories(monkeypatch, tmp_path, "snnc.rtl.memories")
        write_images(case, tmp_path)
        return ImageEngine(engine_plan(case), input_plan(case), (behind,))

    return make


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("behind", "gap", "service", "hold"), [(4, 0.0, 1, 0.0), (1, 0.4, 2, 0.6)])
def test_spikes_residuals_and_order(engine: Any, name: str, behind: int, gap: float, service: int, hold: float) -> None:
    case = CASES[name]
    images = images_for(case, 2)
    time_steps = case.time_steps if gap else (case.time_steps + 1) // 2
    beats = stimulus(input_plan(case), images, time_steps=time_steps)
    found = run(engine(case, behind), beats_for(case, beats), behind=behind, gap=gap, service=service, hold=hold)
    words, sweeps = expected(case, images, time_steps)
    assert existing(case, found.sweeps) == sweeps
    assert [word[1:] for word in found.words] == words


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("behind", "service"), [(4, 1), (2, 5)])
def test_cycles_are_those_of_the_contract(engine: Any, name: str, behind: int, service: int) -> None:
    case = CASES[name]
    images = images_for(case, 3)
    time_steps = min(3, case.time_steps)
    beats = stimulus(input_plan(case), images, time_steps=time_steps)
    pause = case.source_layout.depth + 40
    found = run(engine(case, behind), beats_for(case, beats), behind=behind, service=service, pause=pause)

    plan = engine_plan(case)
    gathering = Timing(plan, beats)
    link = Receiver(entering(case, images, time_steps), behind, service)
    gathering.outputs = link
    gathering.run()
    bounds = [*(found.taken[k] for k in beats.offsets[:-1]), 1 << 60]
    for sample, (start, end) in enumerate(itertools.pairwise(bounds)):
        emitted = [at - start for at, *_ in found.words if start <= at < end]
        assert emitted == [int(cycles[sample]) for cycles in link.executed if cycles[sample] >= 0]
        executed = [at - start for at in found.executed if start <= at < end]
        assert len(executed) == gathering.operations[sample]
        assert executed[0] == gathering.first_execute[sample]
        assert executed[-1] == gathering.last_execute[sample]
        taken = [at - start for at in found.taken if start <= at < end]
        first_marker = int(gathering.first_issue[sample]) - (7 + 2 * case.late if case.skips else 3)
        assert taken[: first_marker + 1] == list(range(first_marker + 1))


@pytest.mark.parametrize("name", ["padding", "padding, skipping"])
def test_the_next_sample_waits_until_the_image_is_cleared(engine: Any, name: str) -> None:
    case = CASES[name]
    beats = stimulus(input_plan(case), images_for(case, 2), time_steps=1)
    found = run(engine(case, 4), beats_for(case, beats), behind=4)
    gathering = Timing(engine_plan(case), beats)
    gathering.outputs = Receiver(entering(case, images_for(case, 2), 1), 4, 1)
    gathering.run()
    # The last word's steps follow its transfer.
    cleared = int(gathering.last_execute[0]) + 2 * case.time_steps + case.source_layout.depth
    assert found.taken[beats.offsets[1]] == cleared + 1
    # What was offered meanwhile is not there twice, nor anything of the image before.
    again = [at - (cleared + 1) for at, *_ in found.words if at > cleared]
    assert again == [int(cycles[1]) for cycles in gathering.outputs.executed if cycles[1] >= 0]
