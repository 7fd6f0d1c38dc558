"""Plans of single engines, from what a bench is about alone: everything else is as small as it may be."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import Reset
from snnc.compiler.plan import (
    ConstantField,
    DigitPlan,
    EnginePlan,
    KernelPlan,
    LayoutPlan,
    MemoryKind,
    MemoryPlan,
    PopulationPlan,
    ProjectionPlan,
    QueuePlan,
    Range,
)
from snnc.compiler.plan.residual import constant_fields_of, membrane_pass_of, passes_of
from snnc.rtl.engines.scatter.plan import ScatterKind
from snnc.rtl.walkers.convolution.plan import ConvolutionWalk
from snnc.rtl.walkers.dense.plan import DenseWalk

__all__ = ["Neuron", "convolution", "dense", "engine", "layout", "memory", "packed", "write_words"]

_ANYTHING = Range(low=-1, high=1)


def layout(channels: int, rows: int = 1, columns: int = 1, *, lanes: int = 1) -> LayoutPlan:
    return LayoutPlan(channels=channels, rows=rows, columns=columns, lanes=lanes)


def memory(name: str, width: int, depth: int, kind: MemoryKind = MemoryKind.EBR, *, banks: int = 1) -> MemoryPlan:
    """Its cost does not matter here."""
    bank_depth = depth if banks == 1 else 1 << (-(-depth // banks) - 1).bit_length()
    return MemoryPlan(
        name=name, kind=kind, width=width, depth=depth, bank_depth=bank_depth, blocks=0, bits_used=0, bits_paid=0
    )


def dense(
    source: LayoutPlan,
    target: LayoutPlan,
    *,
    pool: int = 1,
    weight_bits: int = 4,
    shift: int = 0,
    delay: int = 0,
    value_bits: int | None = None,
    current_bits: int = 12,
    current: MemoryKind = MemoryKind.REGISTERS,
    weights: MemoryKind = MemoryKind.EBR,
    banks: int = 1,
    name: str = "weights",
) -> ProjectionPlan:
    """All to all; with `value_bits` after pixels."""
    rows, columns = source.rows // pool, source.columns // pool
    # A row's bit fields are {pooled row, pooled column, group, lane}, the two last as products.
    positions = layout(1, rows, columns).depth
    digits = None
    if value_bits is not None:
        depth = target.words if current is MemoryKind.REGISTERS else target.depth
        kept = memory("current", target.lanes * current_bits, depth, current)
        digits = DigitPlan(value_bits=value_bits, current=_ANYTHING, current_bits=current_bits, memory=kept)
    depth = positions * source.groups * source.lanes * target.words
    return ProjectionPlan(
        source="source",
        source_layout=source,
        walk=DenseWalk(row_stride=target.words, pool=pool),
        weight_bits=weight_bits,
        shift=shift,
        weights=memory(name, target.lanes * weight_bits, depth, weights, banks=banks),
        delay=delay,
        queue=QueuePlan(depth=4, latency=1),
        digits=digits,
    )


def convolution(
    source: LayoutPlan,
    target: LayoutPlan,
    *,
    size: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
    row_stride: int | None = None,
    pool: int = 1,
    weight_bits: int = 4,
    shift: int = 0,
    name: str = "weights",
) -> ProjectionPlan:
    """A convolution in `groups`, with `row_stride` weight rows for each channel and kernel position."""
    stride_rows = target.groups if row_stride is None else row_stride
    kernel = KernelPlan(size=size, stride=stride, padding=padding, dilation=dilation, groups=groups)
    depth = source.channels * size[0] * size[1] * stride_rows
    return ProjectionPlan(
        source="source",
        source_layout=source,
        walk=ConvolutionWalk(row_stride=stride_rows, pool=pool, kernel=kernel),
        weight_bits=weight_bits,
        shift=shift,
        weights=memory(name, target.lanes * weight_bits, depth),
        delay=0,
        queue=QueuePlan(depth=4, latency=1),
        digits=None,
    )


def engine(
    target: LayoutPlan,
    projections: Sequence[ProjectionPlan] = (),
    *,
    readout: bool = False,
    reset: Reset = Reset.SOFT,
    leak_shift: int | None = None,
    floor: bool = False,
    column_banks: int = 1,
    registered: bool = False,
    staged: bool = False,
    residual_bits: int = 12,
    membrane: MemoryKind = MemoryKind.EBR,
    constants: MemoryKind = MemoryKind.LUT,
) -> EnginePlan:
    """A population; without `projections`, one that hears a single neuron."""
    projections = tuple(projections) or (dense(layout(1), target),)
    pipeline = 1 + max(projection.weights.banks > 1 for projection in projections)
    registered |= any(projection.digits is not None for projection in projections) or len(projections) > 1
    in_bank = dataclasses.replace(target, columns=-(-target.columns // column_banks))
    depth = target.words if membrane is MemoryKind.REGISTERS else in_bank.depth
    in_block = membrane is MemoryKind.EBR
    in_turn = all(projection.walk.in_turn for projection in projections)
    returns = any(projection.walk.returns for projection in projections)
    passes = passes_of(fires=not readout, floor=floor, leaks=leak_shift is not None)
    fields = constant_fields_of(passes, initial=in_block)
    population = PopulationPlan(
        name="engine",
        shape=(target.channels, target.rows, target.columns),
        reset=None if readout else reset,
        leak_shift=leak_shift,
        floor=floor,
        input_current=_ANYTHING,
        before_reset=_ANYTHING,
        after_reset=_ANYTHING,
    )
    return EnginePlan(
        population=population,
        kind=ScatterKind(),
        layout=target,
        column_banks=column_banks,
        passes=passes,
        membrane_pass=membrane_pass_of(passes),
        constant_fields=fields,
        pipeline=pipeline + registered + staged + (column_banks > 1),
        registered=registered,
        staged=staged,
        forwards=staged and not in_turn,
        waits=not staged and target.words > 1 and returns,
        emission=int(in_block and not staged),
        residual_bits=residual_bits,
        membrane=memory("membrane", target.lanes * residual_bits, depth, membrane),
        constants=memory("constants", len(fields) * target.lanes * residual_bits, target.groups, constants),
        projections=projections,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Neuron:
    """One neuron of `docs/semantics.md`, section 2, and the residual that hardware keeps in its place."""

    threshold: int = 1
    bias: int = 0
    initial: int = 0
    reset: Reset | None = Reset.SOFT
    leak_shift: int | None = None
    floor: int | None = None

    def step(self, membrane: int, current: int) -> tuple[bool, int]:
        """Spike and next membrane, after a step with the weighted sums `current`; a readout has no `reset`."""
        before = self.leaked(membrane) + self.bias + current
        if self.reset is None:
            return False, before
        fired = before >= self.threshold
        after = (before - self.threshold if self.reset is Reset.SOFT else 0) if fired else before
        return fired, after if self.floor is None else max(after, self.floor)

    def leaked(self, membrane: int) -> int:
        return membrane if self.leak_shift is None else membrane - (membrane >> self.leak_shift)

    def residual(self, membrane: int) -> int:
        """``leak(V) + bias - threshold``; of a readout, which has its bias when a step ends, ``V``, or if it leaks
        ``leak(V) - 1``.
        """
        if self.reset is None:
            return membrane if self.leak_shift is None else self.leaked(membrane) - 1
        return self.leaked(membrane) + self.bias - self.threshold

    def constants(self) -> dict[ConstantField, int]:
        """What the passes of a sweep add, from what each of them leaves (`SweepPass`): ``z`` is the floor, or 0."""
        if self.reset is None:
            return {ConstantField.BIAS: self.bias + (self.leak_shift is not None)}
        z, to_next = self.floor or 0, self.bias - self.threshold
        leaks, floors = self.leak_shift is not None, self.floor is not None
        # FIRE leaves V - z, or the next residual where it is the only pass. A soft reset leaves X, a hard one 0.
        silent = self.threshold - z + (0 if floors or leaks else to_next)
        fired = -z + (0 if floors or leaks else to_next)
        return {
            ConstantField.FIRED: fired,
            ConstantField.SILENT: silent,
            ConstantField.FLOOR: z + (0 if leaks else to_next),
            ConstantField.BIAS: to_next + 1,
            ConstantField.INITIAL: self.residual(self.initial),
        }


def packed(values: Sequence[int] | npt.NDArray[Any], bits: int) -> int:
    """Numbers of `bits` bits side by side, the first one lowest."""
    return sum((int(value) & (1 << bits) - 1) << bits * k for k, value in enumerate(np.ravel(values)))


def write_words(folder: Path, plan: MemoryPlan, words: Sequence[int]) -> None:
    """The contents of a memory, where `image_path` says."""
    assert len(words) == plan.depth
    for bank in range(plan.banks):
        name = plan.name if plan.banks == 1 else f"{plan.name}.{bank}"
        path = folder / "images" / f"{name}.hex"
        path.parent.mkdir(exist_ok=True)
        part = words[bank * plan.bank_depth : (bank + 1) * plan.bank_depth]
        path.write_text("".join(f"{word:x}\n" for word in part))
