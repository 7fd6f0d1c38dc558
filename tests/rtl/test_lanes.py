"""The lanes: sums and sweeps of membranes against the neuron's equations, one operation after the other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from snnc.compiler.ir import Reset
from snnc.compiler.plan import EnginePlan, MemoryKind
from snnc.rtl.beats import Marker, OperationKind
from snnc.rtl.lanes import Lanes
from tests.rtl.benches import paced, simulate
from tests.rtl.memories import simulate_memories
from tests.rtl.plans import Neuron, convolution, dense, engine, layout, memory, packed, write_words

REGISTERS, EBR, SPRAM = MemoryKind.REGISTERS, MemoryKind.EBR, MemoryKind.SPRAM
SOURCE = layout(5)
WORDS = layout(6, lanes=2)
LONG = layout(8, lanes=2)
MAP = layout(2, 3, 4)

CASES: dict[str, EnginePlan] = {
    "ring": engine(WORDS, (dense(SOURCE, WORDS),), membrane=REGISTERS),
    "one word": engine(layout(3, lanes=3), (dense(SOURCE, layout(3, lanes=3)),), membrane=REGISTERS, reset=Reset.HARD),
    "block": engine(WORDS, (dense(SOURCE, WORDS, shift=2),), reset=Reset.HARD),
    "banked weights": engine(WORDS, (dense(SOURCE, WORDS, banks=3),)),
    "loaded weights": engine(WORDS, (dense(SOURCE, WORDS, weights=SPRAM),)),
    "staged": engine(LONG, (dense(SOURCE, LONG),), staged=True),
    "leak and floor": engine(WORDS, (dense(SOURCE, WORDS),), leak_shift=2, floor=True),
    "staged leak": engine(LONG, (dense(SOURCE, LONG),), leak_shift=1, staged=True, reset=Reset.HARD),
    "floor in a ring": engine(WORDS, (dense(SOURCE, WORDS),), floor=True, membrane=REGISTERS),
    "two projections": engine(
        WORDS, (dense(SOURCE, WORDS, shift=1, weight_bits=3, name="side"), dense(SOURCE, WORDS)), membrane=REGISTERS
    ),
    "registered": engine(WORDS, (dense(SOURCE, WORDS, shift=1),), membrane=REGISTERS, registered=True),
    "registered readout": engine(
        WORDS, (dense(SOURCE, WORDS, banks=3),), readout=True, membrane=REGISTERS, registered=True
    ),
    "pixels": engine(WORDS, (dense(SOURCE, WORDS, value_bits=3),), membrane=REGISTERS),
    "pixels in block": engine(WORDS, (dense(SOURCE, WORDS, value_bits=4, current=EBR, shift=1),), residual_bits=16),
    "pixels, staged": engine(LONG, (dense(SOURCE, LONG, value_bits=2, current=EBR),), staged=True, leak_shift=2),
    "map": engine(MAP, (convolution(layout(1, 3, 4), MAP, size=(3, 3), padding=(1, 1)),)),
    "forwards": engine(MAP, (convolution(layout(1, 3, 4), MAP, size=(3, 3), padding=(1, 1)),), staged=True),
    "column bank": engine(
        MAP, (convolution(layout(1, 3, 4), MAP, size=(3, 3), padding=(1, 1)),), column_banks=2, floor=True
    ),
    "readout": engine(WORDS, (dense(SOURCE, WORDS),), readout=True, membrane=REGISTERS),
    "readout of pixels": engine(WORDS, (dense(SOURCE, WORDS, value_bits=2),), readout=True, membrane=REGISTERS),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What `beats.operation` says, in numbers."""

    kind: OperationKind
    word: int
    turn: int = 0
    sweep_pass: int = 0
    row: int = 0
    last: bool = False
    marker: Marker = Marker.NONE
    shift: int = 0
    negative: bool = False
    clear: bool = False


def program(plan: EnginePlan, steps: tuple[int, ...], idle: float) -> Iterator[Operation | None]:
    """Samples of so many steps, as a sequencer issues them; None where it issues nothing."""
    generator, acts = random.Random(plan.words), paced(idle, "issue")
    target = plan.bank_layout
    words = [
        target.address(y, x, g) for y in range(target.rows) for x in range(target.columns) for g in range(target.groups)
    ]
    passes = len(plan.passes)

    def in_order(**settings: Any) -> Iterator[Operation]:
        for k, word in enumerate(words):
            row = settings.get("row", -k) + k
            yield Operation(**{**settings, "word": word, "row": row, "last": word == words[-1]})

    def accumulates(turn: int) -> Iterator[Operation]:
        projection = plan.projections[turn]
        if not projection.walk.in_turn:  # here and there
            few, before = generator.sample(words, 3), None
            for _ in range(20):
                before = word = generator.choice([w for w in few if plan.forwards or w != before])
                yield Operation(
                    kind=OperationKind.ACCUMULATE,
                    word=word,
                    row=generator.randrange(projection.weights.depth),
                )
            return
        for _ in range(generator.randrange(1, 6)):
            digit = {}
            if projection.digits is not None:
                value_bits = projection.digits.value_bits
                digit = {"shift": generator.randrange(value_bits + 1), "negative": generator.random() < 0.5}
            row = generator.randrange(projection.weights.depth // plan.words) * plan.words
            yield from in_order(kind=OperationKind.ACCUMULATE, turn=turn, row=row, **digit)

    def everything() -> Iterator[Operation | None]:
        kind = OperationKind.SWEEP
        yield from in_order(kind=kind, sweep_pass=passes - 1, marker=Marker.SAMPLE, clear=True)
        for length in steps:
            for step in range(length):
                marker = Marker.SAMPLE if step == length - 1 else Marker.STEP
                yield from (None, None)
                for turn in range(len(plan.projections)):
                    yield from accumulates(turn)
                yield from (None, None) if not plan.main.walk.in_turn else ()
                if plan.main.digits is not None:
                    # What is left of the last digit means nothing.
                    yield from in_order(kind=OperationKind.INJECT, marker=marker, shift=1, negative=step % 2 == 0)
                for sweep_pass in range(passes):
                    yield from in_order(kind=kind, sweep_pass=sweep_pass, marker=marker)
            if not plan.population.fires:
                yield from [None] * (plan.words + plan.pipeline)

    for item in everything():
        while not next(acts):
            yield None
        yield item


@dataclass
class Oracle:
    """Membranes as residuals, and currents, by word and lane."""

    plan: EnginePlan
    neurons: list[Neuron]
    weights: list[list[list[int]]]  # by projection, row, lane
    residuals: dict[tuple[int, int], int] = field(default_factory=dict)
    membranes: dict[tuple[int, int], int] = field(default_factory=dict)
    currents: dict[tuple[int, int], int] = field(default_factory=dict)

    def neuron(self, word: int, lane: int) -> Neuron:
        group = word % (1 << self.plan.layout.group_bits)
        return self.neurons[group * self.plan.lanes + lane]

    def execute(self, op: Operation, lane: int) -> tuple[int | None, bool | None]:
        """Gives the residual after an operation, and the spike; None where they mean nothing."""
        plan, at = self.plan, (op.word, lane)
        neuron, main = self.neuron(op.word, lane), plan.main
        if op.clear:
            self.begin(op.word, lane)
            return None, None
        if op.kind is OperationKind.ACCUMULATE:
            weight = self.weights[op.turn][op.row][lane]
            if main.digits is not None:
                self.currents[at] += (weight << op.shift) * (-1 if op.negative else 1)
                return None, None
            self.residuals[at] += weight << plan.projections[op.turn].shift
            return self.residuals[at], None
        if op.kind is OperationKind.INJECT:
            self.residuals[at] += self.currents[at] << main.shift
            return self.residuals[at], None
        if op.sweep_pass == 0:
            summed = self.residuals[at] - neuron.residual(self.membranes[at])
            fired, self.membranes[at] = neuron.step(self.membranes[at], summed)
        spike = fired if op.sweep_pass == 0 and neuron.reset is not None else None
        if op.sweep_pass < len(plan.passes) - 1:
            return None, spike
        self.residuals[at] = after = neuron.residual(self.membranes[at])
        if op.marker is Marker.SAMPLE and neuron.reset is not None:  # a readout's are handed out first
            self.begin(op.word, lane)
        return after, spike

    def begin(self, word: int, lane: int) -> None:
        """A sample begins."""
        at, neuron = (word, lane), self.neuron(word, lane)
        self.membranes[at], self.residuals[at], self.currents[at] = neuron.initial, neuron.residual(neuron.initial), 0


def neurons_of(plan: EnginePlan) -> list[Neuron]:
    generator = random.Random(plan.residual_bits)
    readout = not plan.population.fires
    return [
        Neuron(
            threshold=generator.randrange(2, 16),
            bias=generator.randrange(-4, 6),
            initial=0 if readout else generator.randrange(3),
            reset=plan.reset,
            leak_shift=plan.leak_shift,
            floor=-generator.randrange(1, 12) if plan.population.floor else None,
        )
        for _ in range(plan.layout.channels)
    ]


def write_images(plan: EnginePlan, neurons: list[Neuron], weights: list[list[list[int]]], folder: Path) -> None:
    for projection, rows in zip(plan.projections, weights, strict=True):
        if projection.weights.kind is not SPRAM:
            write_words(folder, projection.weights, [packed(row, projection.weight_bits) for row in rows])
    if plan.membrane.kind is REGISTERS:
        initial = [n.residual(n.initial) for n in neurons] * (plan.layout.rows * plan.layout.columns)
        whole = memory("engine.initial", plan.residual_bits * len(initial), 1)
        write_words(folder, whole, [packed(initial, plan.residual_bits)])


def constants_of(plan: EnginePlan, neurons: list[Neuron], word: int) -> int:
    group = word % (1 << plan.layout.group_bits)
    own = [neuron.constants() for neuron in neurons[group * plan.lanes :][: plan.lanes]]
    return packed([values[name] for name in plan.constant_fields for values in own], plan.residual_bits)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("idle", [0.0, 0.4])
def test_operations_do_to_membranes_what_they_say(
    name: str, idle: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = CASES[name]
    neurons, generator = neurons_of(plan), random.Random(name)
    weights = []
    for projection in plan.projections:
        top = 2 ** (projection.weight_bits - 1) - 1
        rows = range(projection.weights.depth)
        weights.append([[generator.randrange(-top, top + 1) for _ in range(plan.lanes)] for _ in rows])
    simulate_memories(monkeypatch, tmp_path, "snnc.rtl.memories")
    write_images(plan, neurons, weights, tmp_path)
    unit, oracle = Lanes(plan), Oracle(plan, neurons, weights)
    depth = plan.pipeline - (plan.column_banks > 1)
    readout = not plan.population.fires
    spikes = 0
    leaving: list[int] = []  # words of a readout

    async def load(ctx: Any) -> None:
        port: Any = getattr(unit, "load0")  # noqa: B009  # a port that only some lanes have
        ctx.set(port.loading, 1)
        for row, values in enumerate(weights[0]):
            ctx.set(port.row, row)
            ctx.set(port.data, packed(values, plan.main.weight_bits))
            ctx.set(port.write, 1)
            await ctx.tick()
        ctx.set(port.loading, 0)
        ctx.set(port.write, 0)

    async def process(ctx: Any) -> None:
        nonlocal spikes
        if plan.main.weights.kind is SPRAM:
            await load(ctx)
        issued = list(program(plan, (3, 1, 5), idle))
        mask = (1 << plan.residual_bits) - 1
        for cycle in range(len(issued) + depth):
            op = issued[cycle] if cycle < len(issued) else None
            ctx.set(unit.valid, op is not None)
            shown = op or Operation(kind=OperationKind.SWEEP, word=0, marker=Marker.SAMPLE, last=True)
            ctx.set(unit.operation, {name: getattr(shown, name) for name in Operation.__slots__})
            reads = cycle - depth + plan.staged
            if 0 <= reads < len(issued) and (being := issued[reads]) is not None:
                ctx.set(unit.constants, constants_of(plan, neurons, being.word))
            now = issued[cycle - depth] if cycle >= depth else None
            assert ctx.get(unit.executes) == (now is not None)
            for lane in range(plan.lanes) if now is not None else ():
                assert now is not None
                after, spike = oracle.execute(now, lane)
                total = ctx.get(unit.total) >> lane * plan.residual_bits & mask
                assert after is None or total == after & mask, (cycle, now)
                assert spike is None or ctx.get(unit.spikes) >> lane & 1 == spike, (cycle, now)
                spikes += bool(spike)
            if readout:
                hand_out(ctx, now)
            await ctx.tick()

    def hand_out(ctx: Any, now: Operation | None) -> None:
        """A cycle after a sample's last operation its logits are at the head, word by word; then all are made anew."""
        ctx.set(unit.next_word, bool(leaving))
        ctx.set(unit.restore, len(leaving) == 1)
        if leaving:
            word = leaving.pop(0)
            membranes = [oracle.membranes[word, lane] for lane in range(plan.lanes)]
            assert ctx.get(unit.head) == packed(membranes, plan.residual_bits)
            for lane in range(plan.lanes):
                oracle.begin(word, lane)
        if now is not None and now.kind is OperationKind.SWEEP and now.last and not now.clear:
            leaving.extend(range(plan.words) if now.marker is Marker.SAMPLE else ())

    simulate(unit, process)
    assert spikes or readout
