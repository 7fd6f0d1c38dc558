"""The payloads that travel between hardware units, and the operations of an engine.

All of them are layouts with typed fields (`views`); a Verilog port holds a layout as one flat vector, first field in
the low bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import unique

from amaranth.hdl import ShapeLike, Value, signed, unsigned
from amaranth.lib import enum

from snnc.compiler.ir.neurons import Encoding
from snnc.compiler.plan import EnginePlan, InputPlan, LayoutPlan, ProjectionPlan, unsigned_bits
from snnc.compiler.plan.projections import map_depth
from snnc.rtl.views import Fields, Payload

__all__ = [
    "DigitBeat",
    "EventBeat",
    "InputBeat",
    "MapWrite",
    "Marker",
    "Operation",
    "OperationKind",
    "ResultBeat",
    "SpikeWord",
    "Tap",
    "TapWord",
    "digit_beat",
    "event_beat",
    "input_beat",
    "map_address_bits",
    "map_write",
    "operation",
    "result_beat",
    "spike_word",
    "tap",
    "tap_word",
]


@unique
class Marker(enum.Enum, shape=2):
    """What ends with this beat. It takes effect after the beat's event."""

    NONE = 0
    STEP = 1
    SAMPLE = 2
    """The sample, and with it its last step."""
    ANSWER = 3
    """A step, after which a stream's readout hands out its logits; to all other engines as `STEP`.

    Behind spike maps: an attempt, after which the readout is asked whether the sample ends.
    """


@unique
class OperationKind(enum.Enum, shape=2):
    """What an engine does to one membrane word in one cycle."""

    ACCUMULATE = 0
    """Add a row of weights."""
    INJECT = 1
    """Add the stored current of the image."""
    SWEEP = 2
    """Spike, reset, add the bias."""


class EventBeat(Fields):
    """One event, or a marker, or both."""

    address: Value
    lane: Value
    event: Value
    marker: enum.EnumView[Marker]


class DigitBeat(EventBeat):
    """One digit of a value, as an event."""

    shift: Value
    negative: Value


class InputBeat(Fields):
    """What comes through the core's input port."""

    address: Value
    event: Value
    marker: enum.EnumView[Marker]
    value: Value
    """After a direct-encoded input only: the pixels of a word, the lowest channel in the lowest bits."""


class SpikeWord(Fields):
    """The spikes of a membrane word."""

    word: Value
    mask: Value
    marker: enum.EnumView[Marker]


class MapWrite(Fields):
    """The spikes of a membrane word in a step, on their way into spike maps."""

    step: Value
    word: Value
    mask: Value
    final: Value
    """It is the sample's last step,"""
    completes: Value
    """and its row's last word: the row is complete with it."""
    asks: Value
    """It is of an attempt that is asked for its answer; only where samples are computed in attempts."""


class TapWord(Fields):
    """What a word of a gathering engine sees at one kernel position."""

    mask: Value
    base: Value
    begins: Value
    ends: Value
    last: Value
    turn: Value
    """Of which projection; only where there are several."""


class Tap(Fields):
    """The place of a `TapWord` in the spike map, and what belongs to it."""

    address: Value
    base: Value
    begins: Value
    """It is the first of its word's first step."""
    ends: Value
    """It is the last of its step,"""
    last: Value
    """which is the sample's last."""
    turn: Value
    """The projection whose spike map it is in; only where there are several."""


class Operation(Fields):
    """One membrane word's worth of work."""

    more: Value
    """With column banks only."""
    kind: enum.EnumView[OperationKind]
    turn: Value
    sweep_pass: Value
    word: Value
    row: Value
    last: Value
    marker: enum.EnumView[Marker]
    shift: Value
    negative: Value
    clear: Value


class ResultBeat(Fields):
    """One logit."""

    logit: Value
    index: Value
    best: Value
    last: Value


def event_beat(source: LayoutPlan) -> Payload[EventBeat]:
    """One event, of lane `lane` of the word at `address` in the layout of `source`; or a marker, or both."""
    return Payload(
        EventBeat,
        {"address": source.address_bits, "lane": unsigned_bits(source.lanes - 1), "event": 1, "marker": Marker},
    )


def digit_beat(source: LayoutPlan, value_bits: int) -> Payload[DigitBeat]:
    """One signed digit of a value: ``+-(1 << shift)`` at `address`. Its `lane` is 0."""
    return Payload(
        DigitBeat,
        {
            "address": source.address_bits,
            "lane": 1,
            "event": 1,
            "marker": Marker,
            "shift": unsigned_bits(value_bits),
            "negative": 1,
        },
    )


def input_beat(plan: InputPlan) -> Payload[InputBeat]:
    """What the core's input port takes. A value is there for direct encoding only."""
    fields: dict[str, ShapeLike] = {"address": plan.layout.address_bits, "event": unsigned(1), "marker": Marker}
    if plan.encoding is Encoding.DIRECT:
        fields["value"] = plan.beat_value_bits
    return Payload(InputBeat, fields)


def spike_word(engine: EnginePlan) -> Payload[SpikeWord]:
    """The spikes of the membrane word at address `word` of the engine's layout, lane 0 the lowest bit of `mask`."""
    return Payload(SpikeWord, {"word": engine.layout.address_bits, "mask": engine.lanes, "marker": Marker})


def map_write(engine: EnginePlan, steps: int, *, attempts: bool = False) -> Payload[MapWrite]:
    """The spikes of the word at address `word`, in one of so many steps; `asks` is there where there are `attempts`."""
    return Payload(
        MapWrite,
        {
            "step": unsigned_bits(steps - 1),
            "word": engine.layout.address_bits,
            "mask": engine.lanes,
            "final": 1,
            "completes": 1,
            **({"asks": 1} if attempts else {}),
        },
    )


def map_address_bits(projection: ProjectionPlan) -> int:
    """Width of ``{step, word}`` in a projection's spike map, in the layout of the source."""
    assert projection.queue.steps is not None
    return unsigned_bits(map_depth(projection.source_layout, projection.queue.steps) - 1)


def tap(projections: Sequence[ProjectionPlan]) -> Payload[Tap]:
    """A spike word to be read at `address` of a projection's spike map; its lane 0 has the weight row `base`.

    Of several projections each field is as wide as the widest.
    """
    address = max(map_address_bits(projection) for projection in projections)
    return Payload(Tap, {"address": address, **_of_tap(projections)})


def tap_word(projections: Sequence[ProjectionPlan]) -> Payload[TapWord]:
    """A spike word that was read; the lanes that its source lacks are 0."""
    lanes = max(projection.source_layout.lanes for projection in projections)
    return Payload(TapWord, {"mask": lanes, **_of_tap(projections)})


def _of_tap(projections: Sequence[ProjectionPlan]) -> dict[str, ShapeLike]:
    base = max(unsigned_bits(projection.weights.depth - 1) for projection in projections)
    turn = {"turn": unsigned_bits(len(projections) - 1)} if len(projections) > 1 else {}
    return {"base": base, "begins": 1, "ends": 1, "last": 1, **turn}


def operation(engine: EnginePlan) -> Payload[Operation]:
    """What an engine issues: one membrane word's worth of work.

    ``word`` is an address in the engine's layout, ``row`` the weight row of an accumulate of the projection ``turn``.
    With column banks, an accumulate reaches the ``more`` columns right of ``word``'s as well.
    ``last`` marks the last word of a pass, ``sweep_pass`` says which one of a sweep's it is, and ``marker`` what ends
    with it. ``shift`` and ``negative`` scale an accumulate after a direct-encoded source. ``clear`` makes a sweep write
    the initial membranes without any output: how an engine starts after a reset.
    """
    digits = engine.main.digits
    more = {"more": unsigned_bits(engine.column_banks - 1)} if engine.column_banks > 1 else {}
    return Payload(
        Operation,
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
        },
    )


def result_beat(readout: EnginePlan) -> Payload[ResultBeat]:
    """What the core's output port gives: one logit per beat. ``best`` is the class of the logits so far."""
    index = unsigned_bits(readout.neurons - 1)
    members: dict[str, ShapeLike] = {"logit": signed(readout.residual_bits), "index": index, "best": index, "last": 1}
    return Payload(ResultBeat, members)
