"""The two units that turn one beat into several: spike words and digits."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from snnc.compiler.ir import Encoding
from snnc.compiler.plan import InputPlan, LayoutPlan, MemoryKind, MemoryPlan, ProjectionPlan, QueuePlan
from snnc.rtl.beats import Marker
from snnc.rtl.byte_serialiser import ByteSerialiser
from snnc.rtl.digit_serialiser import DigitSerialiser
from snnc.rtl.spike_serialiser import SpikeSerialiser, at_most_one, lowest_set_bit
from snnc.rtl.walkers.dense.plan import DenseWalk
from tests.rtl.streams import exchange


def _projection(lanes: int, words: int) -> ProjectionPlan:
    memory = MemoryPlan(
        name="weights", kind=MemoryKind.LUT, width=1, depth=1, bank_depth=1, blocks=0, bits_used=1, bits_paid=1
    )
    return ProjectionPlan(
        source="source",
        walk=DenseWalk(row_stride=1, pool=1),
        source_layout=LayoutPlan(channels=lanes * words, rows=1, columns=1, lanes=lanes),
        weight_bits=4,
        shift=0,
        weights=memory,
        delay=0,
        queue=QueuePlan(depth=4, latency=1),
        digits=None,
    )


def _flat(addresses: int) -> LayoutPlan:
    return LayoutPlan(channels=addresses, rows=1, columns=1, lanes=1)


def _word_layout(lanes: int, words: int) -> Any:
    from amaranth.lib import data

    return data.StructLayout({"word": max(1, (words - 1).bit_length()), "mask": lanes, "marker": Marker})


@pytest.mark.parametrize("serialiser", [SpikeSerialiser, ByteSerialiser])
@pytest.mark.parametrize(("lanes", "words"), [(1, 4), (2, 3), (5, 3), (8, 2), (16, 1), (35, 2)])
@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_spike_words_become_events(serialiser: type[SpikeSerialiser], lanes: int, words: int, stall: float) -> None:
    generator = random.Random(lanes)
    inputs, expected, needed = [], [], []
    for _ in range(80):
        word, marker = generator.randrange(words), generator.choice([Marker.NONE, Marker.STEP, Marker.SAMPLE])
        density = generator.choice([0.0, 0.1, 0.5, 1.0])
        mask = sum((generator.random() < density) << k for k in range(lanes))
        if not mask and marker is Marker.NONE:
            continue
        inputs.append({"word": word, "mask": mask, "marker": marker})
        events = [(word, k) for k in range(lanes) if mask >> k & 1]
        beats: list[tuple[tuple[int, int] | None, int, int]] = [(event, 1, 0) for event in events] or [(None, 0, 0)]
        beats[-1] = (*beats[-1][:2], marker.value)
        expected += beats
        needed.append(len(beats))
    unit = serialiser(_projection(lanes, words), _word_layout(lanes, words))
    got, taken, left = exchange(unit, inputs, len(expected), stall=stall)
    found = [
        ((beat["address"], beat["lane"]) if beat["event"] else None, beat["event"], beat["marker"]) for beat in got
    ]
    assert found == expected
    if not stall:
        # One beat a cycle, from word to word as well.
        assert left == list(range(1, len(expected) + 1))
        assert [b - a for a, b in itertools.pairwise(taken)] == needed[:-1]


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("pauses", [0.0, 0.5])
def test_every_value_becomes_its_non_adjacent_form(bits: int, pauses: float) -> None:
    plan = InputPlan(name="input", encoding=Encoding.DIRECT, layout=_flat(300), value_bits=bits)
    inputs: list[dict[str, Any]] = [
        {"address": value, "event": 1, "marker": Marker.STEP if value % 3 == 0 else Marker.NONE, "value": value}
        for value in range(1, 2**bits)
    ]
    count = sum(_digits(item["value"]) for item in inputs)
    got, _, left = exchange(DigitSerialiser(plan), inputs, count, gap=pauses, stall=pauses)
    if not pauses:
        assert left == list(range(1, count + 1))
    position = 0
    for item in inputs:
        beats = got[position : position + _digits(item["value"])]
        position += len(beats)
        assert sum((-1) ** beat["negative"] * 2 ** beat["shift"] for beat in beats) == item["value"]
        shifts = [beat["shift"] for beat in beats]
        assert shifts == sorted(shifts)
        assert all(high - low > 1 for low, high in itertools.pairwise(shifts))
        assert all(beat["address"] == item["address"] and beat["event"] for beat in beats)
        assert [beat["marker"] for beat in beats] == [0] * (len(beats) - 1) + [item["marker"].value]


@pytest.mark.parametrize("beat", [{"event": 0, "value": 5}, {"event": 1, "value": 0}])
@pytest.mark.parametrize("marker", [Marker.NONE, Marker.SAMPLE])
def test_a_beat_without_digits_is_one_beat_without_an_event(beat: dict[str, int], marker: Marker) -> None:
    plan = InputPlan(name="input", encoding=Encoding.DIRECT, layout=_flat(16), value_bits=4)
    inputs = [{"address": 3, "marker": marker, **beat}, {"address": 4, "event": 1, "value": 1, "marker": Marker.NONE}]
    got, _, _ = exchange(DigitSerialiser(plan), inputs, 2)
    assert [(item["event"], item["marker"]) for item in got] == [(0, marker.value), (1, 0)]


def _digits(value: int) -> int:
    """Non-zero digits of the non-adjacent form, one at a time from below."""
    count = 0
    while value:
        if value & 1:
            value -= 2 - (value & 3)
            count += 1
        value >>= 1
    return count


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8])
def test_bit_trees(width: int) -> None:
    from amaranth.hdl import Module, Signal
    from amaranth.sim import Simulator

    m = Module()
    mask = Signal(width)
    onehot, index, few = Signal(width), Signal(8), Signal()
    found_onehot, found_index = lowest_set_bit(m, mask)
    m.d.comb += [onehot.eq(found_onehot), index.eq(found_index), few.eq(at_most_one(m, mask))]

    async def bench(ctx: Any) -> None:
        for value in range(2**width):
            ctx.set(mask, value)
            await ctx.delay(1e-9)
            assert ctx.get(onehot) == value & -value
            assert ctx.get(few) == (value.bit_count() <= 1)
            if value:
                assert ctx.get(index) == (value & -value).bit_length() - 1

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
