"""The spike map and its reader: words are read back, rows are counted, and a word that waits stays what it is."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from snnc.compiler.plan import QueuePlan
from snnc.compiler.plan.projections import map_depth
from snnc.rtl.spike_map import MapReader, SpikeMap
from tests.rtl.benches import PACES, simulate
from tests.rtl.memories import simulate_memories
from tests.rtl.plans import engine, layout, memory
from tests.rtl.streams import exchange


def test_rows_are_counted_and_words_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate_memories(monkeypatch, tmp_path, "snnc.rtl.memories")
    source = layout(5, rows=3, columns=2, lanes=2)
    depth = map_depth(source, 3)
    unit = SpikeMap(engine(source), QueuePlan(depth=depth, latency=2, memory=memory("map", 2, depth), steps=3))
    generator = random.Random(1)

    async def process(ctx: Any) -> None:
        port = unit.port
        for steps in (3, 1, 2):
            written: dict[int, int] = {}
            for row in range(3):
                for column in range(2):
                    for group in range(3):
                        for step in range(steps):
                            word, mask, final = source.address(row, column, group), generator.randrange(4), steps - 1
                            completes = (step, column, group) == (final, 1, 2)
                            beat = {"step": step, "word": word, "mask": mask}
                            ctx.set(unit.i.payload, {**beat, "final": step == final, "completes": completes})
                            ctx.set(unit.i.valid, 1)
                            await ctx.tick()
                            ctx.set(unit.i.valid, 0)
                            written[step << source.word_bits | word] = mask
                            assert ctx.get(port.rows) == row + completes
                assert ctx.get(port.last_step) == steps - 1
            assert len(written) == steps * source.words
            for address, mask in written.items():
                ctx.set(port.address, address)
                ctx.set(port.reads, 1)
                await ctx.tick()
                assert ctx.get(port.data) == mask
                ctx.set(port.reads, 0)
                ctx.set(port.address, ~address)
                await ctx.tick()
                assert ctx.get(port.data) == mask
            ctx.set(port.release, 1)
            assert ctx.get(unit.left)
            await ctx.tick()
            ctx.set(port.release, 0)
            assert ctx.get(port.rows) == 0

    simulate(unit, process)


class _Read(wiring.Component):
    """A reader in front of a memory whose words are their addresses, complemented."""

    def __init__(self, *, late: bool) -> None:
        self.reader = MapReader(4, 4, 4, late=late)
        super().__init__({"i": In(self.reader.i.signature.flip()), "o": Out(self.reader.o.signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.reader = reader = self.reader
        connect(m, flipped(self.i), reader.i)  # type: ignore[attr-defined]
        connect(m, reader.o, flipped(self.o))  # type: ignore[attr-defined]
        with m.If(reader.reads):
            m.d.sync += reader.data.eq(~reader.address)
        return m


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(("gap", "stall"), PACES)
def test_a_word_is_read_for_every_address(gap: float, stall: float, late: bool) -> None:
    generator = random.Random(2)
    inputs = [{"address": generator.randrange(16), "tag": generator.randrange(16)} for _ in range(200)]
    unit = _Read(late=late)
    got, taken, left = exchange(unit, inputs, len(inputs), gap=gap, stall=stall)
    for given, found in zip(inputs, got, strict=True):
        assert found["mask"] == ~given["address"] & 15
        assert found["tag"] == given["tag"]
    if not gap and not stall:
        assert left == [cycle + 1 + late for cycle in taken]
        assert taken == list(range(200))
