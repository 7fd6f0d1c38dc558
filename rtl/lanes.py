"""The lanes of an engine: what one operation does to one membrane word.

    operation -> weight rows -> operand -> adder <-> membranes

A word is read, added to and written in every cycle in which an operation executes, back to back. A sweep uses the same
adder as an accumulate: with the membrane kept as the residual ``X = leak(V) + bias - threshold``
(`snnc.compiler.plan`), its sign is the spike, and what is added is a constant.
"""

from collections.abc import Mapping

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, ValueLike, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from snnc.compiler.plan import ConstantField, DigitPlan, EnginePlan, MemoryKind
from snnc.rtl.beats import Marker, Operation, OperationKind, operation
from snnc.rtl.loader import LoadPort
from snnc.rtl.memories import BlockMembrane, LoadedRom, Ring, Rom, constant_fields
from snnc.rtl.neurons import at_pass, ends_sample, goes_on, leaky_readout, swept

__all__ = ["Lanes"]


class Lanes(wiring.Component):
    """The arithmetic and the memories of an engine, or of one of its column banks.

    Parameters
    ----------
    plan
        The engine.

    Members
    -------
    valid : In(1)
        `operation` is issued in this cycle. It executes `pipeline` cycles of the plan later, in a column bank one less.
    operation : In(operation)
        In a column bank, its `word` is an address in ``EnginePlan.bank_layout``.
    constants : In(plan.constants.width)
        Those of the group of the operation whose membranes are being read, a cycle before it executes if the engine is
        staged.
    executes : Out(1)
    spikes : Out(lanes)
        Of what executes: the neurons whose residual is not negative.
    total : Out(lanes * residual_bits)
        Of what executes: the word that is written.
    load0, load1, ... : In(LoadPort)
        Fill the projections' weights (only where they are in SPRAM).

    Of a readout alone:

    head : Out(lanes * residual_bits)
        The membrane word whose turn it is.
    next_word, restore : In(1)
        Turn to the next word; make all words anew.
    """

    valid: Signal
    operation: Operation
    constants: Signal
    executes: Signal
    spikes: Signal
    total: Signal
    head: Signal
    next_word: Signal
    restore: Signal

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        self._depth = plan.pipeline - (plan.column_banks > 1)
        width = plan.lanes * plan.residual_bits
        ports: dict[str, wiring.Member] = {
            "valid": In(1),
            "operation": In(operation(plan)),
            "constants": In(plan.constants.width),
            "executes": Out(1),
            "spikes": Out(plan.lanes),
            "total": Out(width),
        }
        for k, projection in enumerate(plan.projections):
            if projection.weights.kind is MemoryKind.SPRAM:
                ports[f"load{k}"] = In(LoadPort(projection.weights))
        if not plan.population.fires:
            ports |= {"head": Out(width), "next_word": In(1), "restore": In(1)}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, depth = self._plan, self._depth
        width = len(self.total)

        valids = [self.valid]
        operations = [self.operation]
        for k in range(1, depth + 1):
            valids.append(Signal(name=f"valid{k}"))
            operations.append(operation(plan).signal(name=f"operation{k}", reset_less=True))
            m.d.sync += [valids[k].eq(valids[k - 1]), operations[k].eq(operations[k - 1])]

        # --- choose what is added to what; execute, a cycle later if there is a register between ---
        chosen = depth - plan.staged
        now, valid = operations[depth], valids[depth]
        restoring = Signal()
        m.d.comb += restoring.eq(ends_sample(plan, now))
        head = Signal(width, name="membranes")
        constants = constant_fields(plan, self.constants)
        operand = self._operand(m, operations[: chosen + 1], valids[: chosen + 1])
        bases, addends, spikes = self._chosen(m, operations[chosen], head, operand, constants)
        initial: Value = Cat(constants.get(ConstantField.INITIAL, []))

        def staged(value: ValueLike, name: str, shape: Shape | int) -> ValueLike:
            if not plan.staged:
                return value
            register = Signal(shape, name=name, reset_less=True)
            m.d.sync += register.eq(value)
            return register

        m.d.comb += [self.executes.eq(valid), self.spikes.eq(staged(Cat(spikes), "staged_spikes", plan.lanes))]
        initial = staged(initial, "initial", width)
        term = signed(plan.residual_bits)
        for lane, (base, addend) in enumerate(zip(bases, addends, strict=True)):
            added = staged(base, f"base{lane}", term) + staged(addend, f"addend{lane}", term)
            m.d.comb += self.total.word_select(lane, plan.residual_bits).eq(added)

        # After a direct-encoded source, its events go to the stored current and leave the membranes alone.
        turns = valid & (now.kind != OperationKind.ACCUMULATE) if plan.main.digits is not None else valid
        if plan.membrane.kind is MemoryKind.REGISTERS:
            spiking = plan.population.fires
            initial_image = f"{plan.name}.initial" if spiking else None
            m.submodules.membrane = ring = Ring(width, plan.words, initial_image, ones=leaky_readout(plan))
            tail: Value = self.total
            if (plan.population.exit is not None or goes_on(plan)) and plan.words > 1:
                tail = Mux(self.next_word, head, tail)  # what is only looked at comes back
            m.d.comb += [head.eq(ring.head), ring.tail.eq(tail)]
            if spiking:
                m.d.comb += [ring.turn.eq(turns), ring.restore.eq(valid & restoring & now.last)]
            else:
                restore = self.restore | (valid & restoring & now.last & now.clear)
                m.d.comb += [self.head.eq(head), ring.turn.eq(turns | self.next_word), ring.restore.eq(restore)]
        else:
            m.submodules.membrane = block = BlockMembrane(plan.membrane)
            word = self._forwarded(m, operations, valids, block.data) if plan.forwards else block.data
            m.d.comb += [
                block.read_word.eq(operations[chosen - 1].word),
                head.eq(word),
                block.write.eq(turns),
                block.write_word.eq(now.word),
                block.write_data.eq(Mux(restoring, initial, self.total)),
            ]
        return m

    def _chosen(
        self,
        m: Module,
        now: Operation,
        head: Signal,
        operand: list[Value],
        constants: Mapping[ConstantField, list[Value]],
    ) -> tuple[list[Value], list[Value], list[Value]]:
        """Per lane the two terms of the adder, and the spike."""
        plan = self._plan
        sweeping, at_work = Signal(), Signal(len(plan.passes))
        m.d.comb += sweeping.eq(now.kind == OperationKind.SWEEP)
        for k in range(len(plan.passes)):
            m.d.comb += at_work[k].eq(sweeping & at_pass(plan, now.sweep_pass, k))
        bases, addends, spikes = [], [], []
        for lane in range(plan.lanes):
            residual = head.word_select(lane, plan.residual_bits).as_signed()
            of_lane = {field: values[lane] for field, values in constants.items()}
            base, added, spike = swept(plan, residual, list(at_work), of_lane)
            bases.append(base)
            addends.append(Mux(sweeping, added, operand[lane]))
            spikes.append(spike)
        return bases, addends, spikes

    def _forwarded(self, m: Module, operations: list[Operation], valids: list[Signal], read: Signal) -> Value:
        """The word that was read, or what an operation one or two cycles earlier makes of it.

        That is being written now, or was in the cycle in which the word was read.
        """
        reads, chosen, adds = operations[-3:]
        last_total = Signal.like(self.total, reset_less=True)
        one, two = Signal(reset_less=True), Signal(reset_less=True)
        m.d.sync += [
            last_total.eq(self.total),
            one.eq(valids[-2] & (reads.word == chosen.word)),
            two.eq(valids[-1] & (reads.word == adds.word)),
        ]
        return Mux(one, self.total, Mux(two, last_total, read))

    def _operand(self, m: Module, operations: list[Operation], valids: list[Signal]) -> list[Value]:
        """Per lane, what the last of `operations` adds where it is no sweep; connects weights and stored current."""
        plan = self._plan
        rows = [self._weight_row(m, k, operations) for k in range(len(plan.projections))]
        if plan.main.digits is not None:
            return self._current(m, plan.main.digits, rows[-1], operations, valids)
        if not plan.registered:
            return rows[0]
        turn = operations[-2].turn
        operand: list[Value] = []
        for lane in range(plan.lanes):
            chosen = rows[-1][lane]
            for k, row in enumerate(rows[:-1]):
                chosen = Mux(turn == k, row[lane], chosen)
            register = Signal(signed(plan.residual_bits), name=f"operand{lane}", reset_less=True)
            m.d.sync += register.eq(chosen)
            operand.append(register)
        return operand

    def _weight_row(self, m: Module, k: int, operations: list[Operation]) -> list[Value]:
        """Per lane, the weights of projection `k`: for the last of `operations`, or a stage before it where a register
        follows.
        """
        projection = self._plan.projections[k]
        weights: Rom | LoadedRom
        if projection.weights.kind is MemoryKind.SPRAM:
            weights = LoadedRom(projection.weights)
            connect(m, flipped(getattr(self, f"load{k}")), weights.load)
        else:
            weights = Rom(projection.weights)
        m.submodules[f"weights{k}"] = weights
        issue = len(operations) - 1 - self._plan.registered - weights.latency
        if issue < 0:
            raise ValueError(f"Engine {self._plan.name!r} needs a pipeline longer by {-issue}")
        m.d.comb += weights.address.eq(operations[issue].row)
        row = [weights.data.word_select(lane, projection.weight_bits).as_signed() for lane in range(self._plan.lanes)]
        return row if projection.digits is not None else [weight.shift_left(projection.shift) for weight in row]

    def _current(
        self, m: Module, digits: DigitPlan, row: list[Value], operations: list[Operation], valids: list[Signal]
    ) -> list[Value]:
        """Per lane the stored current that an inject adds; adds the shifted rows to it."""
        plan = self._plan
        before, now, valid = operations[-2], operations[-1], valids[-1]
        accumulates, adds = Signal(), Signal()
        m.d.comb += [
            accumulates.eq(before.kind == OperationKind.ACCUMULATE),
            adds.eq(now.kind == OperationKind.ACCUMULATE),
        ]
        # Register the shifted row; a negative digit is the complement here and a carry in the adder.
        scaled_bits = plan.main.weight_bits + digits.value_bits
        negative = Signal(reset_less=True)
        m.d.sync += negative.eq(before.negative & accumulates)
        head, tail = (Signal(plan.lanes * digits.current_bits, name=name) for name in ("current_head", "current_tail"))
        if digits.memory.kind is MemoryKind.REGISTERS:
            m.submodules.current = ring = Ring(len(head), plan.words, None)
            m.d.comb += [
                ring.turn.eq(valid & (adds | (now.kind == OperationKind.INJECT))),
                ring.restore.eq(valid & ends_sample(plan, now) & now.last),
                head.eq(ring.head),
                ring.tail.eq(tail),
            ]
        else:
            # A sample's last injects and sweeps leave zeros, as the clearing sweep does.
            m.submodules.current = block = BlockMembrane(digits.memory)
            m.d.comb += [
                block.read_word.eq(before.word),
                head.eq(block.data),
                block.write.eq(valid & (adds | (now.marker == Marker.SAMPLE))),
                block.write_word.eq(now.word),
                block.write_data.eq(tail & adds.replicate(len(tail))),
            ]
        stored = []
        for lane in range(plan.lanes):
            scaled = Signal(signed(scaled_bits), name=f"scaled{lane}", reset_less=True)
            sign = before.negative.replicate(scaled_bits)
            with m.If(accumulates):
                m.d.sync += scaled.eq(((row[lane] << before.shift)[:scaled_bits] ^ sign).as_signed())
            with m.Else():
                m.d.sync += scaled.eq(0)
            current = head.word_select(lane, digits.current_bits).as_signed()
            # {current, 1} + {scaled, negative}: the carry out of the added low bit is the complement's "+ 1".
            total = Cat(Const(1, 1), current).as_signed() + Cat(negative, scaled).as_signed()
            m.d.comb += tail.word_select(lane, digits.current_bits).eq(total[1:])
            stored.append(current.shift_left(plan.main.shift))
        return stored
