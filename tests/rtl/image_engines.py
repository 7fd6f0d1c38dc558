"""Plans, contents and an oracle for image engines, from their geometry alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import Encoding, Reset
from snnc.compiler.plan import (
    EnginePlan,
    InputPlan,
    KernelPlan,
    LayoutPlan,
    MemoryKind,
    MemoryPlan,
    PopulationPlan,
    ProjectionPlan,
    QueuePlan,
    Range,
)
from snnc.compiler.plan.residual import constant_fields_of, passes_of
from snnc.rtl.engines.image.plan import ImageKind
from snnc.rtl.walkers.image.plan import ImageWalk, mark_depth

__all__ = [
    "WALKS",
    "Case",
    "Oracle",
    "Tap",
    "engine_plan",
    "in_parts",
    "input_plan",
    "oracle",
    "taps",
    "visits",
    "write_images",
]

IntArray: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One engine and its weights, drawn from `seed`."""

    source: tuple[int, int, int]
    channels: int
    lanes: int
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    time_steps: int = 4
    bits: int = 4
    weight_bits: int = 4
    shift: int = 0
    reset: Reset = Reset.SOFT
    half: bool = False
    eager: bool = False  # a bias alone can reach a threshold
    banks: int = 1
    constants: MemoryKind = MemoryKind.LUT
    residual_bits: int = 14
    multiplies: bool = False
    skips: bool = False
    late: bool = False  # marks go to a register
    summed: int = 0
    pixels: int = 1  # channels that a beat brings
    seed: int = 0

    @property
    def target(self) -> tuple[int, int, int]:
        """Shape of the layer."""
        rows, columns = (
            (self.source[1 + k] + 2 * self.padding[k] - self.dilation[k] * (self.kernel[k] - 1) - 1) // self.stride[k]
            + 1
            for k in range(2)
        )
        return self.channels, rows, columns

    @property
    def layout(self) -> LayoutPlan:
        channels, rows, columns = self.target
        return LayoutPlan(channels=channels, rows=rows, columns=columns, lanes=self.lanes)

    @property
    def source_layout(self) -> LayoutPlan:
        channels, rows, columns = self.source
        return LayoutPlan(channels=channels, rows=rows, columns=columns, lanes=self.pixels)

    def parameters(self) -> tuple[IntArray, IntArray, IntArray, IntArray]:
        """Weights ``(channel, source channel, row, column)``, and per channel bias, threshold, initial membrane."""
        generator = np.random.default_rng(self.seed)
        top = 2 ** (self.weight_bits - 1) - 1
        weights = generator.integers(-top, top + 1, (self.channels, self.source[0], *self.kernel))
        scale = top * 2**self.bits << self.shift
        bias = generator.integers(-scale // 8, scale // 8 + 1, self.channels)
        threshold = generator.integers(1, scale // (16 if self.eager else 1) + 1, self.channels)
        return weights, bias, threshold, threshold >> 1 if self.half else np.zeros_like(threshold)


WALKS = {
    "one pixel": Case(source=(1, 1, 1), channels=2, lanes=2, kernel=(1, 1)),
    "inside": Case(source=(2, 4, 5), channels=3, lanes=2, kernel=(2, 3)),
    "padding": Case(source=(1, 4, 5), channels=3, lanes=1, kernel=(3, 3), padding=(1, 1)),
    "stride": Case(source=(3, 6, 5), channels=4, lanes=2, kernel=(3, 2), stride=(2, 1), padding=(1, 1)),
    "dilation": Case(source=(2, 5, 4), channels=3, lanes=4, kernel=(2, 2), padding=(1, 0), dilation=(2, 2)),
    "tall dilation": Case(source=(1, 7, 3), channels=2, lanes=2, kernel=(3, 1), dilation=(2, 1)),
    "wide padding": Case(source=(1, 3, 3), channels=2, lanes=1, kernel=(3, 3), padding=(2, 2)),
    "no pixel": Case(source=(2, 2, 2), channels=2, lanes=2, kernel=(2, 2), padding=(4, 4), dilation=(4, 4)),
    "two pixels": Case(source=(4, 4, 3), channels=3, lanes=2, kernel=(2, 2), padding=(0, 1), pixels=2),
    "three pixels": Case(source=(3, 4, 5), channels=2, lanes=2, kernel=(3, 3), padding=(1, 1), pixels=3),
    "a row": Case(source=(1, 1, 7), channels=3, lanes=1, kernel=(1, 3), padding=(0, 1), stride=(1, 3)),
}
"""Kernels and images of all sorts."""

Tap = tuple[int, int, bool]
"""Address of the pixel's word, weight row, and whether there is none."""


def taps(case: Case, row: int, column: int, group: int) -> list[Tap]:
    """`docs/timing.md`: by source channel, kernel row and kernel column, those inside; or one of each."""
    stride, padding, dilation = case.stride, case.padding, case.dilation
    height, width = case.source[1:]
    rows = [u for u in range(case.kernel[0]) if 0 <= row * stride[0] + u * dilation[0] - padding[0] < height]
    columns = [v for v in range(case.kernel[1]) if 0 <= column * stride[1] + v * dilation[1] - padding[1] < width]
    found = []
    for channel in range(case.source[0]):
        for u in rows or [0]:
            for v in columns or [0]:
                address = case.source_layout.address(
                    row * stride[0] + u * dilation[0] - padding[0] if rows else 0,
                    column * stride[1] + v * dilation[1] - padding[1] if columns else 0,
                    channel // case.pixels,
                )
                weight = ((channel * case.kernel[0] + u) * case.kernel[1] + v) * case.layout.groups + group
                found.append((address, weight, not (rows and columns)))
    return found


def in_parts(plan: EnginePlan, parts: int) -> EnginePlan:
    """The engine as so many units, which it is in front of spike maps alone."""
    if parts == 1:
        return plan
    assert isinstance(plan.kind, ImageKind)
    return dataclasses.replace(plan, kind=dataclasses.replace(plan.kind, map_steps=2), column_banks=parts)


def visits(
    case: Case, part: int, parts: int, of_word: Callable[[list[Tap]], Iterable[Tap]] = lambda found: found
) -> list[tuple[int, Tap, bool, bool]]:
    """What a unit's walk visits, in order: the word, `of_word` of its taps, whether it is its last one, and the last
    word's.
    """
    layout = case.layout
    words = [
        (layout.address(row, column, group), list(of_word(taps(case, row, column, group))))
        for row in range(layout.rows)
        for column in range(layout.columns)
        if (column + row) % parts == part
        for group in range(layout.groups)
    ]
    return [
        (word, tap, k == len(found) - 1, word == words[-1][0]) for word, found in words for k, tap in enumerate(found)
    ]


def memory(name: str, kind: MemoryKind, width: int, depth: int, banks: int = 1) -> MemoryPlan:
    """Its cost does not matter here."""
    bank_depth = depth if banks == 1 else 1 << (-(-depth // banks) - 1).bit_length()
    return MemoryPlan(
        name=name, kind=kind, width=width, depth=depth, bank_depth=bank_depth, blocks=0, bits_used=0, bits_paid=0
    )


def input_plan(case: Case) -> InputPlan:
    return InputPlan(name="input", encoding=Encoding.DIRECT, layout=case.source_layout, value_bits=case.bits)


def engine_plan(case: Case) -> EnginePlan:
    """An engine with all its memories."""
    layout, bits = case.layout, case.residual_bits
    rows = case.source[0] * case.kernel[0] * case.kernel[1] * layout.groups
    further = case.lanes * (case.time_steps - 1)
    weights = memory("weights", MemoryKind.EBR, case.lanes * case.weight_bits, rows, case.banks)
    kernel = KernelPlan(size=case.kernel, stride=case.stride, padding=case.padding, dilation=case.dilation, groups=1)
    projection = ProjectionPlan(
        source="input",
        source_layout=case.source_layout,
        walk=ImageWalk(row_stride=layout.groups, kernel=kernel),
        weight_bits=case.weight_bits,
        shift=case.shift,
        weights=weights,
        delay=0,
        queue=QueuePlan(depth=2, latency=1),
        digits=None,
    )
    anything = Range(low=-1, high=1)
    passes = passes_of(fires=True, floor=False, leaks=False)
    return EnginePlan(
        population=PopulationPlan(
            name="engine",
            shape=(layout.channels, layout.rows, layout.columns),
            reset=case.reset,
            leak_shift=None,
            floor=False,
            input_current=anything,
            before_reset=anything,
            after_reset=anything,
        ),
        kind=ImageKind(
            value_bits=case.bits,
            current_bits=bits,
            multiplies=case.multiplies,
            marks_registered=case.late,
            summed=case.summed,
            pixels=memory("pixels", MemoryKind.EBR, case.pixels * case.bits, case.source_layout.depth),
            marks=memory("marks", MemoryKind.EBR, case.source[2], mark_depth(case.source_layout))
            if case.skips
            else None,
            spikes=memory("spikes", MemoryKind.EBR, further, layout.depth) if further else None,
        ),
        column_banks=1,
        layout=layout,
        passes=passes,
        membrane_pass=0,
        constant_fields=constant_fields_of(passes, initial=True),
        pipeline=2 + (weights.banks > 1) + case.multiplies,
        registered=True,
        staged=False,
        forwards=False,
        waits=False,
        emission=1,
        residual_bits=bits,
        membrane=memory("membrane", MemoryKind.REGISTERS, case.lanes * bits, 1),
        constants=memory("constants", case.constants, 3 * case.lanes * bits, layout.groups),
        projections=(projection,),
    )


def write_images(case: Case, folder: Path) -> None:
    """Contents of the weights and the constants, below ``images``."""
    plan = engine_plan(case)
    weights, bias, threshold, initial = case.parameters()
    groups, lanes = case.layout.groups, case.lanes

    def padded(values: IntArray, padding: int = 0) -> IntArray:
        wide = np.full((groups * lanes, *values.shape[1:]), padding, dtype=np.int64)
        wide[: len(values)] = values
        return wide.reshape(groups, lanes, *values.shape[1:])

    grouped = padded(weights)
    rows = grouped.transpose(2, 3, 4, 0, 1).reshape(-1, lanes)
    # Lanes without a channel never spike.
    fields = [padded(bias - threshold, -1), padded(bias), padded(initial + bias - threshold, -1)]
    constants = np.concatenate(fields, axis=1)
    _write(folder, plan.projections[0].weights, _words(rows, case.weight_bits))
    _write(folder, plan.constants, _words(constants, case.residual_bits))


def _words(values: IntArray, bits: int) -> list[int]:
    return [sum((int(value) & (1 << bits) - 1) << bits * k for k, value in enumerate(row)) for row in values]


def _write(folder: Path, plan: MemoryPlan, words: list[int]) -> None:
    for bank in range(plan.banks):
        part = words[bank * plan.bank_depth : (bank + 1) * plan.bank_depth]
        name = plan.name if plan.banks == 1 else f"{plan.name}.{bank}"
        path = folder / "images" / f"{name}.hex"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"{word:x}\n" for word in part))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Oracle:
    """Spikes and residuals, both ``(sample, time, channel, row, column)``."""

    spikes: npt.NDArray[np.bool_]
    residuals: IntArray


def oracle(case: Case, images: npt.NDArray[Any]) -> Oracle:
    """Section 2 of the contract, one product at a time; `images` are ``(sample, channel, row, column)``."""
    weights, bias, threshold, initial = (array[..., np.newaxis, np.newaxis] for array in case.parameters())
    weights = weights[..., 0, 0]
    channels, rows, columns = case.target
    current = np.zeros((len(images), channels, rows, columns), dtype=np.int64)
    for y, x, u, v in np.ndindex(rows, columns, *case.kernel):
        h = y * case.stride[0] + u * case.dilation[0] - case.padding[0]
        w = x * case.stride[1] + v * case.dilation[1] - case.padding[1]
        if 0 <= h < case.source[1] and 0 <= w < case.source[2]:
            current[:, :, y, x] += images[:, :, h, w] @ weights[:, :, u, v].T
    current = bias + (current << case.shift)
    membrane = np.broadcast_to(initial, current.shape)
    spikes, residuals = [], []
    for _ in range(case.time_steps):
        membrane = membrane + current
        fired = membrane >= threshold
        membrane = np.where(fired, membrane - threshold if case.reset is Reset.SOFT else 0, membrane)
        spikes.append(fired)
        residuals.append(membrane + bias - threshold)
    return Oracle(spikes=np.stack(spikes, axis=1), residuals=np.stack(residuals, axis=1))
