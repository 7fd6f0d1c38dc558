"""Plans and contents for pixel list engines: a dense layer is a convolution whose kernel is as large as the image."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from snnc.compiler.plan import EnginePlan, MemoryKind
from snnc.rtl.engines.pixel_list.plan import PixelListKind, list_width, spikes_depth
from snnc.rtl.walkers.dense.plan import DenseWalk
from tests.rtl.image_engines import Case, memory, write_images
from tests.rtl.image_engines import engine_plan as image_plan
from tests.rtl.plans import packed, write_words

__all__ = ["dense_case", "engine_plan", "write_contents"]


def dense_case(source: tuple[int, int, int], channels: int, lanes: int, **further: object) -> Case:
    """A layer of so many neurons that all hear all pixels."""
    return Case(source=source, channels=channels, lanes=lanes, kernel=source[1:], multiplies=True, **further)  # type: ignore[arg-type]


def engine_plan(case: Case, *, stride: int | None = None) -> EnginePlan:
    """An engine with all its memories; by default with the next power of two as its row stride."""
    plan, layout, source = image_plan(case), case.layout, case.source_layout
    stride = stride or 1 << (layout.words - 1).bit_length()
    sources = _index(case, source.rows - 1, source.columns - 1, source.channels - 1) + 1
    weights = memory("weights", MemoryKind.EBR, case.lanes * case.weight_bits, sources * stride, case.banks)
    listed = memory("pixels", MemoryKind.EBR, list_width(sources, case.bits), max(2, source.neurons))
    later = memory("spikes", MemoryKind.EBR, case.lanes, max(2, spikes_depth(case.time_steps, layout.address_bits)))
    projection = dataclasses.replace(plan.main, walk=DenseWalk(row_stride=stride, pool=1), weights=weights)
    return dataclasses.replace(
        plan,
        kind=PixelListKind(
            value_bits=case.bits,
            current_bits=case.residual_bits,
            steps=case.time_steps,
            summed=case.summed,
            pixels=listed if layout.words > 1 else None,
            spikes=later if case.time_steps > 1 else None,
        ),
        pipeline=3 + (weights.banks > 1),
        projections=(projection,),
    )


def write_contents(case: Case, plan: EnginePlan, folder: Path) -> None:
    """Contents of the weights and the constants, below ``images``."""
    write_images(case, folder)
    weights, *_ = case.parameters()
    source, stride = case.source_layout, plan.main.row_stride
    rows = [[0] * case.lanes for _ in range(plan.main.weights.depth)]
    for channel in range(case.channels):
        for c in range(source.channels):
            for y in range(source.rows):
                for x in range(source.columns):
                    row = _index(case, y, x, c) * stride + channel // case.lanes
                    rows[row][channel % case.lanes] = int(weights[channel, c, y, x])
    write_words(folder, plan.main.weights, [packed(row, case.weight_bits) for row in rows])


def _index(case: Case, row: int, column: int, channel: int) -> int:
    """`DenseWalk`'s, of a pixel."""
    return (row << case.source_layout.column_bits | column) * case.source[0] + channel
