"""Plans without a network behind them, for tests that only ask when things happen."""

from __future__ import annotations

from snnc.compiler.ir import Encoding, Reset
from snnc.compiler.plan import (
    DigitPlan,
    EnginePlan,
    InputPlan,
    LayoutPlan,
    MemoryKind,
    MemoryPlan,
    Plan,
    PopulationPlan,
    ProjectionPlan,
    QueuePlan,
    Range,
)
from snnc.compiler.plan.residual import constant_fields_of, passes_of
from snnc.rtl.engines.scatter.plan import ScatterKind
from snnc.rtl.walkers.dense.plan import DenseWalk


def make_plan(
    sizes: list[int],
    lanes: list[int],
    *,
    encoding: Encoding = Encoding.EVENTS,
    bits: int = 4,
    pipelines: list[int] | None = None,
    depths: list[int] | None = None,
    time_steps: int = 16,
) -> Plan:
    """A chain of ``sizes[0]`` addresses and an engine for each further size; what does not take time is made up."""
    anything = Range(low=-1, high=1)
    memory = MemoryPlan(
        name="memory", kind=MemoryKind.LUT, width=1, depth=1, bank_depth=1, blocks=0, bits_used=1, bits_paid=1
    )
    digits = DigitPlan(value_bits=bits, current=anything, current_bits=2, memory=memory)
    direct = encoding is Encoding.DIRECT
    engines: list[EnginePlan] = []
    for index, (neurons, width) in enumerate(zip(sizes[1:], lanes, strict=True)):
        words = -(-neurons // width)
        projection = ProjectionPlan(
            source=f"engine{index - 1}" if index else "input",
            walk=DenseWalk(row_stride=words, pool=1),
            source_layout=engines[-1].layout if index else LayoutPlan(channels=sizes[0], rows=1, columns=1, lanes=1),
            weight_bits=4,
            shift=0,
            weights=memory,
            delay=0,
            queue=QueuePlan(depth=depths[index] if depths else 4, latency=1),
            digits=digits if direct and not index else None,
        )
        last = index == len(lanes) - 1
        passes = passes_of(fires=not last, floor=False, leaks=False)
        engines.append(
            EnginePlan(
                population=PopulationPlan(
                    name=f"engine{index}",
                    shape=(neurons, 1, 1),
                    reset=None if last else Reset.SOFT,
                    leak_shift=None,
                    floor=False,
                    input_current=anything,
                    before_reset=anything,
                    after_reset=anything,
                ),
                kind=ScatterKind(),
                column_banks=1,
                layout=LayoutPlan(channels=neurons, rows=1, columns=1, lanes=width),
                passes=passes,
                membrane_pass=0,
                constant_fields=constant_fields_of(passes, initial=False),
                pipeline=pipelines[index] if pipelines else 1,
                registered=False,
                staged=False,
                forwards=False,
                waits=False,
                emission=0,
                residual_bits=8,
                membrane=memory,
                constants=memory,
                projections=(projection,),
            )
        )
    return Plan(
        name="test",
        model_hash="",
        target="ice40",
        device="up5k",
        time_steps=time_steps,
        input=InputPlan(
            name="input", encoding=encoding, layout=engines[0].projections[0].source_layout, value_bits=bits
        ),
        engines=tuple(engines),
    )
