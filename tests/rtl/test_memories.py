"""Memories: what was written, or loaded, is read, as many cycles later as they say."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import ConstantField, MemoryKind
from snnc.rtl.memories import (
    BlockMembrane,
    LoadedRom,
    Lookup,
    Ring,
    Rom,
    RomPair,
    constant_fields,
    constant_word,
    image_path,
)
from tests.rtl.benches import paced, simulate
from tests.rtl.memories import simulate_memories
from tests.rtl.plans import engine, layout, memory, packed, write_words


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the contents of memories are."""
    simulate_memories(monkeypatch, tmp_path, "snnc.rtl.memories")
    return tmp_path


def reads(depth: int) -> list[int]:
    """Every address, the ends of banks one after the other, and some at random."""
    generator = random.Random(depth)
    return [*range(depth), *reversed(range(depth)), *(generator.randrange(depth) for _ in range(40))]


@pytest.mark.parametrize(
    ("kind", "registered"),
    [(MemoryKind.EBR, False), (MemoryKind.EBR, True), (MemoryKind.LUT, False), (MemoryKind.LUT, True)],
)
@pytest.mark.parametrize(("depth", "banks"), [(1, 1), (5, 1), (8, 2), (7, 2), (11, 3), (9, 5)])
def test_a_rom_gives_its_words(kind: MemoryKind, registered: bool, depth: int, banks: int, folder: Path) -> None:
    plan = dataclasses.replace(memory("weights", 7, depth, kind, banks=banks), registered=registered)
    assert plan.banks == banks
    words = [(37 * k + 5) % 128 for k in range(depth)]
    write_words(folder, plan, words)
    rom = Rom(plan)
    assert rom.latency == 1 + registered + (banks > 1)

    async def process(ctx: Any) -> None:
        addresses = reads(depth)
        for cycle in range(len(addresses) + rom.latency):
            if cycle >= rom.latency:
                assert ctx.get(rom.data) == words[addresses[cycle - rom.latency]]
            ctx.set(rom.address, addresses[min(cycle, len(addresses) - 1)])
            await ctx.tick()

    simulate(rom, process)


@pytest.mark.parametrize("registered", [False, True])
@pytest.mark.parametrize(("depth", "banks"), [(1, 1), (5, 1), (7, 2), (9, 5)])
def test_a_pair_gives_each_reader_its_words(depth: int, banks: int, registered: bool, folder: Path) -> None:
    plan = dataclasses.replace(memory("weights", 7, depth, MemoryKind.EBR, banks=banks), registered=registered)
    words = [(37 * k + 5) % 128 for k in range(depth)]
    write_words(folder, plan, words)
    pair, latency = RomPair(plan), 1 + registered + (banks > 1)

    async def process(ctx: Any) -> None:
        sequences = reads(depth), [*reads(depth)[7:], *range(7)]
        for cycle in range(len(sequences[0]) - 7):
            for addresses, address, data in zip(sequences, pair.address, pair.data, strict=True):
                if cycle >= latency:
                    assert ctx.get(data) == words[addresses[cycle - latency]]
                ctx.set(address, addresses[cycle])
            await ctx.tick()

    simulate(pair, process)


@pytest.mark.parametrize(("depth", "banks"), [(1, 1), (6, 1), (7, 2), (9, 5)])
@pytest.mark.parametrize("width", [5, 16, 17, 40])
@pytest.mark.parametrize("idle", [0.0, 0.5])
def test_a_loaded_rom_gives_what_was_written(depth: int, banks: int, width: int, idle: float, folder: Path) -> None:
    plan = memory("weights", width, depth, MemoryKind.SPRAM, banks=banks)
    generator = random.Random(width)
    words = [generator.getrandbits(width) for _ in range(depth)]
    rom = LoadedRom(plan)
    assert rom.latency == 1 + (banks > 1)

    async def process(ctx: Any) -> None:
        writes = paced(idle, "write")
        ctx.set(rom.load.loading, 1)
        ctx.set(rom.address, depth - 1)  # of no effect yet
        for row, word in enumerate(words):
            for chunk in range(plan.chunks):
                written = False
                while not written:
                    written = next(writes)
                    ctx.set(rom.load.row, row)
                    ctx.set(rom.load.data, word >> 16 * chunk & 0xFFFF if written else 0xDEAD)
                    ctx.set(rom.load.write, written << chunk)
                    await ctx.tick()
        ctx.set(rom.load.loading, 0)
        ctx.set(rom.load.write, 0)
        addresses = reads(depth)
        for cycle in range(len(addresses) + rom.latency):
            if cycle >= rom.latency:
                assert ctx.get(rom.data) == words[addresses[cycle - rom.latency]]
            ctx.set(rom.address, addresses[min(cycle, len(addresses) - 1)])
            await ctx.tick()

    simulate(rom, process)


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("start", ["zeros", "ones", "image"])
@pytest.mark.parametrize("idle", [0.0, 0.4])
def test_a_ring_turns_and_is_restored(depth: int, start: str, idle: float, folder: Path) -> None:
    initial = [{"zeros": 0, "ones": 31, "image": (11 * k + 3) % 32}[start] for k in range(depth)]
    write_words(folder, memory("initial", 5 * depth, 1), [packed(initial, 5)])
    ring = Ring(5, depth, "initial" if start == "image" else None, ones=start == "ones")
    generator = random.Random(depth)

    async def process(ctx: Any) -> None:
        turns = paced(idle, "turn")
        words: list[int] = []
        for cycle in range(150):
            restores, turn, tail = cycle == 0 or generator.random() < 0.06, next(turns), generator.randrange(32)
            ctx.set(ring.restore, restores)
            ctx.set(ring.turn, turn)
            ctx.set(ring.tail, tail)
            if words:
                assert ctx.get(ring.head) == words[0]
            if restores:
                words = list(initial)
            elif turn:
                words = [*words[1:], tail]
            await ctx.tick()

    simulate(ring, process)


@pytest.mark.parametrize("depth", [2, 3, 8])
def test_block_membranes_are_read_and_written_in_every_cycle(depth: int, folder: Path) -> None:
    """A word is written a cycle after it was read, as those that are visited in turn are."""
    unit = BlockMembrane(memory("membrane", 9, depth))
    generator = random.Random(depth)

    async def process(ctx: Any) -> None:
        words: dict[int, int] = {}
        for cycle in range(6 * depth):
            ctx.set(unit.read_word, cycle % depth)
            before = (cycle - 1) % depth
            if before in words:
                assert ctx.get(unit.data) == words[before]
            writes, value = cycle > 0 and (cycle <= depth or generator.random() < 0.5), generator.randrange(512)
            ctx.set(unit.write, writes)
            ctx.set(unit.write_word, before)
            ctx.set(unit.write_data, value)
            if writes:
                words[before] = value
            await ctx.tick()
        assert len(words) == depth

    simulate(unit, process)


def test_a_single_word_in_block_ram_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two words"):
        BlockMembrane(memory("membrane", 9, 1))


def test_memories_of_the_wrong_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="is not loaded"):
        LoadedRom(memory("weights", 4, 4, MemoryKind.EBR))
    for kind in (MemoryKind.SPRAM, MemoryKind.REGISTERS):
        with pytest.raises(ValueError, match="cannot be of kind"):
            Rom(memory("weights", 4, 4, kind))


@pytest.mark.parametrize("depth", [1, 6])
def test_a_lookup_answers_in_the_same_cycle(depth: int, folder: Path) -> None:
    words = [(5 * k + 1) % 16 for k in range(depth)]
    write_words(folder, memory("table", 4, depth), words)
    unit = Lookup("table", 4, depth)

    async def process(ctx: Any) -> None:
        for address in reads(depth):
            ctx.set(unit.address, address)
            assert ctx.get(unit.data) == words[address]

    simulate(unit, process)


@pytest.mark.parametrize("kind", [MemoryKind.LUT, MemoryKind.EBR])
def test_an_engines_constants_are_those_of_its_group(kind: MemoryKind, folder: Path) -> None:
    plan = engine(layout(5, lanes=2), leak_shift=1, floor=True, residual_bits=6, constants=kind)
    fields = (
        ConstantField.FIRED,
        ConstantField.SILENT,
        ConstantField.FLOOR,
        ConstantField.BIAS,
        ConstantField.INITIAL,
    )
    # Of field, group and lane.
    values = [[[10 * f - 4 * g - lane - 9 for lane in range(2)] for g in range(3)] for f in range(len(fields))]
    write_words(folder, plan.constants, [packed([v for f in values for v in f[g]], 6) for g in range(3)])

    class Unit(wiring.Component):
        group: Any
        next_group: Any

        def __init__(self) -> None:
            ports = {f"{field.value}{lane}": Out(plan.residual_bits) for field in fields for lane in range(2)}
            super().__init__({"group": In(2), "next_group": In(2), **ports})

        def elaborate(self, platform: object) -> Module:
            m = Module()
            found = constant_fields(plan, constant_word(m, plan, self.next_group, self.group))
            assert tuple(found) == fields
            for field, lanes in found.items():
                for lane, value in enumerate(lanes):
                    m.d.comb += getattr(self, f"{field.value}{lane}").eq(value)
            return m

    unit = Unit()

    async def process(ctx: Any) -> None:
        groups = [0, 1, 2, 1, 0, 2, 2]
        for group, following in zip(groups, [*groups[1:], 0], strict=True):
            ctx.set(unit.group, group)
            ctx.set(unit.next_group, following)
            if group != groups[0] or kind is MemoryKind.LUT:
                for f, field in enumerate(fields):
                    for lane in range(2):
                        raw = ctx.get(getattr(unit, f"{field.value}{lane}"))
                        assert raw == values[f][group][lane] % 64
            await ctx.tick()

    simulate(unit, process)


def test_images_are_looked_for_in_the_build_folder() -> None:
    assert image_path("hidden.weights") == "images/hidden.weights.hex"
