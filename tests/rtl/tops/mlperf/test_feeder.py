"""What is fed into the core, against the beats of the same sample as every bench sends them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from snnc.compiler.ir import Encoding
from snnc.rtl.tops.mlperf.feeder import Feeder, sample_bytes
from snnc.sim.cosimulation.ports import input_widths, offsets, pack_inputs
from snnc.sim.models.stimulus import stimulus
from snnc.sim.trust.mlperf import tensors
from tests.compiler.networks import random_design
from tests.rtl.benches import paced, simulate

FIRST = 5


def plan_of(shape, encoding, steps, lanes=1):
    """A plan whose input is of that shape; nothing else of it is used."""
    plan = random_design((12, 6, 3)).complete_plan
    channels, rows, columns = shape
    layout = dataclasses.replace(plan.input.layout, channels=channels, rows=rows, columns=columns, lanes=lanes)
    bits = 8 if encoding is Encoding.DIRECT else 1
    given = dataclasses.replace(plan.input, layout=layout, encoding=encoding, value_bits=bits)
    return dataclasses.replace(plan, input=given, time_steps=steps)


def fed(plan, sample, share):
    """Payloads of a sample, sent twice."""
    unit = Feeder(plan.input, plan.time_steps, first=FIRST, address_bits=12)
    memory, got, paces = bytes(FIRST) + sample, [], paced(share, "feeder")

    async def bench(ctx):
        address = 0
        for _ in range(2):
            ctx.set(unit.start, 1)
            done = False
            while not done:
                ctx.set(unit.data, memory[address] if address < len(memory) else 0xFF)
                ctx.set(unit.o.ready, next(paces))
                done = ctx.get(unit.done)
                if ctx.get(unit.o.valid) and ctx.get(unit.o.ready):
                    got.append(ctx.get(unit.o.payload.as_value()))
                address = ctx.get(unit.address)
                await ctx.tick()
                ctx.set(unit.start, 0)
            for _ in range(3):  # nothing follows the last beat
                ctx.set(unit.o.ready, 1)
                assert not ctx.get(unit.o.valid)
                await ctx.tick()

    simulate(unit, bench)
    assert got[: len(got) // 2] == got[len(got) // 2 :]
    return got[: len(got) // 2]


def without_bare_markers(plan, payloads):
    """Events by step and address, since a marker may ride on an event or come alone; and how many steps end."""
    low = offsets(input_widths(plan))["event"]
    step, events, markers = 0, [], []
    for payload in payloads:
        event, marker = payload >> low & 1, payload >> low + 1 & 3
        if event:
            events.append((step, payload & (1 << low) - 1, payload >> low + 3))
        if marker:
            markers.append(marker)
            step += 1
    return sorted(events), markers


@pytest.mark.parametrize("share", [0.0, 0.6])
@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("shape", [(12, 1, 1), (3, 5, 4), (1, 3, 3)])
@pytest.mark.parametrize("encoding", [Encoding.DIRECT, Encoding.EVENTS])
def test_a_tensor_becomes_the_beats_of_its_sample(encoding, shape, steps, share):
    check(plan_of(shape, encoding, steps), share)


@pytest.mark.parametrize("share", [0.0, 0.6])
@pytest.mark.parametrize(("shape", "lanes"), [((3, 5, 4), 3), ((4, 3, 3), 2), ((2, 1, 1), 2)])
def test_a_beat_takes_the_bytes_of_its_pixels(shape, lanes, share):
    check(plan_of(shape, Encoding.DIRECT, 3, lanes), share)


def check(plan, share):
    layout, encoding, steps = plan.input.layout, plan.input.encoding, plan.time_steps
    shape = layout.channels, layout.rows, layout.columns
    generator = np.random.default_rng(steps)
    size = int(np.prod(shape))
    if encoding is Encoding.DIRECT:
        inputs = generator.integers(0, 256, (3, *shape)) * (generator.random((3, *shape)) < 0.5)
        inputs[1] = 0
    else:
        inputs = (generator.random((steps, 3, size)) < 0.3).astype(np.int64)
        inputs[:, 1] = 0
    beats = stimulus(plan.input, inputs, time_steps=steps)
    wanted = pack_inputs(plan, beats)
    for number, sample in enumerate(tensors(plan, inputs)):
        assert len(sample) == sample_bytes(plan.input, steps)
        got = fed(plan, sample, share)
        expected = [int(payload) for payload in wanted[beats.sample(number)]]
        assert without_bare_markers(plan, got) == without_bare_markers(plan, expected)
