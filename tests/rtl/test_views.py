"""Typed payloads: their fields are those of the layout, and no others, for elaboration and for mypy alike."""

from __future__ import annotations

import inspect
import typing

import pytest
from amaranth.hdl import Signal

from snnc.compiler.ir import Encoding
from snnc.compiler.plan import InputPlan, MemoryKind
from snnc.rtl import beats
from snnc.rtl.views import Payload
from tests.rtl.plans import convolution, engine, layout

SOURCE = layout(2, 3, 4)
PLAN = engine(layout(3, 3, 4, lanes=2), (convolution(SOURCE, layout(3, 3, 4, lanes=2), size=(1, 1)),), column_banks=2)
READOUT = engine(layout(4), readout=True, membrane=MemoryKind.REGISTERS)

PAYLOADS: dict[str, Payload[typing.Any]] = {
    "event": beats.event_beat(SOURCE),
    "digit": beats.digit_beat(SOURCE, 4),
    "input": beats.input_beat(InputPlan(name="input", encoding=Encoding.DIRECT, layout=SOURCE, value_bits=4)),
    "spikes": beats.spike_word(PLAN),
    "operation": beats.operation(PLAN),
    "result": beats.result_beat(READOUT),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_class_lists_the_fields_of_its_layout(name: str) -> None:
    payload = PAYLOADS[name]
    view = payload.signal(name=name)
    # By name alone: annotations are text here.
    named = {field for kind in type(view).__mro__ for field in inspect.get_annotations(kind)}
    assert named - {"__getattr__"} == set(payload.members)
    assert isinstance(Signal.like(view), type(view))


def test_a_wrong_name_is_an_error_of_types_too() -> None:
    # mypy is strict about ignored errors that are none: this line is checked by it, too.
    with pytest.raises(AttributeError, match="does not have a field 'adress'"):
        beats.event_beat(SOURCE).signal(name="beat").adress  # type: ignore[attr-defined]  # noqa: B018
