"""What an event makes an engine do: operations in order, from the geometry of a projection alone."""

from __future__ import annotations

from dataclasses import dataclass

from snnc.compiler.plan import EnginePlan, ProjectionPlan
from snnc.rtl.walkers.convolution.plan import ConvolutionWalk
from snnc.rtl.walkers.dense.plan import DenseWalk

__all__ = ["Event", "Step", "walk"]

Event = tuple[int, int, int]
"""Channel, row and column of a neuron that spikes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One accumulate: a word's address, its weight row, and the columns right of it that it is on as well."""

    word: int
    row: int
    more: int = 0


def walk(engine: EnginePlan, projection: ProjectionPlan, event: Event) -> list[Step]:
    """`docs/timing.md`, one of the two walkers, and the record of the walk for the weight rows."""
    if isinstance(projection.walk, DenseWalk):
        return _dense(engine, projection, projection.walk.pool, event)
    assert isinstance(projection.walk, ConvolutionWalk)
    return _convolution(engine, projection, projection.walk, event)


def _dense(engine: EnginePlan, projection: ProjectionPlan, pool: int, event: Event) -> list[Step]:
    source, target = projection.source_layout, engine.layout
    channel, row, column = event
    pooled_columns = source.columns // pool
    position = row // pool << (pooled_columns - 1).bit_length() | column // pool
    group, lane = divmod(channel, source.lanes)
    index = (position * source.groups + group) * source.lanes + lane
    words = [
        target.address(y, x, g) for y in range(target.rows) for x in range(target.columns) for g in range(target.groups)
    ]
    return [Step(word=word, row=index * projection.row_stride + k) for k, word in enumerate(words)]


def _convolution(engine: EnginePlan, projection: ProjectionPlan, walk: ConvolutionWalk, event: Event) -> list[Step]:
    source, target, kernel = projection.source_layout, engine.layout, walk.kernel
    channel, row, column = event

    def seen(axis: int, at: int, targets: int) -> list[tuple[int, int]]:
        """Positions along an axis that see `at`, with the kernel position through which they do."""
        size, stride, padding, dilation = (
            pair[axis] for pair in (kernel.size, kernel.stride, kernel.padding, kernel.dilation)
        )
        taps = [(y, u) for y in range(targets) for u in range(size) if y * stride + u * dilation - padding == at]
        return sorted(taps)

    rows = seen(0, row // walk.pool, target.rows)
    columns = seen(1, column // walk.pool, target.columns)
    # A channel's own convolution group, which lies in `row_stride` groups of the target's words, or all.
    of_group = target.channels // kernel.groups
    first = channel // (source.channels // kernel.groups) * of_group // target.lanes
    if projection.row_stride == target.groups:
        first = 0
    at_once = engine.column_banks if walk.next_column_rows is not None else 1
    return [
        Step(
            word=target.address(y, columns[k][0], g),
            row=((channel * kernel.size[0] + u) * kernel.size[1] + columns[k][1]) * projection.row_stride + g - first,
            more=min(at_once, len(columns) - k) - 1,
        )
        for y, u in rows
        for k in range(0, len(columns), at_once)
        for g in range(first, first + projection.row_stride)
    ]
