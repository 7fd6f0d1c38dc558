"""When an event-driven engine works: ``docs/timing.md``, in NumPy."""

from __future__ import annotations

import itertools
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import EnginePlan
from snnc.rtl.walkers import witness
from snnc.sim.models.stimulus import Stimulus
from snnc.sim.models.timing.links import Outputs
from snnc.sim.models.timing.timeline import Record, State
from snnc.sim.models.timing.walking import Walker

__all__ = ["Timing"]

IntArray: TypeAlias = npt.NDArray[np.int64]

_LONG_AGO: Final = -(1 << 40)


class Timing:
    """In which cycles an engine issues, for all samples at once. Words go by their number.

    Its walkers say when their events are walked. Steps follow each other: the side projections' events, which were
    recorded as they came, then the main one's.
    """

    def __init__(self, plan: EnginePlan, stimulus: Stimulus) -> None:
        batch = len(stimulus)
        self.plan = plan
        self._stimulus = stimulus
        self.walkers: list[Walker] = [
            witness(projection.walk, "timing").Walker(self, projection, batch) for projection in plan.projections
        ]
        self.outputs: Outputs | None = None
        self.record: Record | None = None
        self.begun = self.done = -1
        """The last step whose side projections have been walked, and the last one that has ended."""
        self.free = np.zeros(batch, dtype=np.int64)
        """First cycle in which the next operation can issue."""
        self.stepped = self.free
        """First cycle after the last operation of the step before."""
        self.ended = self.free
        """The same after this step's."""
        self.answered: dict[int, IntArray] = {}
        """Of a readout, by the steps taken: the cycle in which it is known whether the sample ends with them, or in
        which the last logit of an answer leaves.
        """
        self._asked = _asked(plan, stimulus.time_steps)
        self._last_step = _walked(plan, stimulus.time_steps)
        self.settled = self.free
        """Of a readout: first cycle after the last operation that its logits wait for."""
        self.first_issue = np.full(batch, -1, dtype=np.int64)
        self.operations = np.zeros(batch, dtype=np.int64)
        self.last_word = np.full(batch, -1, dtype=np.int64)
        """Of the operation issued last, where that may make the next one wait."""
        self.last_issue = np.full(batch, _LONG_AGO, dtype=np.int64)
        self.last_swept = np.zeros(batch, dtype=np.bool_)
        """Whether it was a sweep's."""
        self.last_single = np.zeros(batch, dtype=np.bool_)
        """Whether it was a convolution's with a single row for each position."""

    @property
    def main(self) -> Walker:
        return self.walkers[-1]

    @property
    def _leaks_after(self) -> bool:
        """Whether it is a readout whose leak is a pass behind the one that its logits wait for."""
        return not self.plan.population.fires and self.plan.leak_shift is not None

    @property
    def first_execute(self) -> IntArray:
        return self.first_issue + self.plan.pipeline

    @property
    def last_execute(self) -> IntArray:
        return self.free - 1 + self.plan.pipeline

    def run(self) -> None:
        """Follow all samples through this engine, which hears the network's input, and through all behind it."""
        stimulus = self._stimulus
        source = self.main.source(stimulus)
        offered = source.first_offer
        for t in range(stimulus.time_steps):
            self.begin(t)
            # While others have their turn, only what does nothing passes.
            begins = np.maximum(offered + source.leading[t], self.free)
            if self.plan.forwards:
                begins = begins + np.where(source.walks[t], self.waits(0, begins), 0)
            self.free = begins + source.cycles[t] - source.leading[t]
            self.last_word = source.last_word[t]
            self.last_issue = np.where(source.walks[t], self.free - 1 - source.trailing[t], self.last_issue)
            self.last_swept = self.last_swept & ~source.walks[t]
            self.last_single = np.full(len(stimulus), self.main.single)
            if t == 0:
                self.first_issue = np.where(self.first_issue < 0, source.first_issue, self.first_issue)
            if self.record is not None:
                self.record.add(begins, self.free - 1, source.operations[t])
            self.sweep(t)
            offered = self.free
        self.operations = self.operations + source.operations.sum(axis=0)

    def _ask(self, taken: int) -> None:
        """Wait for the answer whether the sample ends with so many steps, or for the logits, if that is asked."""
        self.settled = self.free
        if taken == self._last_step and self._leaks_after:
            self.free = self.free - 1 + self.plan.pipeline + 1 + self.plan.neurons + 1
            return
        if taken in self._stimulus.answers and not self.plan.population.fires:
            # The walker waits for the hand-out.
            self.answered[taken] = self.free - 1 + self.plan.pipeline + 1 + self.plan.neurons
            self.free = self.answered[taken] + 1
            return
        if taken in self._asked:
            answered = self.free - 1 + self.plan.pipeline + self.plan.neurons + 2
            self.answered[self._asked[taken]] = answered
            self.free = answered + 1

    def begin(self, t: int) -> None:
        """Walk what the side projections bring to step `t`."""
        if self.begun >= t:
            return
        self.begun, self.stepped = t, self.ended
        for walker in self.walkers[:-1]:
            walker.take_turn(t)

    def advance(self, t: int) -> None:
        """Come to the end of step `t`: of an engine whose main projection was recorded, too."""
        while self.done < t:
            step = self.done + 1
            if self.main.records:
                self.begin(step)
                self.main.walk_recorded(step)
            else:
                assert self.main.behind is not None
                self.main.behind.advance(t)

    def walked(self, operations: IntArray, first: IntArray, last: IntArray, worked: npt.NDArray[np.bool_]) -> None:
        """Count events' operations, issued from `first` to `last` in the samples that have any."""
        if self.record is not None:
            self.record.add(first, last, operations, here=worked)
        self.operations = self.operations + np.where(worked, operations, 0)
        self.first_issue = np.where(worked & (self.first_issue < 0), first, self.first_issue)

    def went_through(self, here: npt.NDArray[np.bool_]) -> None:
        """The operations up to `free` have gone through all words in turn, in these samples."""
        self.last_issue = np.where(here, self.free - 1, self.last_issue)
        self.last_word = np.where(here, self.plan.words - 1, self.last_word)
        self.last_single = self.last_single & ~here
        self.last_swept = self.last_swept & ~here

    def waits(
        self, word: int, issue: IntArray, *, single: bool = False, sweeps: bool = False
    ) -> IntArray | npt.NDArray[np.bool_] | int:
        """Cycles for which an operation on `word` must wait that could be issued at `issue`."""
        if self.plan.forwards:
            return np.where(self.last_swept != sweeps, np.maximum(0, self.last_issue + 3 - issue), 0)
        if not self.plan.waits:
            return 0
        groups = self.plan.layout.groups
        near = (self.last_issue == issue - 1) & (self.last_word >= 0) & (self.last_word // groups == word // groups)
        return near if single else near & self.last_single

    def sweep(self, t: int) -> None:
        """The sweep of step `t`, whose first pass gives the spikes."""
        words, passes = self.plan.words, len(self.plan.passes) - self._leaks_after
        self.operations = self.operations + words * passes
        self.free = self.free + self.waits(0, self.free, sweeps=True)
        issue = self.free
        for word in range(words) if self.outputs is not None else ():
            assert self.outputs is not None
            issue = np.maximum(self.free, self.outputs.granted())
            if self.record is not None:
                self.record.add(issue, issue, 1, reason=State.ROOM if (issue > self.free).all() else State.INPUT)
            if word == 0:
                self.first_issue = np.where(self.first_issue < 0, issue, self.first_issue)
            self.free = issue + 1
            self.outputs.emit(t, word, issue + self.plan.pipeline + self.plan.emission)
        if self.record is not None:
            rest = words * (passes if self.outputs is None else passes - 1)
            self.record.add(self.free, self.free + rest - 1, rest)
        if self.outputs is None:
            self.first_issue = np.where(self.first_issue < 0, issue, self.first_issue)
            self.free = self.free + words
        self.free = self.free + (passes - 1) * words
        self.went_through(np.ones_like(self.free, dtype=np.bool_))
        self.last_swept = np.ones_like(self.free, dtype=np.bool_)
        if self._leaks_after:
            self._ask(t + 1)
            if self.record is not None:
                self.record.add(self.free, self.free + words - 1, words)
            self.operations = self.operations + words
            self.free = self.free + words
        self.main.ended(self.free - 1)
        self.done = t
        self.ended = self.free
        if not self._leaks_after:
            self._ask(t + 1)
        if self.outputs is not None:
            self.outputs.finish(t)


def _walked(plan: EnginePlan, time_steps: int) -> int:
    """Steps that a readout walks of a sample that takes all of them: those of each attempt, behind a spike map."""
    sealed = plan.population.exit
    if sealed is None or plan.main.queue.steps is None:
        return time_steps
    return sum(step for step in sealed.steps if step < time_steps) + time_steps


def _asked(plan: EnginePlan, time_steps: int) -> dict[int, int]:
    """By the steps that a readout has walked when it is asked: how many the sample has then taken.

    Behind a spike map, each is an attempt of its own.
    """
    sealed = plan.population.exit
    steps = [] if sealed is None else [step for step in sealed.steps if step < time_steps]
    walked = itertools.accumulate(steps) if plan.main.queue.steps is not None else steps
    return dict(zip(walked, steps, strict=True))
