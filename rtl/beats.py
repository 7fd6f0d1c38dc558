"""The payloads that travel between hardware units, and the operations of an engine.

All of them are typed layouts; a Verilog port holds a layout as one flat vector, first field in the low bits.
"""

from enum import unique

from amaranth.hdl import signed, unsigned
from amaranth.lib import data, enum

from snnc.compiler.ir.neurons import Encoding
from snnc.compiler.plan import EnginePlan, InputPlan, LayoutPlan, unsigned_bits

__all__ = [
    "Marker",
    "OperationKind",
    "digit_beat",
    "event_beat",
    "input_beat",
    "operation",
    "result_beat",
    "spike_word",
]


@unique
class Marker(enum.Enum, shape=2):
    """What ends with this beat. It takes effect after the beat's event."""

    NONE = 0
    STEP = 1
    SAMPLE = 2
    """The sample, and with it its last step."""
    CANCEL = 3
    """Reserved."""


@unique
class OperationKind(enum.Enum, shape=2):
    """What an engine does to one membrane word in one cycle."""

    ACCUMULATE = 0
    """Add a row of weights."""
    INJECT = 1
    """Add the stored current of the image."""
    SWEEP = 2
    """Spike, reset, add the bias."""


def event_beat(source: LayoutPlan) -> data.StructLayout:
    """One event, of lane `lane` of the word at `address` in the layout of `source`; or a marker, or both."""
    return data.StructLayout(
        {"address": source.address_bits, "lane": unsigned_bits(source.lanes - 1), "event": 1, "marker": Marker}
    )


def digit_beat(source: LayoutPlan, value_bits: int) -> data.StructLayout:
    """One signed digit of a value: ``+-(1 << shift)`` at `address`. Its `lane` is 0."""
    return data.StructLayout(
        {
            "address": source.address_bits,
            "lane": 1,
            "event": 1,
            "marker": Marker,
            "shift": unsigned_bits(value_bits),
            "negative": 1,
        }
    )


def input_beat(plan: InputPlan) -> data.StructLayout:
    """What the core's input port takes. A value is there for direct encoding only."""
    fields = {"address": plan.layout.address_bits, "event": unsigned(1), "marker": Marker}
    if plan.encoding is Encoding.DIRECT:
        fields["value"] = plan.value_bits
    return data.StructLayout(fields)


def spike_word(engine: EnginePlan) -> data.StructLayout:
    """The spikes of the membrane word at address `word` of the engine's layout, lane 0 the lowest bit of `mask`."""
    return data.StructLayout({"word": engine.layout.address_bits, "mask": engine.lanes, "marker": Marker})


def operation(engine: EnginePlan) -> data.StructLayout:
    """What an engine issues: one membrane word's worth of work.

    ``word`` is an address in the engine's layout, ``row`` the weight row of an accumulate of the projection ``turn``.
    With column banks, an accumulate reaches the ``more`` columns right of ``word``'s as well.
    ``last`` marks the last word of a pass, ``sweep_pass`` says which one of a sweep's it is, and ``marker`` what ends
    with it. ``shift`` and ``negative`` scale an accumulate after a direct-encoded source. ``clear`` makes a sweep write
    the initial membranes without any output: how an engine starts after a reset.
    """
    digits = engine.main.digits
    more = {"more": unsigned_bits(engine.column_banks - 1)} if engine.column_banks > 1 else {}
    return data.StructLayout(
        {
            **more,
            "kind": OperationKind,
            "turn": unsigned_bits(len(engine.projections) - 1),
            "sweep_pass": unsigned_bits(len(engine.passes) - 1),
            "word": engine.layout.address_bits,
            "row": max(unsigned_bits(projection.weights.depth - 1) for projection in engine.projections),
            "last": 1,
            "marker": Marker,
            "shift": unsigned_bits(digits.value_bits) if digits else 1,
            "negative": 1,
            "clear": 1,
        }
    )


def result_beat(readout: EnginePlan) -> data.StructLayout:
    """What the core's output port gives: one logit per beat. ``best`` is the class of the logits so far."""
    index = unsigned_bits(readout.neurons - 1)
    return data.StructLayout({"logit": signed(readout.residual_bits), "index": index, "best": index, "last": 1})
