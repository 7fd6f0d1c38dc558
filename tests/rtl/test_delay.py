"""The delay: a source's steps, later, for a listener that walks when it likes."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from snnc.rtl.beats import Marker
from snnc.rtl.delay import Delay
from tests.rtl.benches import PACES, paced, settled, simulate
from tests.rtl.plans import engine, layout

Word = tuple[int, int, int]
"""Word, mask, marker."""

NONE, STEP, SAMPLE = Marker.NONE.value, Marker.STEP.value, Marker.SAMPLE.value


def source_steps(steps: int, seed: int) -> list[list[Word]]:
    """A sample's spike words, step by step; the last word of each has the marker."""
    generator = random.Random(seed)
    return [
        [(k, generator.randrange(1, 4), NONE) for k in range(generator.randrange(3))]
        + [(2, generator.randrange(4), SAMPLE if step == steps - 1 else STEP)]
        for step in range(steps)
    ]


@dataclass
class Oracle:
    """The contract's row on the delay, cycle by cycle."""

    delay: int
    step: int | None = 0  # the step that is being given
    following: int = 0
    dropping: int = 0  # samples

    def offers(self, available: bool) -> bool:
        if self.step is None:
            return False
        if self.step < self.delay:
            return self.dropping < 3
        return available and not self.dropping

    def takes(self, available: bool, ready: bool) -> bool:
        if self.dropping:
            return available
        return available and ready and self.step is not None and self.step >= self.delay

    def advance(self, given_marker: int, dropped_marker: int, step: bool, sample: bool) -> None:
        """To the next cycle: `step` is the listener's last operation of a step, `sample` that of a sample."""
        if given_marker:
            self.step = None
        self.dropping += (step and sample) - (dropped_marker == SAMPLE)
        if step:
            self.following = 0 if sample else self.following + 1
            self.step = self.following


@dataclass
class Listener:
    """Takes a step's words, walks for a while, and says so at its last operation."""

    lengths: list[int]
    seed: int
    got: list[list[list[Word]]] = field(default_factory=lambda: [[[]]])
    walking: int | None = None

    @property
    def done(self) -> bool:
        return len(self.got) > len(self.lengths)

    def last_operation(self) -> tuple[bool, bool]:
        ends = self.walking == 0
        return ends, ends and len(self.got[-1]) == self.lengths[len(self.got) - 1]


@pytest.mark.parametrize("delay", [1, 2, 3])
@pytest.mark.parametrize(("idle", "stall"), PACES)
@pytest.mark.parametrize("lengths", [[5, 4], [1, 1, 1, 1, 1, 3], [3, 2, 6]], ids=str)
@pytest.mark.parametrize("walk", [0, 2])
def test_a_samples_steps_come_late_and_its_last_ones_not_at_all(
    delay: int, idle: float, stall: float, lengths: list[int], walk: int
) -> None:
    samples = [source_steps(steps, seed) for seed, steps in enumerate(lengths)]
    words = [word for steps in samples for step in steps for word in step]
    oracle, listener = Oracle(delay), Listener(lengths, delay)
    unit = Delay(engine(layout(6, lanes=2)), delay)

    async def process(ctx: Any) -> None:
        sends, takes = paced(idle, "send"), paced(stall, "take")
        position, offered = 0, False
        for _ in range(3000):
            offered = position < len(words) and (offered or next(sends))
            word = words[position] if offered else (1, 3, SAMPLE)
            ready = listener.walking is None and not listener.done and next(takes)
            step, sample = listener.last_operation()
            ctx.set(unit.i.valid, offered)
            ctx.set(unit.i.payload, {"word": word[0], "mask": word[1], "marker": Marker(word[2])})
            ctx.set(unit.o.ready, ready)
            ctx.set(unit.step, step)
            ctx.set(unit.sample, sample)

            assert ctx.get(unit.o.valid) == oracle.offers(offered)
            taken = oracle.takes(offered, ready)
            assert (offered and ctx.get(unit.i.ready)) == taken
            shown = settled(ctx, word=unit.o.payload.word, mask=unit.o.payload.mask, marker=unit.o.payload.marker)
            given = ready and ctx.get(unit.o.valid)
            oracle.advance(
                shown["marker"] if given else NONE, word[2] if taken and oracle.dropping else NONE, step, sample
            )
            if given:
                listener.got[-1][-1].append((shown["word"], shown["mask"], shown["marker"]))
                listener.walking = walk if shown["marker"] else None
            elif listener.walking is not None:
                listener.walking = listener.walking - 1 if listener.walking else None
                if step and sample:
                    listener.got.append([[]])
                elif step:
                    listener.got[-1].append([])
            if taken:
                position, offered = position + 1, False
            await ctx.tick()
            if position == len(words) and listener.done:
                return
        raise AssertionError("the delay hangs")

    simulate(unit, process)
    for steps, got in zip(samples, listener.got, strict=False):
        assert [[word[1:] for word in step] for step in got[:delay]] == [[(0, STEP)]] * min(delay, len(steps))
        assert got[delay:] == steps[: max(0, len(steps) - delay)]


def test_a_delay_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 step"):
        Delay(engine(layout(1)), 0)
