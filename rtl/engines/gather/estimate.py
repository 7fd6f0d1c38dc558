"""A mean sample in an engine whose words gather spikes."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import EnginePlan, KernelPlan, LayoutPlan, Plan
from snnc.rtl.walkers.convolution.estimate import sums_below
from snnc.rtl.walkers.gather.plan import GatherWalk
from snnc.sim.models.timing.means import Activity, Sent, SourceActivity, shared_out

__all__ = ["MeanSample"]

_Floats = npt.NDArray[np.float64]


class MeanSample:
    """`snnc.sim.models.timing.means.MeanTiming`: everything happens in what counts as step 0, row after row."""

    def __init__(self, plan: Plan, engine: EnginePlan, activity: Activity) -> None:
        self._engine = engine
        steps = activity.time_steps
        self._needed: list[tuple[int, ...]] = []
        added, idle = np.zeros(engine.layout.sizes), np.zeros(engine.layout.sizes)
        for projection in engine.projections:
            walk, source = projection.walk, projection.source_layout
            assert isinstance(walk, GatherWalk)
            self._needed.append(_needed(walk.kernel, source.rows, engine.layout.rows))
            for total, values in zip(
                (added, idle), _taps(source, activity.sources[projection.source], steps), strict=True
            ):
                total += sums_below(engine, projection, walk.kernel, values)
        fixed = 1 + steps * len(engine.passes)
        self.operations = float((fixed + added).sum()) * engine.layout.groups / engine.units
        self._rows = shared_out(engine, (fixed + added + idle) * engine.layout.groups)

    def step(self, t: int, free: dict[str, float], sent: dict[str, Sent]) -> None:
        """A row begins when the rows that it sees are complete, of every source."""
        engine = self._engine
        if t == 0:
            come = [sent[projection.source].rows for projection in engine.projections]
            now, rows = np.full(engine.units, free[engine.name]), []
            for *needed, cycles in zip(*self._needed, self._rows, strict=True):
                complete = max(rows_of[last] for rows_of, last in zip(come, needed, strict=True))
                now = np.maximum(now, complete) + cycles
                rows.append(float(now.max()) + engine.pipeline + 6)
            free[engine.name] = float(now.max())
            self._sent = Sent(rows[0], rows[-1], 1 / len(rows), tuple(rows))
        sent[engine.name] = self._sent


@functools.lru_cache(maxsize=2**10)  # a search for lanes asks again and again
def _taps(layout: LayoutPlan, source: SourceActivity, steps: int) -> tuple[_Floats, _Floats]:
    """Spikes of all steps at each position of a source, and the cycles in which one of its words has none to add.

    Such a word takes a cycle, which shows where the word before it had one spike at most; with spikes that are
    independent of each other.
    """
    even = np.full(layout.sizes, 1 / (layout.rows * layout.columns))
    added, idle = np.zeros(layout.sizes), np.zeros(layout.sizes)
    for t in range(steps):
        spikes = source.at(t) * (even if source.shares is None else source.shares)
        of_word = spikes / layout.groups
        added += spikes
        idle += layout.groups * np.exp(-2 * of_word) * (1 + of_word)
    return added, idle


@functools.cache
def _needed(kernel: KernelPlan, source: int, target: int) -> tuple[int, ...]:
    """The last row of the source that each row of the target waits for."""
    reach = (kernel.size[0] - 1) * kernel.dilation[0] - kernel.padding[0]
    seen = [min(at * kernel.stride[0] + reach, source - 1) for at in range(target - 1)]
    return (*seen, source - 1)
