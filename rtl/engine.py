"""An engine: the hardware of one population.

    event beats -> walker -> weight rows -> operand -> adder <-> membranes
                                               sweep: spikes -> o

One membrane word is read, added to and written in every cycle in which an operation executes, back to back. A sweep
uses the same adder as an accumulate: with the membrane kept as the residual ``X = V + bias - threshold``
(`snnc.compiler.plan`), its sign is the spike, and what is added is ``bias`` or ``bias - threshold``.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from snnc.compiler.ir.neurons import Reset
from snnc.compiler.plan import EngineKind, EnginePlan, MemoryKind
from snnc.rtl.beats import Marker, OperationKind, operation, result_beat, spike_word
from snnc.rtl.credits import SpikeOutput
from snnc.rtl.loader import LoadPort
from snnc.rtl.memories import BlockMembrane, LoadedRom, Lookup, Ring, Rom
from snnc.rtl.readout_port import ReadoutPort
from snnc.rtl.walkers import WALKERS

__all__ = ["Engine"]


class Engine(wiring.Component):
    """Hardware of one population with one incoming projection.

    Parameters
    ----------
    plan
        The population.
    behind
        Depth of the queue that takes the spike words; None for a readout.

    Members
    -------
    i : In(stream of the walker's beats)
    o : Out(stream of spike words, or of result beats from a readout)
        A spike word is never held back: it is offered for one cycle, and the queue behind has room for it.
    left : In(1)
        A spike word leaves the queue behind (not for a readout).
    load : In(LoadPort)
        Fills the weights (only where they are in SPRAM). No beat may come until the loader is done.

    Signals named ``probe_*`` say what executes: `sim` reads them by these names.
    """

    i: stream.Interface
    o: stream.Interface
    left: Signal
    load: Any

    def __init__(self, plan: EnginePlan, behind: int | None) -> None:
        self._plan = plan
        self._behind = behind
        (projection,) = plan.projections
        self._projection = projection
        self._walker = WALKERS[projection.walker](plan, projection)
        ports = {"i": In(self._walker.i.signature.flip())}
        if plan.kind is EngineKind.READOUT:
            ports |= {"o": Out(stream.Signature(result_beat(plan)))}
        else:
            if behind is None:
                raise ValueError(f"Engine {plan.name!r} needs the depth of the queue behind it")
            ports |= {"o": Out(stream.Signature(spike_word(plan))), "left": In(1)}
        if projection.weights.kind is MemoryKind.SPRAM:
            ports |= {"load": In(LoadPort(projection.weights))}
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        plan, projection = self._plan, self._projection
        spiking = plan.kind is EngineKind.SPIKING
        lanes, width, depth = plan.lanes, plan.residual_bits, plan.pipeline

        m.submodules.walker = walker = self._walker
        connect(m, flipped(self.i), walker.i)

        # --- issue: what the walker wants, or the clearing sweep after a reset ---
        layout = operation(plan, projection)
        valids = [Signal(name=f"valid{k}") for k in range(depth + 1)]
        # Any: a signal of a layout is a view with the layout's fields, which the types do not know.
        operations: list[Any] = [Signal(layout, name=f"operation{k}", reset_less=True) for k in range(depth + 1)]
        clearing = Signal(init=1)
        clear_word = Signal.like(operations[0].word)
        words = plan.words if plan.membrane.kind is MemoryKind.REGISTERS else plan.layout.depth
        m.d.comb += [valids[0].eq(walker.issue | clearing), operations[0].eq(walker.operation)]
        with m.If(clearing):
            m.d.comb += [
                operations[0].kind.eq(OperationKind.SWEEP),
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

        # --- execute ---
        now, valid, before = operations[depth], valids[depth], operations[depth - 1]
        sweeping = Signal()
        end_of_sample = Signal()
        m.d.comb += [
            sweeping.eq(now.kind == OperationKind.SWEEP),
            end_of_sample.eq(valid & sweeping & now.last & (now.marker == Marker.SAMPLE)),
        ]
        operand = self._operand(m, operations, valids, end_of_sample)
        bias, fire, initial = self._constants(m, before, now)

        head = Signal(lanes * width)
        total = Signal(lanes * width)
        spikes = Signal(lanes)
        for lane in range(lanes):
            residual = head.word_select(lane, width).as_signed()
            base: Any = residual
            constant = bias[lane]
            if spiking:
                spike = ~residual[-1]
                m.d.comb += spikes[lane].eq(spike)
                constant = Mux(spike, fire[lane], bias[lane])
                if plan.reset is Reset.HARD:
                    base = Mux(sweeping & spike, 0, residual)
            m.d.comb += total.word_select(lane, width).eq(base + Mux(sweeping, constant, operand[lane]))

        # After a direct-encoded source, events go to the stored current and leave the membranes alone.
        turns = valid & (now.kind != OperationKind.ACCUMULATE) if projection.digits else valid
        if plan.membrane.kind is MemoryKind.REGISTERS:
            m.submodules.membrane = ring = Ring(lanes * width, plan.words, f"{plan.name}.initial" if spiking else None)
            m.d.comb += [head.eq(ring.head), ring.tail.eq(total), ring.turn.eq(turns)]
            if spiking:
                m.d.comb += ring.restore.eq(end_of_sample)
        else:
            m.submodules.membrane = block = BlockMembrane(plan.membrane)
            restoring = sweeping & (now.marker == Marker.SAMPLE)
            m.d.comb += [
                block.read_word.eq(before.word),
                head.eq(block.data),
                block.write.eq(turns),
                block.write_word.eq(now.word),
                block.write_data.eq(Mux(restoring, Cat(initial), total)),
            ]

        if spiking:
            self._spikes_out(m, walker, now, valid & sweeping, spikes)
            m.d.comb += walker.allow.eq(~clearing)
        else:
            m.submodules.port = port = ReadoutPort(plan)
            connect(m, port.o, flipped(self.o))
            # Nothing may touch the membranes from the end of a sample until its logits have left.
            blocked = Signal()
            ends = (walker.operation.kind == OperationKind.SWEEP) & (walker.operation.marker == Marker.SAMPLE)
            with m.If(walker.issue & ends & walker.operation.last):
                m.d.sync += blocked.eq(1)
            with m.Elif(port.finished):
                m.d.sync += blocked.eq(0)
            m.d.comb += [
                walker.allow.eq(~clearing & ~blocked),
                walker.allow_sweep.eq(1),
                port.start.eq(end_of_sample & ~now.clear),
                port.head.eq(head),
                ring.turn.eq(turns | port.next_word),
                ring.restore.eq(port.restore | (end_of_sample & now.clear)),
            ]

        self._probes(m, valid & ~now.clear, sweeping, now.word, spikes, total)
        return m

    def _operand(self, m: Module, operations: list[Any], valids: list[Signal], end_of_sample: Signal) -> list[Any]:
        """Per lane, what an accumulate or an inject adds; connects weight memory and stored current."""
        plan, projection = self._plan, self._projection
        lanes, depth = plan.lanes, plan.pipeline
        weights: Rom | LoadedRom
        if projection.weights.kind is MemoryKind.SPRAM:
            m.submodules.weights = weights = LoadedRom(projection.weights)
            connect(m, flipped(self.load), weights.load)
        else:
            m.submodules.weights = weights = Rom(projection.weights)
        m.d.comb += weights.address.eq(operations[0].row)
        row = [weights.data.word_select(lane, projection.weight_bits).as_signed() for lane in range(lanes)]
        digits = projection.digits
        if digits is None:
            if weights.latency != depth:
                raise ValueError(f"Engine {plan.name!r} needs a pipeline of {weights.latency}, not {depth}")
            return [weight << projection.shift for weight in row]

        if weights.latency + 1 != depth:
            raise ValueError(f"Engine {plan.name!r} needs a pipeline of {weights.latency + 1}, not {depth}")
        # Register the shifted row; a negative digit is the complement here and a carry in the adder.
        arriving = operations[weights.latency]
        accumulates = arriving.kind == OperationKind.ACCUMULATE
        scaled_bits = projection.weight_bits + digits.value_bits
        negative = Signal(reset_less=True)
        m.d.sync += negative.eq(arriving.negative & accumulates)
        now, valid, before = operations[depth], valids[depth], operations[depth - 1]
        head, tail = (Signal(lanes * digits.current_bits, name=name) for name in ("current_head", "current_tail"))
        if digits.memory.kind is MemoryKind.REGISTERS:
            m.submodules.current = ring = Ring(len(head), plan.words, None)
            m.d.comb += [
                ring.turn.eq(valid & (now.kind != OperationKind.SWEEP)),
                ring.restore.eq(end_of_sample),
                head.eq(ring.head),
                ring.tail.eq(tail),
            ]
        else:
            # A sample's last injects and sweeps leave zeros, as the clearing sweep does.
            m.submodules.current = block = BlockMembrane(digits.memory)
            adds = now.kind == OperationKind.ACCUMULATE
            m.d.comb += [
                block.read_word.eq(before.word),
                head.eq(block.data),
                block.write.eq(valid & (adds | (now.marker == Marker.SAMPLE))),
                block.write_word.eq(now.word),
                block.write_data.eq(tail & adds.replicate(len(tail))),
            ]
        operands = []
        for lane in range(lanes):
            scaled = Signal(signed(scaled_bits), name=f"scaled{lane}", reset_less=True)
            sign = arriving.negative.replicate(scaled_bits)
            with m.If(accumulates):
                m.d.sync += scaled.eq(((row[lane] << arriving.shift)[:scaled_bits] ^ sign).as_signed())
            with m.Else():
                m.d.sync += scaled.eq(0)
            stored = head.word_select(lane, digits.current_bits).as_signed()
            # {stored, 1} + {scaled, negative}: the carry out of the added low bit is the complement's "+ 1".
            total = Cat(Const(1, 1), stored).as_signed() + Cat(negative, scaled).as_signed()
            m.d.comb += tail.word_select(lane, digits.current_bits).eq(total[1:])
            operands.append(stored << projection.shift)
        return operands

    def _constants(self, m: Module, before: Any, now: Any) -> tuple[list[Any], list[Any], list[Any]]:
        """Per lane ``bias``, ``bias - threshold`` and the initial residual of the word that executes.

        They are per channel: the word's group alone says which.
        """
        plan = self._plan
        constants: Lookup | Rom
        if plan.constants.kind is MemoryKind.LUT:
            m.submodules.constants = constants = Lookup(plan.constants.name, plan.constants.width, plan.constants.depth)
            m.d.comb += constants.address.eq(now.word[: plan.layout.group_bits])
        else:
            m.submodules.constants = constants = Rom(plan.constants)
            if constants.latency != 1:
                raise ValueError(f"The constants of {plan.name!r} must fit one bank")
            m.d.comb += constants.address.eq(before.word[: plan.layout.group_bits])
        fields = [
            constants.data.word_select(k, plan.residual_bits).as_signed()
            for k in range(len(constants.data) // plan.residual_bits)
        ]
        groups = [fields[k : k + plan.lanes] for k in range(0, len(fields), plan.lanes)]
        if plan.kind is EngineKind.READOUT:
            return groups[0], [], []
        fire, bias, *rest = groups
        return bias, fire, rest[0] if rest else []

    def _spikes_out(self, m: Module, walker: Any, now: Any, swept: Any, spikes: Signal) -> None:
        """Offer spike words, and issue no sweep whose word might find the queue behind full."""
        assert self._behind is not None
        m.submodules.output = output = SpikeOutput(self._plan, self._behind)
        connect(m, output.o, flipped(self.o))
        m.d.comb += [
            output.issue.eq(walker.issue & (walker.operation.kind == OperationKind.SWEEP)),
            output.execute.eq(swept & ~now.clear),
            output.beat.word.eq(now.word),
            output.beat.mask.eq(spikes),
            output.beat.marker.eq(now.marker),
            output.last.eq(now.last),
            output.left.eq(self.left),
            walker.allow_sweep.eq(output.allow),
        ]

    def _probes(self, m: Module, executes: Any, sweeping: Any, word: Any, spikes: Signal, total: Signal) -> None:
        for name, value in {
            "probe_execute": executes,
            "probe_sweep": executes & sweeping,
            "probe_word": word,
            "probe_spikes": spikes,
            "probe_membranes": total,
        }.items():
            signal = Signal(len(value), name=name)
            m.d.comb += signal.eq(value)
