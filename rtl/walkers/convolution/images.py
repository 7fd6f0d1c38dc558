"""The weight rows of a convolution's walk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import Convolution
from snnc.compiler.plan import EnginePlan, ProjectionPlan
from snnc.rtl.walkers.convolution.plan import ConvolutionWalk

__all__ = ["kernel_rows", "weight_rows"]


def weight_rows(engine: EnginePlan, plan: ProjectionPlan, projection: Convolution) -> npt.NDArray[np.int64]:
    """Rows as `ConvolutionWalk` says where they lie: ``(rows, lanes)``."""
    walk = plan.walk
    assert isinstance(walk, ConvolutionWalk)
    source, target = plan.source_layout, engine.layout
    first = [walk.first_group(channel, source, target) for channel in range(source.channels)]
    return kernel_rows(engine, plan, projection, first)


def kernel_rows(
    engine: EnginePlan, plan: ProjectionPlan, projection: Convolution, first: Sequence[int]
) -> npt.NDArray[np.int64]:
    """Per source channel and kernel position, the groups of the target that the channel reaches, from `first` on."""
    target, row_stride = engine.layout, plan.row_stride
    weight = projection.weight.astype(np.int64)
    channels, (height, width) = plan.source_layout.channels, projection.kernel
    outputs, inputs = target.channels // projection.groups, channels // projection.groups
    rows = np.zeros((channels, height, width, row_stride, target.lanes), np.int64)
    for channel in range(channels):
        block, inside = divmod(channel, inputs)
        # Every lane of every group, most of them 0 where the channel reaches a part only.
        everything = np.zeros((height, width, target.groups * target.lanes), np.int64)
        mine = slice(block * outputs, (block + 1) * outputs)
        everything[..., mine] = weight[mine, inside].transpose(1, 2, 0)
        grouped = everything.reshape(height, width, target.groups, target.lanes)
        rows[channel] = grouped[:, :, first[channel] : first[channel] + row_stride]
    return rows.reshape(-1, target.lanes)
