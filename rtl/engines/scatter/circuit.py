"""An engine: the hardware of one population.

    event beats -> sequencer -> lanes -> o

The sequencer says what happens to which membrane word, at most one operation per cycle; the lanes do it. Where the plan
has column banks, there are lanes for each, and an operation is shared out among them.
"""

from collections.abc import Callable

from amaranth.hdl import Cat, Const, Elaboratable, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Member, Out, connect, flipped

from snnc.compiler.plan import EnginePlan, InputPlan, MemoryKind
from snnc.rtl.beats import InputBeat, Marker, Operation, OperationKind, operation, result_beat, spike_word
from snnc.rtl.block_queue import queue_of
from snnc.rtl.column_banks import share_out
from snnc.rtl.credits import SpikeOutput
from snnc.rtl.digit_serialiser import DigitSerialiser
from snnc.rtl.lanes import Lanes
from snnc.rtl.loader import LoadPort
from snnc.rtl.memories import constant_word
from snnc.rtl.neurons import answers, at_pass, goes_on, leaky_readout
from snnc.rtl.probes import probe
from snnc.rtl.readout_port import ReadoutPort
from snnc.rtl.sequencer import Sequencer
from snnc.rtl.skid import Skid
from snnc.rtl.views import Stream

__all__ = ["Engine", "build", "hear_input"]


class Engine(wiring.Component):
    """Hardware of one population that events reach.

    Parameters
    ----------
    plan
        The population.
    behind
        Depths of the queues that take the spike words.
    cancels
        Samples may be cancelled: `snnc.rtl.engines` says what that means.

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
    clears : Out(1)
        The memories are being given what a sample begins with, and nothing may come (only where `cancels`).
    exits, halts, finished : Out(1)
        A sample ends early: cancel it everywhere else. The same out of a register, and after a reset. The last result
        beat of a sample leaves. (Only in a readout with an exit.)
    load0, load1, ... : In(LoadPort)
        Fill the projections' weights (only where they are in SPRAM). No beat may come until the loader is done.

    Signals named ``probe_*`` say what executes: `sim` reads them by these names.
    """

    o: stream.Interface
    left: Signal
    step: Signal
    sample: Signal
    clears: Signal
    exits: Signal
    halts: Signal
    finished: Signal

    def __init__(self, plan: EnginePlan, behind: tuple[int, ...], *, cancels: bool = False) -> None:
        if plan.main.digits is not None and len(plan.projections) > 1:
            raise ValueError(f"Engine {plan.name!r} must hear pixels alone")
        self._plan = plan
        self._behind = behind
        self._exit = plan.population.exit
        self._cancels = cancels
        self._sequencer = Sequencer(plan)
        ports: dict[str, Member] = {"step": Out(1), "sample": Out(1)}
        if cancels:
            ports |= {"clears": Out(1)}
        if self._exit is not None:
            ports |= {"exits": Out(1), "halts": Out(1), "finished": Out(1)}
        for k, projection in enumerate(plan.projections):
            ports[f"i{k}"] = In(getattr(self._sequencer, f"i{k}").signature.flip())
            if projection.weights.kind is MemoryKind.SPRAM:
                if plan.column_banks > 1:
                    raise ValueError(f"Engine {plan.name!r} has weights in SPRAM, which are not there for every bank")
                ports[f"load{k}"] = In(LoadPort(projection.weights))
        if not plan.population.fires:
            ports |= {"o": Out(stream.Signature(result_beat(plan)))}
        else:
            ports |= {"o": Out(stream.Signature(spike_word(plan))), "left": In(len(behind))}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self._plan
        depth = plan.pipeline

        sequencer = self._sequencer
        # In a readout, which hands the logits out, this is all that a cancel resets: nothing else is under way there.
        m.submodules.sequencer = sequencer if self._exit is None else ResetInserter(self.exits)(sequencer)
        for k in range(len(plan.projections)):
            connect(m, flipped(getattr(self, f"i{k}")), getattr(sequencer, f"i{k}"))

        # --- issue: what the sequencer wants, or the clearing sweep after a reset ---
        layout = operation(plan)
        valids = [Signal(name=f"valid{k}") for k in range(depth + 1)]
        operations = [layout.signal(name=f"operation{k}", reset_less=True) for k in range(depth + 1)]
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
            if plan.column_banks > 1:
                m.d.comb += operations[0].more.eq(0)
            m.d.sync += clear_word.eq(clear_word + 1)
            with m.If(clear_word == words - 1):
                m.d.sync += clearing.eq(0)
        for k in range(depth):
            m.d.sync += [valids[k + 1].eq(valids[k]), operations[k + 1].eq(operations[k])]

        if self._cancels:
            m.d.comb += self.clears.eq(clearing)

        # --- the lanes ---
        chosen = depth - plan.staged
        # Constants are per channel: the word's group alone says which.
        groups = [each.word[: plan.layout.group_bits] for each in (operations[chosen - 1], operations[chosen])]
        constants = constant_word(m, plan, *groups)
        banks = self._lanes(m, valids[0], operations[0], constants)

        now, valid = operations[depth], valids[depth]
        sweeping = Signal()
        m.d.comb += [
            sweeping.eq(now.kind == OperationKind.SWEEP),
            sequencer.allow.eq(~clearing),
            self.step.eq(sequencer.finished),
            self.sample.eq(sequencer.finished & (sequencer.operation.marker == Marker.SAMPLE)),
        ]
        if plan.population.fires:
            spikes, total = _of_sweep(banks)
            self._spikes_out(m, now, valid & sweeping, spikes)
        else:
            (lanes,) = banks
            spikes, total = lanes.spikes, lanes.total
            m.submodules.port = port = ReadoutPort(plan)
            connect(m, port.o, flipped(self.o))
            # Nothing may touch the membranes from the end of a sample, or an answer, until its logits have left.
            blocked = Signal()
            blocks: Value = self.sample
            if leaky_readout(plan):
                blocks = self._settled & (sequencer.operation.marker == Marker.SAMPLE)
            if plan.population.stream:
                blocks = blocks | (self._settled & (sequencer.operation.marker == Marker.ANSWER))
            if goes_on(plan):
                m.d.comb += port.keep.eq(now.marker == Marker.ANSWER)
            opens: Value = port.finished
            if self._exit is not None:
                swept = valid & sweeping & now.last & ~now.clear
                if leaky_readout(plan):
                    swept = swept & at_pass(plan, now.sweep_pass, plan.membrane_pass)
                asks = self._asks(m, swept, port)
                blocks, opens = blocks | asks, opens | (port.answered & ~port.exits)
                # After an exit the readout clears itself, as the others do, when the logits have left.
                exited = Signal()
                m.d.comb += [
                    self.exits.eq(port.exits),
                    self.halts.eq(port.halts),
                    self.finished.eq(port.finished),
                ]
                with m.If(port.exits):
                    m.d.sync += exited.eq(1)
                with m.If(exited & port.finished):
                    m.d.sync += [exited.eq(0), clearing.eq(1), clear_word.eq(0)]
            with m.If(blocks):
                m.d.sync += blocked.eq(1)
            with m.Elif(opens):
                m.d.sync += blocked.eq(0)
            m.d.comb += [
                sequencer.allow.eq(~clearing & ~blocked),
                sequencer.allow_spikes.eq(1),
                port.start.eq(valid & answers(plan, now) & now.last & ~now.clear),
                port.head.eq(lanes.head),
                lanes.next_word.eq(port.next_word),
                lanes.restore.eq(port.restore),
            ]

        executes = valid & ~now.clear
        probe(m, execute=executes, sweep=executes & sweeping, word=now.word, spikes=spikes, membranes=total)
        return m

    @property
    def _settled(self) -> Signal:
        """Of a readout: the last operation of a step after which its words hold their membranes is issued."""
        return self._sequencer.settled if leaky_readout(self._plan) else self._sequencer.finished

    def _asks(self, m: Module, swept: Value, port: ReadoutPort) -> Value:
        """Whether the last operation of a step that is asked for is issued; `port` is asked as it executes: `swept`."""
        assert self._exit is not None
        asks, asked = Signal(), Signal()
        m.d.comb += [asks.eq(self._wanted(m, port)), port.ask.eq(swept & asked)]
        with m.If(asks):
            m.d.sync += asked.eq(1)
        with m.Elif(port.ask):
            m.d.sync += asked.eq(0)
        return asks

    def _wanted(self, m: Module, port: ReadoutPort) -> Value:
        """Whether the last operation of a step that is asked for is issued."""
        assert self._exit is not None
        sequencer, steps = self._sequencer, self._exit.steps
        marker = sequencer.operation.marker
        if self._plan.main.queue.steps is not None:
            return self._settled & (marker == Marker.ANSWER)  # the spike map knows which attempt it is
        # Steps of this sample that are over; those beyond the last one that is asked for need not be told apart.
        taken = Signal(range(steps[-1] + 1))
        with m.If(sequencer.finished & (taken != steps[-1])):
            m.d.sync += taken.eq(taken + 1)
        with m.If(port.exits | self.sample):
            m.d.sync += taken.eq(0)
        return self._settled & (marker != Marker.SAMPLE) & Cat(taken == step - 1 for step in steps).any()

    def _lanes(self, m: Module, valid: Signal, issued: Operation, constants: Value) -> list[Lanes]:
        """The lanes, one set for each column bank, and what is issued to them."""
        plan = self._plan
        banks = [Lanes(plan) for _ in range(plan.column_banks)]
        for number, lanes in enumerate(banks):
            m.submodules[f"lanes{number}"] = lanes
            m.d.comb += lanes.constants.eq(constants)
            if len(banks) == 1:
                m.d.comb += [lanes.valid.eq(valid), lanes.operation.eq(issued)]
            else:
                share = operation(plan).signal(name=f"share{number}", reset_less=True)
                hits, word, row = share_out(plan, issued, number)
                touched = Signal(name=f"touched{number}")
                m.d.sync += [touched.eq(valid & hits), share.eq(issued), share.word.eq(word), share.row.eq(row)]
                m.d.comb += [lanes.valid.eq(touched), lanes.operation.eq(share)]
        for k, projection in enumerate(plan.projections):
            if projection.weights.kind is MemoryKind.SPRAM:
                connect(m, flipped(getattr(self, f"load{k}")), getattr(banks[0], f"load{k}"))
        return banks

    def _spikes_out(self, m: Module, now: Operation, swept: Value, spikes: Value) -> None:
        """Offer spike words, and issue no operation whose word might find the queue behind full."""
        m.submodules.output = output = SpikeOutput(self._plan, self._behind)
        connect(m, output.o, flipped(self.o))
        sequencer = self._sequencer
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


def build(plan: EnginePlan, source: InputPlan, behind: tuple[int, ...], *, cancels: bool) -> Engine:
    """The engine in front of queues of these depths."""
    return Engine(plan, behind, cancels=cancels)


def hear_input(
    m: Module,
    engine: Engine,
    plan: EnginePlan,
    source: InputPlan,
    beats: Stream[InputBeat],
    cancelled: Callable[[Elaboratable], Elaboratable],
) -> None:
    """Join an engine to the network's input, which sends `beats`: to its main projection.

    What is put between goes through `cancelled`.
    """
    name, into = plan.name, getattr(engine, f"i{len(plan.projections) - 1}")
    if plan.main.digits is not None:
        digits, skid = DigitSerialiser(source), Skid(beats.payload.shape())
        m.submodules[f"digits_{name}"] = cancelled(digits)
        m.submodules[f"skid_{name}"] = cancelled(skid)
        connect(m, beats, skid.i)
        connect(m, skid.o, digits.i)
        connect(m, digits.o, into)
        return
    queue = queue_of(beats.payload.shape(), plan.main.queue)
    m.submodules[f"queue_{name}"] = cancelled(queue)
    connect(m, beats, queue.i)
    # An input beat has no lane: its words have one.
    beat, event = queue.o.payload, into.payload
    m.d.comb += [
        into.valid.eq(queue.o.valid),
        queue.o.ready.eq(into.ready),
        event.address.eq(beat.address),
        event.event.eq(beat.event),
        event.marker.eq(beat.marker),
    ]


def _of_sweep(banks: list[Lanes]) -> tuple[Value, Value]:
    """Spikes and membranes of the one bank that a sweep's operation is in."""
    if len(banks) == 1:
        return banks[0].spikes, banks[0].total
    spikes: Value = Const(0)
    total: Value = Const(0)
    for lanes in banks:
        spikes = spikes | Mux(lanes.executes, lanes.spikes, 0)
        total = total | Mux(lanes.executes, lanes.total, 0)
    return spikes, total
