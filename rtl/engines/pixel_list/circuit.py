"""A pixel list engine: the hardware of a dense layer that hears pixels.

    pixels -> tap -> weight row -> product -> current -> residual -> spikes of step 0 -> o
      `-> list -^                                          `-----> spikes of the others -> memory -> o

The first word's currents are gathered while the image comes, which is kept as it came: a list of beats, none for a
pixel of 0. Every further word goes through the list. So neither currents nor membranes are stored, and a word's steps
are taken beside the next word's taps. `docs/timing.md`, "Pixel list engine", says when.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import unique

from amaranth.hdl import Cat, Const, Elaboratable, Module, Mux, Signal, Value
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from snnc.compiler.plan import EnginePlan, InputPlan, MemoryKind, unsigned_bits
from snnc.rtl.beats import InputBeat, Marker, SpikeWord, input_beat
from snnc.rtl.credits import SpikeOutput
from snnc.rtl.engines.pixel_list.neurons import PixelListNeurons
from snnc.rtl.engines.pixel_list.plan import PixelListKind
from snnc.rtl.loader import Loading, LoadPort
from snnc.rtl.memories import LoadedRom, Rom, block_ram
from snnc.rtl.modules import place
from snnc.rtl.neurons import at_pass
from snnc.rtl.probes import probe
from snnc.rtl.views import Fields, Payload, Stream
from snnc.rtl.walkers.dense.circuit import joined, source_index, word_number
from snnc.rtl.walkers.dense.plan import DenseWalk
from snnc.rtl.word_counter import WordCounter

__all__ = ["PixelListEngine", "build", "hear_input"]


@unique
class _Phase(enum.Enum, shape=3):
    LOAD = 0
    """Takes the image; the beat of the cycle before is issued, and put on the list."""
    LAST = 1
    """Issues the last tap of a word."""
    TAPS = 2
    """Issues a tap that others follow."""
    TRANSFER = 3
    """Hands the word's currents over to its steps."""
    FETCH = 4
    """Behind the first word: the first entry of the list comes out."""
    REPLAY = 5
    """Sends stored spike words, beside the last word's steps."""
    DRAIN = 6
    """Waits for the last of them."""


class _Slot(Fields):
    """What is issued in a cycle, and the word whose taps are."""

    digit: Value
    value: Value
    transfer: Value
    word: Value
    last: Value
    first: Value
    sweep: Value
    sweep_pass: Value
    fires: Value
    """In the first pass."""
    opening: Value
    """In the first step."""
    ends: Value
    """In the last pass of the last step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stepped:
    """What executes; the word that takes its steps, and in the next cycle; whether it is the layer's last, and all of
    that one's are taken, this cycle's among them.
    """

    now: _Slot
    word: Signal
    next_word: Signal
    last: Signal
    ended: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class _Replay:
    """A stored spike word is read for the next cycle; one comes out, and which it is; the sample's last one is read."""

    reads: Signal
    comes: Signal
    word: Signal
    last: Signal
    sample: Signal
    spikes: Value
    over: Value


class PixelListEngine(wiring.Component):
    """Hardware of a population whose one projection is a dense one of the image.

    Parameters
    ----------
    plan
        The population.
    input_plan
        The network's input.
    behind
        Depths of the queues that take the spike words.
    cancels
        Samples may be cancelled: `snnc.rtl.engines` says what that means.

    Members
    -------
    i : In(stream of input beats)
    o : Out(stream of spike words)
        A spike word is never held back: it is offered for one cycle, and the queues behind have room for it.
    left : In(number of queues)
        A spike word leaves the queue.
    clears : Out(1)
        Never: nothing depends on what its memories held (only where `cancels`).
    load0 : In(LoadPort)
        Fills the weights (only where they are in SPRAM). No beat may come until the loader is done.

    Signals named ``probe_*`` say what executes: `sim` reads them by these names.
    """

    i: Stream[InputBeat]
    o: Stream[SpikeWord]
    left: Signal
    clears: Signal
    load0: Loading

    def __init__(
        self, plan: EnginePlan, input_plan: InputPlan, behind: tuple[int, ...], *, cancels: bool = False
    ) -> None:
        (projection,) = plan.projections
        if not isinstance(plan.kind, PixelListKind) or not isinstance(projection.walk, DenseWalk):
            raise ValueError(f"Engine {plan.name!r} gathers no list of pixels")
        self._plan = plan
        self._kind = plan.kind
        self._walk = projection.walk
        self._source = input_plan
        self._step_bits = unsigned_bits(plan.kind.steps - 1)
        self._loads = projection.weights.kind is MemoryKind.SPRAM
        self._weights: Rom | LoadedRom = LoadedRom(projection.weights) if self._loads else Rom(projection.weights)
        self._output = SpikeOutput(plan, behind)
        super().__init__(
            {
                "i": In(stream.Signature(input_beat(input_plan))),
                "o": Out(self._output.o.signature),
                "left": In(len(behind)),
                **({"clears": Out(1)} if cancels else {}),
                **({"load0": In(LoadPort(projection.weights))} if self._loads else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, weights, output = self._plan, self._weights, self._output
        m.submodules.weights = weights
        m.submodules.output = output
        neurons = place(m, platform, "neurons", f"{plan.name}_neurons", lambda: PixelListNeurons(plan))
        if self._loads:
            assert isinstance(weights, LoadedRom)
            connect(m, flipped(self.load0), weights.load)

        slots = self._slots(m)
        issued, multiplied, before, now = slots[0], slots[-3], slots[-2], slots[-1]
        stepped = self._stepped(m, issued, before, now)
        stepping = self._steps(m, issued)
        phase = Signal(_Phase)
        one_step = Signal(reset_less=True)  # the sample has no other
        with m.If(phase == _Phase.LOAD):
            m.d.sync += one_step.eq(self.i.payload.marker == Marker.SAMPLE)
        replay = self._replay(m, stepped, neurons.spikes, one_step)
        group_bits = plan.layout.group_bits
        m.d.comb += [
            weights.address.eq(self._control(m, issued, stepped, replay, phase, stepping, one_step)),
            neurons.weights.eq(weights.data),
            neurons.value.eq(multiplied.value),
            neurons.digit.eq(before.digit),
            neurons.transfer.eq(now.transfer),
            neurons.adds.eq(now.first | now.sweep),
            neurons.next_sweep.eq(before.sweep),
            neurons.next_pass.eq(before.sweep_pass),
            neurons.group.eq(stepped.word[:group_bits]),
            neurons.next_group.eq(stepped.next_word[:group_bits]),
        ]
        # Nothing has cleared the currents after a reset.
        starts = Signal(init=1)
        m.d.sync += starts.eq(0)
        m.d.comb += neurons.clear.eq(starts)

        connect(m, output.o, flipped(self.o))
        m.d.comb += [
            output.left.eq(self.left),
            output.issue.eq(issued.transfer | replay.reads),
            output.execute.eq((now.fires & now.opening) | replay.comes),
            output.beat.word.eq(Mux(replay.comes, replay.word, stepped.word)),
            output.beat.mask.eq(Mux(replay.comes, replay.spikes, neurons.spikes)),
            output.beat.marker.eq(Mux(Mux(replay.comes, replay.sample, one_step), Marker.SAMPLE, Marker.STEP)),
            output.last.eq(Mux(replay.comes, replay.last, stepped.last)),
        ]
        probe(
            m,
            execute=now.digit | now.transfer | replay.comes,
            sweep=now.sweep,
            word=stepped.word,
            spikes=neurons.spikes,
            membranes=neurons.residuals,
        )
        return m

    def _slots(self, m: Module) -> list[_Slot]:
        """The registers between issue and execution; what is issued is still to be said."""
        flags = ("digit", "transfer", "last", "first", "sweep", "fires", "opening", "ends")
        payload = Payload(
            _Slot,
            {
                **dict.fromkeys(flags, 1),
                "value": self._kind.value_bits,
                "word": self._plan.layout.address_bits,
                "sweep_pass": unsigned_bits(len(self._plan.passes) - 1),
            },
        )
        slots = [payload.signal(name=f"slot{k}") for k in range(self._plan.pipeline + 1)]
        for k in range(self._plan.pipeline):
            m.d.sync += slots[k + 1].eq(slots[k])
        return slots

    def _stepped(self, m: Module, issued: _Slot, before: _Slot, now: _Slot) -> _Stepped:
        """A word takes its steps from the execution of its transfer on."""
        word, last = Signal(len(now.word), name="stepped_word", reset_less=True), Signal(name="stepped_last")
        next_word = Signal.like(word, name="next_word")
        m.d.comb += next_word.eq(Mux(before.transfer, before.word, word))
        m.d.sync += word.eq(next_word)
        with m.If(before.transfer):
            m.d.sync += last.eq(before.last)
        ends, ended = Signal(name="ends"), Signal(name="ended", reset_less=True)
        m.d.comb += ends.eq(now.ends & last)
        with m.If(issued.transfer):
            m.d.sync += ended.eq(0)
        with m.Elif(ends):
            m.d.sync += ended.eq(1)
        return _Stepped(now=now, word=word, next_word=next_word, last=last, ended=ended | ends)

    def _steps(self, m: Module, issued: _Slot) -> Signal:
        """Issue a word's steps after its transfer: in each the current, then the passes of a sweep; gives whether.

        What is added is chosen a cycle before, by the sign of the residual. So an addition waits a cycle behind the one
        before it, but for that of a step's current, which is known.
        """
        passes = len(self._plan.passes)
        stepping, waits, sweeps, last_step = Signal(), Signal(), Signal(), Signal()
        step, sweep_pass = Signal(self._step_bits), Signal(unsigned_bits(passes - 1))
        finishes = Signal()
        m.d.comb += [
            last_step.eq(step == self._kind.steps - 1),
            issued.first.eq(stepping & ~waits & ~sweeps),
            issued.sweep.eq(sweeps & ~waits),
            issued.sweep_pass.eq(sweep_pass),
            issued.fires.eq(issued.sweep & at_pass(self._plan, sweep_pass, 0)),
            issued.opening.eq(step == 0),
            finishes.eq(issued.sweep & at_pass(self._plan, sweep_pass, passes - 1)),
            issued.ends.eq(finishes & last_step),
        ]
        m.d.sync += waits.eq(issued.transfer | issued.first | (issued.sweep & ~finishes))
        with m.If(issued.transfer):
            m.d.sync += stepping.eq(1)
        with m.If(issued.first):
            m.d.sync += sweeps.eq(1)
        with m.If(issued.sweep):
            m.d.sync += sweep_pass.eq(sweep_pass + 1)
        with m.If(finishes):
            m.d.sync += [sweeps.eq(0), sweep_pass.eq(0), step.eq(step + 1)]
            with m.If(last_step):
                m.d.sync += [stepping.eq(0), step.eq(0)]
        return stepping

    def _control(
        self,
        m: Module,
        issued: _Slot,
        stepped: _Stepped,
        replay: _Replay,
        phase: Signal,
        stepping: Value,
        one_step: Value,
    ) -> Value:
        """Decide what is issued; gives the weight row of the tap that is."""
        plan, beat = self._plan, self.i.payload
        m.submodules.words = words = WordCounter(plan.layout)
        arrives, arrived, fetches, opens = Signal(), Signal(), Signal(), Signal(init=1)
        # A pixel of 0 is left out, but for one that ends the step.
        counts = (beat.event & beat.value.any()) | (beat.marker != Marker.NONE)
        m.d.sync += arrived.eq(arrives & counts)
        with m.If(issued.transfer):
            m.d.sync += opens.eq(words.last)
        m.d.comb += [
            arrives.eq((phase == _Phase.LOAD) & self.i.valid),
            issued.digit.eq(arrived | (phase == _Phase.TAPS) | (phase == _Phase.LAST)),
            issued.word.eq(words.address),
            issued.last.eq(words.last),
            words.step.eq(issued.transfer),
        ]

        # The tap that is issued: the beat that came in the cycle before, or what was fetched from the list then.
        comes = source_index(m, beat.address, Const(0, 1), self._source.layout, self._walk.pool)
        value = Signal(self._kind.value_bits, reset_less=True)
        index = Signal(len(comes), name="index", reset_less=True)
        with m.If(arrives):
            m.d.sync += [value.eq(Mux(beat.event, beat.value, 0)), index.eq(comes)]
        following: Value = Const(0, 3)
        if plan.words > 1:
            listed, last_tap = self._listed(m, issued.transfer, arrived, fetches, Cat(value, index))
            with m.If(fetches):
                m.d.sync += Cat(value, index).eq(listed)
            m.d.comb += fetches.eq(
                (phase == _Phase.FETCH) | (phase == _Phase.TAPS) | (issued.transfer & ~words.last & ~opens)
            )
            following = Mux(last_tap, _Phase.LAST, _Phase.TAPS)
        m.d.comb += issued.value.eq(value)

        with m.Switch(phase):
            with m.Case(_Phase.LOAD):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid & (beat.marker != Marker.NONE)):
                    m.d.sync += phase.eq(_Phase.LAST)
            with m.Case(_Phase.LAST):
                m.d.sync += phase.eq(_Phase.TRANSFER)
            with m.Case(_Phase.TRANSFER):
                m.d.comb += issued.transfer.eq(~stepping & self._output.allow)
                with m.If(issued.transfer):
                    m.d.sync += phase.eq(Mux(opens, _Phase.FETCH, following))
                    with m.If(words.last):
                        m.d.sync += phase.eq(Mux(one_step, _Phase.DRAIN, _Phase.REPLAY))
            with m.Case(_Phase.TAPS, _Phase.FETCH):
                m.d.sync += phase.eq(following)
            with m.Case(_Phase.REPLAY):
                with m.If(replay.over):
                    m.d.sync += phase.eq(Mux(stepped.ended, _Phase.LOAD, _Phase.DRAIN))
            with m.Case(_Phase.DRAIN):
                with m.If(stepped.ended):
                    m.d.sync += phase.eq(_Phase.LOAD)

        return joined(index, self._walk.row_stride, word_number(m, plan.layout, words))

    def _listed(self, m: Module, transfer: Value, arrived: Value, fetches: Value, tap: Value) -> tuple[Signal, Signal]:
        """The entry of the list that is fetched next, and whether it is the last one; keeps the `tap` that `arrived`.

        The first entry is read with the first word's transfer, and each further one when the one before is fetched.
        """
        memory = self._kind.pixels
        assert memory is not None
        bits = unsigned_bits(memory.depth - 1)
        end, written, place_read = Signal(bits), Signal(bits), Signal(bits)
        last_tap = Signal(reset_less=True)
        reads = fetches | transfer
        with m.If(reads):
            m.d.sync += [last_tap.eq(place_read == end), place_read.eq(Mux(place_read == end, 0, place_read + 1))]
        with m.If(transfer):
            m.d.sync += written.eq(0)
        with m.If(arrived):
            m.d.sync += [end.eq(written), written.eq(written + 1), place_read.eq(0)]
        listed = block_ram(
            m,
            "pixels",
            width=memory.width,
            depth=memory.depth,
            read=place_read,
            reads=reads,
            write=arrived,
            write_address=written,
            value=tap,
        )
        return listed, last_tap

    def _replay(self, m: Module, stepped: _Stepped, spikes: Value, one_step: Value) -> _Replay:
        """Keep a word's spikes of all steps but the first, and send those of the steps that the input goes on to.

        They are sent beside the last word's steps: each step's last word when it is there.
        """
        memory, now, beat = self._kind.spikes, stepped.now, self.i.payload
        reads, comes = Signal(name="replay_reads"), Signal(name="replay_comes")
        word = Signal.like(stepped.word, name="replay_word")
        last, sample = Signal(name="replay_last", reset_less=True), Signal(name="replay_sample", reset_less=True)
        if memory is None:
            return _Replay(reads=reads, comes=comes, word=word, last=last, sample=sample, spikes=spikes, over=reads)
        # Nothing is sent before the first step of the last word, whose later steps are sent when stored: `due` of them.
        sent, due, any_due = Signal(), Signal(range(self._kind.steps)), Signal()
        place, step = Signal(self._step_bits, reset_less=True), Signal(self._step_bits)
        m.submodules.replayed = replayed = WordCounter(self._plan.layout)
        stores, leaves, next_due = Signal(), Signal(), Signal.like(due)
        may, ends = Signal(name="replay_may"), Signal(name="replay_ends")
        m.d.comb += [
            may.eq(self._output.allow & sent & (~replayed.last | any_due)),
            self.i.ready.eq(may & replayed.last),
            reads.eq(self.i.valid & may),
            replayed.step.eq(reads),
            leaves.eq(reads & replayed.last),
            ends.eq(leaves & (beat.marker == Marker.SAMPLE)),
            stores.eq(now.fires & ~now.opening),
            next_due.eq(Mux(now.transfer, 0, due + stores - (leaves & (due != 0)))),
        ]
        # Beyond the steps that a word takes, those that are stored come again.
        m.d.sync += [due.eq(next_due), any_due.eq((next_due != 0) | stepped.ended)]
        with m.If(now.fires):
            m.d.sync += place.eq(Mux(now.opening, 0, place + 1))
        with m.If(now.fires & now.opening & stepped.last):
            m.d.sync += sent.eq(~one_step)
        with m.If(leaves):
            m.d.sync += step.eq(step + 1)
        with m.If(ends):
            m.d.sync += [step.eq(0), sent.eq(0)]
        m.d.sync += [
            comes.eq(reads),
            word.eq(replayed.address),
            last.eq(replayed.last),
            sample.eq(beat.marker == Marker.SAMPLE),
        ]
        kept = block_ram(
            m,
            "spikes",
            width=memory.width,
            depth=memory.depth,
            read=Cat(replayed.address, step),
            write=stores,
            write_address=Cat(stepped.word, place),
            value=spikes,
        )
        return _Replay(reads=reads, comes=comes, word=word, last=last, sample=sample, spikes=kept, over=ends)


def build(plan: EnginePlan, source: InputPlan, behind: tuple[int, ...], *, cancels: bool) -> PixelListEngine:
    """The engine in front of queues of these depths."""
    return PixelListEngine(plan, source, behind, cancels=cancels)


def hear_input(
    m: Module,
    engine: PixelListEngine,
    plan: EnginePlan,
    source: InputPlan,
    beats: Stream[InputBeat],
    cancelled: Callable[[Elaboratable], Elaboratable],
) -> None:
    """Join an engine to the network's input, which sends `beats`. Nothing is put between."""
    connect(m, beats, engine.i)
