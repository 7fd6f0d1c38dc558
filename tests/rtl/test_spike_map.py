"""The spike map and its reader: words are read back, rows are counted, and a word that waits stays what it is."""

from __future__ import annotations

import dataclasses
import itertools
import random
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from snnc.compiler.plan import LayoutPlan
from snnc.compiler.plan.projections import map_depth
from snnc.rtl.spike_map import MapReader, SpikeMap
from tests.rtl.benches import PACES, simulate
from tests.rtl.gathering import gathering
from tests.rtl.memories import simulate_memories
from tests.rtl.plans import engine, layout, memory
from tests.rtl.streams import exchange


def spike_map(source: LayoutPlan, *, writers: int = 1, readers: int = 1, registers: int = 0) -> SpikeMap:
    """Of 3 steps."""
    plan = gathering(source, layout(2, source.rows, source.columns, lanes=2), steps=3, size=(1, 1), neuron={})
    depth = map_depth(source.in_banks(writers), 3)
    queue = dataclasses.replace(
        plan.main.queue, depth=depth, latency=2 + registers, memory=memory("map", source.lanes, depth)
    )
    sender = dataclasses.replace(engine(source), kind=plan.kind, column_banks=writers)
    return SpikeMap(sender, dataclasses.replace(plan.main, queue=queue), readers)


def test_rows_are_counted_and_words_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate_memories(monkeypatch, tmp_path, "snnc.rtl.memories")
    source = layout(5, rows=3, columns=2, lanes=2)
    unit = spike_map(source)
    generator = random.Random(1)

    async def process(ctx: Any) -> None:
        port, write = unit.port[0], unit.i[0]
        for steps in (3, 1, 2):
            written: dict[int, int] = {}
            for row in range(3):
                for column in range(2):
                    for group in range(3):
                        for step in range(steps):
                            word, mask, final = source.address(row, column, group), generator.randrange(4), steps - 1
                            completes = (step, column, group) == (final, 1, 2)
                            beat = {"step": step, "word": word, "mask": mask}
                            ctx.set(write.payload, {**beat, "final": step == final, "completes": completes})
                            ctx.set(write.valid, 1)
                            await ctx.tick()
                            ctx.set(write.valid, 0)
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


@pytest.mark.parametrize("readers", [1, 2])
def test_behind_an_image_a_sample_is_there_again_for_each_attempt(readers: int) -> None:
    source = layout(2, rows=3, columns=1, lanes=2)
    plan = gathering(source, layout(2, 3, 1, lanes=2), steps=3, size=(1, 1), neuron={})
    unit = SpikeMap(engine(source), plan.main, readers, asked=(1, 2))

    async def process(ctx: Any) -> None:
        write = unit.i[0]
        for steps, attempts in ((3, [1, 2, 3]), (1, [1]), (2, [1, 2]), (3, [1, 2, 3])):
            for row, step in itertools.product(range(3), range(steps)):
                final = step == steps - 1
                beat = {"step": step, "word": source.address(row, 0, 0), "final": final, "completes": final}
                ctx.set(write.payload, beat)
                ctx.set(write.valid, 1)
                await ctx.tick()
            ctx.set(write.valid, 0)
            for taken in attempts:
                for k, port in enumerate(unit.port):
                    assert ctx.get(port.rows) == 3
                    assert ctx.get(port.last_step) == taken - 1
                    assert ctx.get(port.asks) == (taken < steps)
                    ctx.set(port.release, 1)
                    assert ctx.get(unit.left) == (k == readers - 1)
                    await ctx.tick()
                    ctx.set(port.release, 0)
                    if k < readers - 1:
                        assert ctx.get(port.rows) == 0  # it has read this attempt, others have not
            assert [ctx.get(port.rows) for port in unit.port] == [0] * readers

    simulate(unit, process)


def test_another_map_is_told_which_attempts_are_asked() -> None:
    source = layout(2, rows=1, columns=1, lanes=2)
    plan = gathering(source, layout(2, 1, 1, lanes=2), steps=2, size=(1, 1), neuron={})
    unit = SpikeMap(dataclasses.replace(engine(source), kind=plan.kind), plan.main, asked=(1,))

    async def process(ctx: Any) -> None:
        port, write = unit.port[0], unit.i[0]
        for asks, steps in ((1, 1), (0, 2), (1, 1), (0, 1)):
            for step in range(steps):
                final = step == steps - 1
                ctx.set(write.payload, {"step": step, "final": final, "completes": final, "asks": asks})
                ctx.set(write.valid, 1)
                await ctx.tick()
            ctx.set(write.valid, 0)
            assert (ctx.get(port.rows), ctx.get(port.last_step), ctx.get(port.asks)) == (1, steps - 1, asks)
            ctx.set(port.release, 1)
            await ctx.tick()
            ctx.set(port.release, 0)
            assert ctx.get(port.rows) == 0

    simulate(unit, process)


@pytest.mark.parametrize(
    ("writers", "readers", "registers"), [(1, 2, 1), (2, 1, 0), (4, 2, 0), (2, 4, 1), (2, 1, 2), (4, 2, 2), (1, 2, 2)]
)
def test_each_unit_has_a_bank_and_each_reader_all_of_them(
    writers: int, readers: int, registers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate_memories(monkeypatch, tmp_path, "snnc.rtl.memories")
    source = layout(5, rows=4, columns=6, lanes=2)
    unit = spike_map(source, writers=writers, readers=readers, registers=registers)
    generator = random.Random(f"{writers} {readers}")

    async def process(ctx: Any) -> None:
        for steps in (3, 2):
            written: dict[int, int] = {}
            beats: list[list[tuple[dict[str, int], int]]] = [[] for _ in range(writers)]  # and their rows
            for row in range(4):
                for writer in range(writers):
                    columns = [x for x in range(6) if (x + row) % writers == writer]
                    for column, group, step in itertools.product(columns, range(3), range(steps)):
                        word, final = source.address(row, column, group), step == steps - 1
                        completes = final and (column, group) == (columns[-1], 2)
                        beat = {"step": step, "word": word, "mask": generator.randrange(4)}
                        beats[writer].append(({**beat, "final": final, "completes": completes}, row))
            while any(beats):
                for writer, queue in enumerate(beats):
                    goes = bool(queue) and generator.random() < (0.2 + 0.8 * (writer == 0))
                    ctx.set(unit.i[writer].valid, goes)
                    if goes:
                        beat, _ = queue.pop(0)
                        ctx.set(unit.i[writer].payload, beat)
                        written[beat["step"] << source.word_bits | beat["word"]] = beat["mask"]
                await ctx.tick()
                complete = min((queue[0][1] for queue in beats if queue), default=4)
                assert [ctx.get(port.rows) for port in unit.port] == [complete] * readers
            for writer in range(writers):
                ctx.set(unit.i[writer].valid, 0)
            assert len(written) == steps * source.words
            found = sorted(written.items())
            for reader, port in enumerate(unit.port):
                assert ctx.get(port.last_step) == steps - 1
                for address, mask in found:
                    for other in unit.port:
                        ctx.set(other.address, generator.randrange(1 << len(other.address)))
                        ctx.set(other.reads, 1)
                    ctx.set(port.address, address)
                    await ctx.tick()
                    if registers > 1:
                        # It is held before another one is read.
                        ctx.set(port.address, generator.randrange(1 << len(port.address)))
                        ctx.set(port.moves, 1)
                        await ctx.tick()
                        ctx.set(port.moves, 0)
                    assert ctx.get(port.data) == mask
                    # What is not read anew stays.
                    ctx.set(port.address, generator.randrange(1 << len(port.address)))
                    ctx.set(port.reads, registers > 1)
                    await ctx.tick()
                    assert ctx.get(port.data) == mask
                ctx.set(port.release, 1)
                assert ctx.get(unit.left) == (reader == readers - 1)
                await ctx.tick()
                ctx.set(port.release, 0)
                left = reader == readers - 1
                assert [bool(ctx.get(other.rows)) for other in unit.port] == [
                    not left and number > reader for number in range(readers)
                ]

    simulate(unit, process)


class _Read(wiring.Component):
    """A reader in front of a memory whose words are their addresses, complemented."""

    def __init__(self, *, registers: int) -> None:
        self._held = registers > 1
        self.reader = MapReader(4, 4, 4, registers=registers)
        super().__init__({"i": In(self.reader.i.signature.flip()), "o": Out(self.reader.o.signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.reader = reader = self.reader
        connect(m, flipped(self.i), reader.i)  # type: ignore[attr-defined]
        connect(m, reader.o, flipped(self.o))  # type: ignore[attr-defined]
        read = Signal.like(reader.data)
        with m.If(reader.reads):
            m.d.sync += read.eq(~reader.address)
        if self._held:
            with m.If(reader.moves):
                m.d.sync += reader.data.eq(read)
        else:
            m.d.comb += reader.data.eq(read)
        return m


class _Line(wiring.Component):
    """Places in a line; each takes what is before it when it is free or its own word leaves."""

    i: stream.Interface
    o: stream.Interface

    def __init__(self, places: int) -> None:
        self._places = places
        super().__init__({"i": In(stream.Signature(4)), "o": Out(stream.Signature(4))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        valid = [self.i.valid, *(Signal(name=f"valid{k}") for k in range(self._places))]
        word = [self.i.payload, *(Signal(4, name=f"word{k}") for k in range(self._places))]
        takes = [*(Signal(name=f"takes{k}") for k in range(self._places)), self.o.ready]
        m.d.comb += [self.i.ready.eq(takes[0]), self.o.valid.eq(valid[-1]), self.o.payload.eq(word[-1])]
        for k in range(self._places):
            m.d.comb += takes[k].eq(~valid[k + 1] | takes[k + 1])
            with m.If(takes[k]):
                m.d.sync += [valid[k + 1].eq(valid[k]), word[k + 1].eq(word[k])]
        return m


@pytest.mark.parametrize("registers", [0, 1, 2])
@pytest.mark.parametrize(("gap", "stall"), [*PACES, (0.6, 0.3), (0.4, 0.4)])
def test_a_word_is_read_for_every_address(gap: float, stall: float, registers: int) -> None:
    generator = random.Random(2)
    inputs = [{"address": generator.randrange(16), "tag": generator.randrange(16)} for _ in range(200)]
    unit = _Read(registers=registers)
    got, taken, left = exchange(unit, inputs, len(inputs), gap=gap, stall=stall)
    for given, found in zip(inputs, got, strict=True):
        assert found["mask"] == ~given["address"] & 15
        assert found["tag"] == given["tag"]
    plain = exchange(_Line(1 + registers), range(len(inputs)), len(inputs), gap=gap, stall=stall)
    assert (taken, left) == plain[1:]
    if not gap and not stall:
        assert left == [cycle + 1 + registers for cycle in taken]
        assert taken == list(range(200))
