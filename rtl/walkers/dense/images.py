"""The weight rows of a dense walk."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import Dense
from snnc.compiler.plan import EnginePlan, LayoutPlan, ProjectionPlan
from snnc.rtl.walkers.dense.plan import DenseWalk

__all__ = ["weight_rows"]


def weight_rows(engine: EnginePlan, plan: ProjectionPlan, projection: Dense) -> npt.NDArray[np.int64]:
    """Per lane of the source's pooled words, the target's words in order; ``(rows, lanes)``."""
    walk, source, target = plan.walk, plan.source_layout, engine.layout
    assert isinstance(walk, DenseWalk)
    weight = projection.weight.astype(np.int64)
    rows, columns = source.rows // walk.pool, source.columns // walk.pool
    # (source channel, row, column, target word, lane)
    by_word = _by_word(weight.T, target).reshape(source.channels, rows, columns, target.words, target.lanes)
    full = np.zeros(
        (rows, 1 << (columns - 1).bit_length(), source.groups * source.lanes, walk.row_stride, target.lanes), np.int64
    )
    full[:, :columns, : source.channels, : target.words] = by_word.transpose(1, 2, 0, 3, 4)
    return full.reshape(-1, target.lanes)


def _by_word(values: npt.NDArray[np.int64], layout: LayoutPlan) -> npt.NDArray[np.int64]:
    """``(..., neuron)`` to ``(..., word, lane)``, words in the order of their addresses."""
    lead = values.shape[:-1]
    full = np.zeros((*lead, layout.groups * layout.lanes, layout.rows, layout.columns), np.int64)
    full[..., : layout.channels, :, :] = values.reshape(*lead, layout.channels, layout.rows, layout.columns)
    grouped = full.reshape(*lead, layout.groups, layout.lanes, layout.rows, layout.columns)
    axes = len(lead)
    order = (*range(axes), axes + 2, axes + 3, axes, axes + 1)  # row, column, group, lane
    return grouped.transpose(order).reshape(*lead, layout.words, layout.lanes)
