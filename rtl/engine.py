"""An engine: the hardware of one population.

    event beats -> walkers -> weight rows -> operand -> adder <-> membranes
                                                sweep: spikes -> o

One membrane word is read, added to and written in every cycle in which an operation executes, back to back. A sweep
uses the same adder as an accumulate: with the membrane kept as the residual ``X = leak(V) + bias - threshold``
(`snnc.compiler.plan`), its sign is the spike, and what is added is a constant.
"""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from snnc.compiler.plan import ConstantField, DigitPlan, EngineKind, EnginePlan, MemoryKind
from snnc.rtl.beats import Marker, OperationKind, operation, result_beat, spike_word
from snnc.rtl.credits import SpikeOutput
from snnc.rtl.loader import LoadPort
from snnc.rtl.memories import BlockMembrane, LoadedRom, Ring, Rom, constant_fields
from snnc.rtl.neurons import at_pass, swept
from snnc.rtl.readout_port import ReadoutPort
from snnc.rtl.sequencer import Sequencer

__all__ = ["Engine"]


class Engine(wiring.Component):
    """Hardware of one population that events reach.

    Parameters
    ----------
    plan
        The population.
    behind
        Depths of the queues that take the spike words.

    Members
    -------
    i0, i1, ... : In(stream of the walkers' beats)
        One for each projection of the plan.
    o : Out(stream of spike words, or of result beats from a readout)
        A spike word is never held back: it is offered for one cycle, and the queues behind have room for it.
    left : In(number of queues)
        A spike word leaves the queue (not for a readout).
    step, sample : Out(1)
        The last operation of a step, and of a sample, is issued.
    load0, load1, ... : In(LoadPort)
        Fill the projections' weights (only where they are in SPRAM). No beat may come until the loader is done.

    Signals named ``probe_*`` say what executes: `sim` reads them by these names.
    """

    o: stream.Interface
    left: Signal
    step: Signal
    sample: Signal

    def __init__(self, plan: EnginePlan, behind: tuple[int, ...]) -> None:
        if plan.main.digits is not None and len(plan.projections) > 1:
            raise ValueError(f"Engine {plan.name!r} must hear pixels alone")
        self._plan = plan
        self._behind = behind
        self._sequencer = Sequencer(plan)
        ports: dict[str, Any] = {"step": Out(1), "sample": Out(1)}
        for k, projection in enumerate(plan.projections):
            ports[f"i{k}"] = In(getattr(self._sequencer, f"i{k}").signature.flip())
            if projection.weights.kind is MemoryKind.SPRAM:
                ports[f"load{k}"] = In(LoadPort(projection.weights))
        if plan.kind is EngineKind.READOUT:
            ports |= {"o": Out(stream.Signature(result_beat(plan)))}
        else:
            ports |= {"o": Out(stream.Signature(spike_word(plan))), "left": In(len(behind))}
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        plan = self._plan
        spiking = plan.kind is EngineKind.SPIKING
        width, depth = plan.lanes * plan.residual_bits, plan.pipeline

        m.submodules.sequencer = sequencer = self._sequencer
        for k in range(len(plan.projections)):
            connect(m, flipped(getattr(self, f"i{k}")), getattr(sequencer, f"i{k}"))

        # --- issue: what the sequencer wants, or the clearing sweep after a reset ---
        layout = operation(plan)
        valids = [Signal(name=f"valid{k}") for k in range(depth + 1)]
        # Any: a signal of a layout is a view with the layout's fields, which the types do not know.
        operations: list[Any] = [Signal(layout, name=f"operation{k}", reset_less=True) for k in range(depth + 1)]
        clearing = Signal(init=1)
        clear_word = Signal.like(operations[0].word)
        words = plan.words if plan.membrane.kind is MemoryKind.REGISTERS else plan.layout.depth
        m.d.comb += [valids[0].eq(sequencer.issue | clearing), operations[0].eq(sequencer.operation)]
        with m.If(clearing):
            m.d.comb += [
                operations[0].kind.eq(OperationKind.SWEEP),
                operations[0].sweep_pass.eq(len(plan.passes) - 1),
                operations[0].word.eq(clear_word),
                operations[0].last.eq(clear_word == words - 1),
                operations[0].marker.eq(Marker.SAMPLE),
                operations[0].clear.eq(1),
            ]
            m.d.sync += clear_word.eq(clear_word + 1)
            with m.If(clear_word == words - 1):
                m.d.sync += clearing.eq(0)
        for k in range(depth):
            m.d.sync += [valids[k + 1].eq(valids[k]), operations[k + 1].eq(operations[k])]

        # --- choose what is added to what; execute, a cycle later if there is a register between ---
        chosen = depth - plan.staged
        now, valid = operations[depth], valids[depth]
        sweeping, restoring = Signal(), Signal()
        m.d.comb += [
            sweeping.eq(now.kind == OperationKind.SWEEP),
            restoring.eq(
                sweeping & at_pass(plan, now.sweep_pass, len(plan.passes) - 1) & (now.marker == Marker.SAMPLE)
            ),
            self.step.eq(sequencer.finished),
            self.sample.eq(sequencer.finished & (sequencer.operation.marker == Marker.SAMPLE)),
        ]
        end_of_sample = Signal()
        m.d.comb += end_of_sample.eq(valid & restoring & now.last)
        head, total = Signal(width), Signal(width)
        operand = self._operand(m, operations[: chosen + 1], valids[: chosen + 1])
        constants = self._constants(m, operations[chosen - 1], operations[chosen])
        bases, addends, spikes = self._chosen(operations[chosen], head, operand, constants)
        initial = Cat(constants.get(ConstantField.INITIAL, []))

        def staged(value: Any, name: str, shape: Any) -> Any:
            if not plan.staged:
                return value
            register = Signal(shape, name=name, reset_less=True)
            m.d.sync += register.eq(value)
            return register

        spike_mask = staged(Cat(spikes), "spikes", plan.lanes)
        initial = staged(initial, "initial", width)
        term = signed(plan.residual_bits)
        for lane, (base, addend) in enumerate(zip(bases, addends, strict=True)):
            added = staged(base, f"base{lane}", term) + staged(addend, f"addend{lane}", term)
            m.d.comb += total.word_select(lane, plan.residual_bits).eq(added)

        # After a direct-encoded source, its events go to the stored current and leave the membranes alone.
        turns = valid & (now.kind != OperationKind.ACCUMULATE) if plan.main.digits is not None else valid
        ring = None
        if plan.membrane.kind is MemoryKind.REGISTERS:
            m.submodules.membrane = ring = Ring(width, plan.words, f"{plan.name}.initial" if spiking else None)
            m.d.comb += [head.eq(ring.head), ring.tail.eq(total), ring.turn.eq(turns)]
            if spiking:
                m.d.comb += ring.restore.eq(end_of_sample)
        else:
            m.submodules.membrane = block = BlockMembrane(plan.membrane)
            word = self._forwarded(m, operations, valids, block.data, total) if plan.forwards else block.data
            m.d.comb += [
                block.read_word.eq(operations[chosen - 1].word),
                head.eq(word),
                block.write.eq(turns),
                block.write_word.eq(now.word),
                block.write_data.eq(Mux(restoring, initial, total)),
            ]

        m.d.comb += sequencer.allow.eq(~clearing)
        if spiking:
            self._spikes_out(m, sequencer, now, valid & sweeping, spike_mask)
        else:
            assert ring is not None
            m.submodules.port = port = ReadoutPort(plan)
            connect(m, port.o, flipped(self.o))
            # Nothing may touch the membranes from the end of a sample until its logits have left.
            blocked = Signal()
            with m.If(self.sample):
                m.d.sync += blocked.eq(1)
            with m.Elif(port.finished):
                m.d.sync += blocked.eq(0)
            m.d.comb += [
                sequencer.allow.eq(~clearing & ~blocked),
                sequencer.allow_spikes.eq(1),
                port.start.eq(end_of_sample & ~now.clear),
                port.head.eq(head),
                ring.turn.eq(turns | port.next_word),
                ring.restore.eq(port.restore | (end_of_sample & now.clear)),
            ]

        self._probes(m, valid & ~now.clear, sweeping, now.word, spike_mask, total)
        return m

    def _chosen(
        self, now: Any, head: Signal, operand: list[Any], constants: Mapping[ConstantField, list[Any]]
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """Per lane the two terms of the adder, and the spike."""
        plan = self._plan
        sweeping = now.kind == OperationKind.SWEEP
        bases, addends, spikes = [], [], []
        for lane in range(plan.lanes):
            residual = head.word_select(lane, plan.residual_bits).as_signed()
            of_lane = {field: values[lane] for field, values in constants.items()}
            keeps, added, spike = swept(plan, residual, now.sweep_pass, of_lane)
            bases.append(Mux(sweeping & ~keeps, 0, residual))
            addends.append(Mux(sweeping, added, operand[lane]))
            spikes.append(spike)
        return bases, addends, spikes

    def _forwarded(self, m: Module, operations: list[Any], valids: list[Signal], read: Signal, total: Signal) -> Any:
        """The word that was read, or what an operation one or two cycles earlier makes of it.

        That is being written now, or was in the cycle in which the word was read.
        """
        reads, chosen, adds = operations[-3:]
        last_total = Signal.like(total, reset_less=True)
        one, two = Signal(reset_less=True), Signal(reset_less=True)
        m.d.sync += [
            last_total.eq(total),
            one.eq(valids[-2] & (reads.word == chosen.word)),
            two.eq(valids[-1] & (reads.word == adds.word)),
        ]
        return Mux(one, total, Mux(two, last_total, read))

    def _operand(self, m: Module, operations: list[Any], valids: list[Signal]) -> list[Any]:
        """Per lane, what the last of `operations` adds where it is no sweep; connects weights and stored current."""
        plan = self._plan
        rows = [self._weight_row(m, k, operations) for k in range(len(plan.projections))]
        if plan.main.digits is not None:
            return self._current(m, plan.main.digits, rows[-1], operations, valids)
        if len(rows) == 1:
            return rows[0]
        # A register stands behind the choice among several projections.
        turn = operations[-2].turn
        operand = []
        for lane in range(plan.lanes):
            chosen = rows[-1][lane]
            for k, row in enumerate(rows[:-1]):
                chosen = Mux(turn == k, row[lane], chosen)
            register = Signal(signed(plan.residual_bits), name=f"operand{lane}", reset_less=True)
            m.d.sync += register.eq(chosen)
            operand.append(register)
        return operand

    def _weight_row(self, m: Module, k: int, operations: list[Any]) -> list[Any]:
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
        registered = projection.digits is not None or len(self._plan.projections) > 1
        issue = len(operations) - 1 - registered - weights.latency
        if issue < 0:
            raise ValueError(f"Engine {self._plan.name!r} needs a pipeline longer by {-issue}")
        m.d.comb += weights.address.eq(operations[issue].row)
        row = [weights.data.word_select(lane, projection.weight_bits).as_signed() for lane in range(self._plan.lanes)]
        return row if projection.digits is not None else [weight << projection.shift for weight in row]

    def _current(
        self, m: Module, digits: DigitPlan, row: list[Any], operations: list[Any], valids: list[Signal]
    ) -> list[Any]:
        """Per lane the stored current that an inject adds; adds the shifted rows to it."""
        plan = self._plan
        before, now, valid = operations[-2], operations[-1], valids[-1]
        # Register the shifted row; a negative digit is the complement here and a carry in the adder.
        accumulates = before.kind == OperationKind.ACCUMULATE
        scaled_bits = plan.main.weight_bits + digits.value_bits
        negative = Signal(reset_less=True)
        m.d.sync += negative.eq(before.negative & accumulates)
        head, tail = (Signal(plan.lanes * digits.current_bits, name=name) for name in ("current_head", "current_tail"))
        adds = now.kind == OperationKind.ACCUMULATE
        if digits.memory.kind is MemoryKind.REGISTERS:
            sweeps = (now.kind == OperationKind.SWEEP) & at_pass(plan, now.sweep_pass, len(plan.passes) - 1)
            ends = sweeps & now.last & (now.marker == Marker.SAMPLE)
            m.submodules.current = ring = Ring(len(head), plan.words, None)
            m.d.comb += [
                ring.turn.eq(valid & (adds | (now.kind == OperationKind.INJECT))),
                ring.restore.eq(valid & ends),
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
            stored.append(current << plan.main.shift)
        return stored

    def _constants(self, m: Module, before: Any, now: Any) -> dict[ConstantField, list[Any]]:
        """Per lane the constants of the word of `now`, `before` a cycle earlier.

        They are per channel: the word's group alone says which.
        """
        group_bits = self._plan.layout.group_bits
        return constant_fields(m, self._plan, before.word[:group_bits], now.word[:group_bits])

    def _spikes_out(self, m: Module, sequencer: Sequencer, now: Any, swept: Any, spikes: Any) -> None:
        """Offer spike words, and issue no operation whose word might find the queue behind full."""
        m.submodules.output = output = SpikeOutput(self._plan, self._behind)
        connect(m, output.o, flipped(self.o))
        issued = sequencer.operation

        m.d.comb += [
            output.issue.eq(
                sequencer.issue & (issued.kind == OperationKind.SWEEP) & at_pass(self._plan, issued.sweep_pass, 0)
            ),
            output.execute.eq(swept & ~now.clear & at_pass(self._plan, now.sweep_pass, 0)),
            output.beat.word.eq(now.word),
            output.beat.mask.eq(spikes),
            output.beat.marker.eq(now.marker),
            output.last.eq(now.last),
            output.left.eq(self.left),
            sequencer.allow_spikes.eq(output.allow),
        ]

    def _probes(self, m: Module, executes: Any, sweeping: Any, word: Any, spikes: Any, total: Signal) -> None:
        for name, value in {
            "probe_execute": executes,
            "probe_sweep": executes & sweeping,
            "probe_word": word,
            "probe_spikes": spikes,
            "probe_membranes": total,
        }.items():
            signal = Signal(len(value), name=name)
            m.d.comb += signal.eq(value)
