"""An image engine: the hardware of a convolution that reads the image itself.

    pixels -> digits -> weight row -> shift -> current -> residual -> spikes of step 0 -> o
                                                              `-----> spikes of the others -> memory -> o

The image is the same in every step, and so is a neuron's current. A word's current is gathered once, over the pixels
below its kernel; its neurons then take all their steps at once, while the next word's is gathered. So neither currents
nor membranes are stored: one word's are in flip-flops, and of the rest there is what their spikes say. `docs/timing.md`
says when.
"""

import dataclasses
import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from enum import unique

from amaranth.hdl import Cat, Elaboratable, Module, Mux, Signal, Value
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from snnc.compiler.plan import EnginePlan, InputPlan, unsigned_bits
from snnc.rtl.beats import InputBeat, MapWrite, Marker, SpikeWord, input_beat
from snnc.rtl.credits import MapOutput, SpikeOutput
from snnc.rtl.engines.image.marks import Marks
from snnc.rtl.engines.image.neurons import ImageNeurons
from snnc.rtl.engines.image.plan import ImageKind
from snnc.rtl.memories import Rom, block_ram
from snnc.rtl.modules import place
from snnc.rtl.neurons import at_pass
from snnc.rtl.probes import probe
from snnc.rtl.recoding import DigitRegister, ValueRegister
from snnc.rtl.tables import last_column, position_fields
from snnc.rtl.views import Fields, Payload, Stream
from snnc.rtl.walkers.image.circuit import Walker
from snnc.rtl.walkers.image.skipping import SkippingWalker
from snnc.rtl.word_counter import WordCounter

__all__ = ["ImageEngine", "ImageUnits", "build", "hear_input"]


@unique
class _Phase(enum.Enum, shape=4):
    LOAD = 0
    """Takes the image."""
    READ = 1
    """The first pixel is read,"""
    FETCH = 2
    """and taken."""
    LAST = 3
    """Issues digits of a word's last tap,"""
    TAPS = 8
    """and those of a tap that others follow: this phase alone has the highest bit, since much waits for its digits."""
    TRANSFER = 4
    """Hands the word's currents over to its steps."""
    DRAIN = 5
    """The last of them are under way."""
    REPLAY = 6
    """Issues stored spike words; not in front of spike maps."""
    FILL = 7
    """The last pixel is marked, then the first kernel rows come on their way; where pixels of 0 are skipped alone."""


class _Slot(Fields):
    """What is issued in a cycle."""

    digit: Value
    negative: Value
    factor: Value
    transfer: Value
    first: Value
    sweep: Value
    sweep_pass: Value
    fires: Value
    """In the first pass."""
    finishes: Value
    """In the last pass."""
    opening: Value
    """In the first step."""
    closing: Value
    """In the last step."""
    replay: Value


class _Tag(Fields):
    """Which word the steps belong to; it changes with each transfer, and with each replayed word."""

    word: Value
    last: Value
    sample: Value
    step: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pipeline:
    """What is issued, on its way to execution; `following` is what the last tag becomes."""

    slots: tuple[_Slot, ...]
    tags: tuple[_Tag, ...]
    following: _Tag

    @property
    def issued(self) -> _Slot:
        return self.slots[0]

    @property
    def tag(self) -> _Tag:
        """Of what is issued."""
        return self.tags[0]

    @property
    def now(self) -> _Slot:
        """What executes."""
        return self.slots[-1]

    @property
    def done(self) -> _Tag:
        """Of what executes."""
        return self.tags[-1]

    @property
    def ends(self) -> Value:
        """The last pass of the last word executes."""
        return self.now.finishes & self.now.closing & self.done.last


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tap:
    """The registers of a tap: its weight row and its word."""

    row: Signal
    word: Signal
    last_tap: Signal
    """Of its word."""
    last_word: Signal
    final: Signal
    """It is the last tap of the last word."""
    blank: Signal
    """Its pixel counts as 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Issue:
    """The weight row of the digit that is issued; whether nothing is at work on an image; the sample's last step."""

    row: Signal
    idle: Signal
    last_step: Signal
    """Before spike maps alone, which take all steps at once."""


class ImageEngine(wiring.Component):
    """Hardware of a population whose one projection is a convolution of the image.

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
    unit
        Which of the engine's units it is, in front of spike maps.

    Members
    -------
    i : In(stream of input beats)
    o : Out(stream of spike words, or of `beats.map_write`)
        A spike word is never held back: it is offered for one cycle, and the queues behind have room for it.
    left : In(number of queues, or of spike maps)
        A spike word leaves the queue; a sample has been read from the map.
    clears : Out(1)
        The image is being set to zeros, and nothing may come (only where `cancels`).

    Signals named ``probe_*`` say what executes: `sim` reads them by these names.
    """

    i: Stream[InputBeat]
    o: Stream[SpikeWord] | Stream[MapWrite]
    left: Signal
    clears: Signal

    def __init__(
        self, plan: EnginePlan, input_plan: InputPlan, behind: tuple[int, ...], *, cancels: bool = False, unit: int = 0
    ) -> None:
        (projection,) = plan.projections
        if not isinstance(plan.kind, ImageKind):
            raise ValueError(f"Engine {plan.name!r} gathers no image")
        self._plan = plan
        self._image = plan.kind
        self._time_steps = plan.kind.all_steps(plan.lanes)
        self._step_bits = unsigned_bits(self._time_steps - 1)
        self._unit = unit
        marks = plan.kind.marks
        self._walker = (
            Walker(plan, input_plan, unit)
            if marks is None
            else SkippingWalker(plan, input_plan, unit, registered=plan.kind.marks_registered)
        )
        self._marks = None if marks is None else Marks(marks, input_plan.layout, registered=plan.kind.marks_registered)
        register = ValueRegister if plan.kind.multiplies else DigitRegister
        self._digits: DigitRegister | ValueRegister = register(plan.kind.value_bits)
        self._weights = Rom(projection.weights)
        steps = plan.kind.map_steps
        self._output: SpikeOutput | MapOutput = (
            SpikeOutput(plan, behind) if steps is None else MapOutput(plan, steps, len(behind))
        )
        self._cancels = cancels
        super().__init__(
            {
                "i": In(stream.Signature(input_beat(input_plan))),
                "o": Out(self._output.o.signature),
                "left": In(len(behind)),
                **({"clears": Out(1)} if cancels else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, weights, output = self._plan, self._weights, self._output
        neurons = place(m, platform, "neurons", f"{plan.name}_neurons", lambda: ImageNeurons(plan))
        m.submodules.walker = self._walker
        m.submodules.digits = self._digits
        m.submodules.weights = weights
        m.submodules.output = output
        latency = weights.latency + 1 + self._image.multiplies
        if latency != plan.pipeline:
            raise ValueError(f"Engine {plan.name!r} needs a pipeline of {latency}, not {plan.pipeline}")
        pipeline = self._pipeline(m)
        issue = self._control(m, pipeline)
        now, tag, before, coming = pipeline.now, pipeline.done, pipeline.slots[-2], pipeline.slots[-3]
        group_bits = plan.layout.group_bits
        m.d.comb += [
            weights.address.eq(issue.row),
            neurons.weights.eq(weights.data),
            neurons.next_factor.eq(coming.factor),
            neurons.next_digit.eq(coming.digit),
            neurons.sign.eq(now.negative),
            neurons.next_sign.eq(before.negative),
            neurons.transfer.eq(now.transfer),
            neurons.first.eq(now.first),
            neurons.sweep.eq(now.sweep),
            neurons.sweep_pass.eq(now.sweep_pass),
            neurons.group.eq(tag.word[:group_bits]),
            neurons.next_group.eq(pipeline.following.word[:group_bits]),
        ]

        connect(m, output.o, flipped(self.o))
        if isinstance(output, MapOutput):
            self._into_maps(m, output, pipeline, issue.last_step, neurons.spikes)
        else:
            replayed = self._stored(m, pipeline, neurons.spikes)
            m.d.comb += [
                output.left.eq(self.left),
                output.execute.eq((now.fires & now.opening) | now.replay),
                output.beat.word.eq(tag.word),
                output.beat.mask.eq(Mux(now.replay, replayed, neurons.spikes)),
                output.beat.marker.eq(Mux(tag.sample, Marker.SAMPLE, Marker.STEP)),
                output.last.eq(tag.last),
            ]
        probe(
            m,
            execute=now.digit | now.transfer | now.replay,
            sweep=now.sweep,
            word=tag.word,
            spikes=neurons.spikes,
            membranes=neurons.residuals,
        )
        # Nothing has cleared the currents after a reset.
        m.d.comb += neurons.clear.eq(issue.idle)
        return m

    def _pipeline(self, m: Module) -> _Pipeline:
        """The registers between issue and execution; what is issued is still to be said."""
        depth = self._plan.pipeline
        payload = Payload(
            _Slot,
            {
                "digit": 1,
                "negative": 1,
                "factor": len(self._digits.factor),
                "transfer": 1,
                "first": 1,
                "sweep": 1,
                "sweep_pass": unsigned_bits(len(self._plan.passes) - 1),
                "fires": 1,
                "finishes": 1,
                "opening": 1,
                "closing": 1,
                "replay": 1,
            },
        )
        slots = [payload.signal(name=f"slot{k}") for k in range(depth + 1)]
        for k in range(depth):
            m.d.sync += slots[k + 1].eq(slots[k])
        tagged = Payload(
            _Tag, {"word": self._plan.layout.address_bits, "last": 1, "sample": 1, "step": self._step_bits}
        )
        tags = [tagged.signal(name=f"tag{k}", reset_less=True) for k in range(depth + 1)]
        following = tagged.signal(name="following")
        for k in range(depth):
            target = following if k == depth - 1 else tagged.signal(name=f"following{k}")
            begins = slots[k].transfer | slots[k].replay
            m.d.comb += target.eq(Mux(begins, tags[k].as_value(), tags[k + 1].as_value()))
            m.d.sync += tags[k + 1].eq(target)
        return _Pipeline(slots=tuple(slots), tags=tuple(tags), following=following)

    def _control(self, m: Module, pipeline: _Pipeline) -> _Issue:
        """Decide what is issued."""
        walker, digits, output, beat = self._walker, self._digits, self._output, self.i.payload
        issued, tag = pipeline.issued, pipeline.tag
        phase = Signal(_Phase)
        step = Signal(self._step_bits)
        clearing = Signal(init=1)
        idle = Signal(name="_idle")
        fetches = Signal()
        # The tap whose pixel is at the memory's output, and behind it the one whose digits are issued.
        reads = Signal()
        read = self._held(m, "read", reads, walker)
        tap = self._held(m, "", fetches, read)
        taps = Value.cast(phase)[-1]
        m.d.comb += [
            fetches.eq((phase == _Phase.FETCH) | (taps & digits.final) | (issued.transfer & ~tap.last_word)),
            digits.load.eq(fetches),
            reads.eq(fetches | (phase == _Phase.READ)),
            # Before an image is there its first pixel cannot be read: after the last tap the walker stays.
            walker.moves.eq((phase == _Phase.READ) | (fetches & ~read.final)),
            issued.factor.eq(digits.factor),
            tag.word.eq(tap.word),
            tag.last.eq(tap.last_word),
            tag.step.eq(step),
        ]
        stepping = self._steps(m, issued, step)
        last_step = Signal(self._step_bits, name="sample_last_step")
        loaded: Value = beat.marker != Marker.NONE
        begins: Value = output.allow
        if isinstance(output, MapOutput):
            loaded = beat.marker == Marker.SAMPLE
            opens = Signal(init=1)  # the word is a sample's first
            begins = output.allow | ~opens
            m.d.comb += [output.ends.eq(issued.transfer & tap.last_word), tag.sample.eq(1)]
            with m.If(issued.transfer):
                m.d.sync += opens.eq(tap.last_word)
            with m.If(clearing):
                m.d.sync += last_step.eq(0)
            with m.Elif((phase == _Phase.LOAD) & self.i.valid & (beat.marker == Marker.STEP)):
                m.d.sync += last_step.eq(last_step + 1)

        # What the fetched tap's digits are issued in.
        following = Mux(read.last_tap, _Phase.LAST, _Phase.TAPS)
        with m.If(taps | (phase == _Phase.LAST)):
            m.d.comb += [
                issued.digit.eq(digits.event),
                issued.negative.eq(digits.event & digits.negative),
                digits.take.eq(1),
            ]
        with m.Switch(phase):
            with m.Case(_Phase.LOAD):
                m.d.comb += [idle.eq(1), self.i.ready.eq(~clearing)]
                with m.If(self.i.valid & ~clearing & loaded):
                    m.d.sync += phase.eq(_Phase.READ if self._marks is None else _Phase.FILL)
            with m.Case(_Phase.READ):
                m.d.sync += phase.eq(_Phase.FETCH)
            with m.Case(_Phase.FETCH):
                m.d.sync += phase.eq(following)
            with m.Case(_Phase.TAPS):
                with m.If(digits.final):
                    m.d.sync += phase.eq(following)
            with m.Case(_Phase.LAST):
                with m.If(digits.final):
                    m.d.sync += phase.eq(_Phase.TRANSFER)
            with m.Case(_Phase.TRANSFER):
                m.d.comb += issued.transfer.eq(~stepping & begins)
                with m.If(issued.transfer):
                    m.d.sync += phase.eq(Mux(tap.last_word, _Phase.DRAIN, following))
            with m.Case(_Phase.DRAIN):
                with m.If(pipeline.ends):
                    m.d.sync += [phase.eq(_Phase.LOAD), clearing.eq(1)]
        if isinstance(output, SpikeOutput):
            self._replay(m, pipeline, output, phase, step)
        if isinstance(walker, SkippingWalker) and self._marks is not None:
            self._fill(m, walker, self._marks.delay, phase)

        if self._cancels:
            m.d.comb += self.clears.eq(clearing)
        loads = (phase == _Phase.LOAD) & self.i.valid & beat.event
        m.d.comb += digits.value.eq(self._pixel(m, self._image_word(m, clearing, loads, reads), reads, read))
        return _Issue(row=tap.row, idle=idle, last_step=last_step)

    def _fill(self, m: Module, walker: SkippingWalker, marking: int, phase: Signal) -> None:
        """Bring the walker's first kernel rows on their way, once the last pixel is marked, which takes `marking`."""
        last = walker.filling + marking - 1
        fill = Signal(range(last + 1))
        filling = phase == _Phase.FILL
        marked = fill != 0 if marking == 1 else fill >= marking
        m.d.comb += [walker.rewinds.eq(phase == _Phase.LOAD), walker.fills.eq(filling & marked)]
        with m.If(filling):
            m.d.sync += fill.eq(fill + 1)
            with m.If(fill == last):
                m.d.sync += [fill.eq(0), phase.eq(_Phase.READ)]

    def _replay(self, m: Module, pipeline: _Pipeline, output: SpikeOutput, phase: Signal, step: Signal) -> None:
        """Issue the stored spike words of the steps that the input goes on to, once the last word is done."""
        beat, issued, tag = self.i.payload, pipeline.issued, pipeline.tag
        m.submodules.replayed = replayed = WordCounter(self._plan.layout)
        ends = Signal(reset_less=True)
        m.d.comb += [
            output.issue.eq(issued.transfer | issued.replay),
            replayed.step.eq(issued.replay),
            tag.sample.eq(ends),
        ]
        with m.If(phase == _Phase.LOAD):
            m.d.sync += ends.eq(beat.marker == Marker.SAMPLE)
        with m.If((phase == _Phase.DRAIN) & pipeline.ends & ~ends):
            m.d.sync += phase.eq(_Phase.REPLAY)
        with m.If(phase == _Phase.REPLAY):
            m.d.comb += [
                issued.replay.eq(self.i.valid & output.allow),
                self.i.ready.eq(output.allow & replayed.last),
                tag.word.eq(replayed.address),
                tag.last.eq(replayed.last),
                tag.sample.eq(beat.marker == Marker.SAMPLE),
            ]
            with m.If(issued.replay & replayed.last):
                m.d.sync += step.eq(step + 1)
                with m.If(beat.marker == Marker.SAMPLE):
                    m.d.sync += [step.eq(0), phase.eq(_Phase.LOAD)]

    def _held(self, m: Module, name: str, takes: Value, given: _Tap | Walker | SkippingWalker) -> _Tap:
        """Registers that take the tap that is `given`."""
        held = {}
        for field in dataclasses.fields(_Tap):
            value = getattr(given, field.name)
            held[field.name] = Signal.like(value, name=f"{name}_{field.name}", reset_less=True)
            with m.If(takes):
                m.d.sync += held[field.name].eq(value)
        return _Tap(**held)

    def _steps(self, m: Module, slot: _Slot, step: Signal) -> Signal:
        """Issue a word's steps after its transfer: in each the current, then the passes of a sweep; gives whether."""
        passes = len(self._plan.passes)
        stepping, sweeps = Signal(), Signal()
        sweep_pass = Signal(unsigned_bits(passes - 1))
        last_step = Signal()
        m.d.comb += [
            last_step.eq(step == self._time_steps - 1),
            slot.opening.eq(step == 0),
            slot.closing.eq(last_step),
            slot.first.eq(stepping & ~sweeps),
            slot.sweep.eq(sweeps),
            slot.sweep_pass.eq(sweep_pass),
            slot.fires.eq(sweeps & at_pass(self._plan, sweep_pass, 0)),
            slot.finishes.eq(sweeps & at_pass(self._plan, sweep_pass, passes - 1)),
        ]
        with m.If(slot.transfer):
            m.d.sync += stepping.eq(1)
        with m.If(slot.first):
            m.d.sync += sweeps.eq(1)
        with m.If(sweeps):
            m.d.sync += sweep_pass.eq(sweep_pass + 1)
        with m.If(slot.finishes):
            m.d.sync += [sweeps.eq(0), sweep_pass.eq(0), step.eq(step + 1)]
            with m.If(last_step):
                m.d.sync += [stepping.eq(0), step.eq(0)]
        return stepping

    def _pixel(self, m: Module, word: Signal, reads: Value, read: _Tap) -> Value:
        """The pixel of a word of the image, for the tap that was `read` with it."""
        bits, walker = self._image.value_bits, self._walker
        if len(word) == bits:
            return Mux(read.blank, 0, word)
        assert isinstance(walker, Walker)
        # Which of them it is, is decoded beside the memory: behind it, where a word may come late, is one choice alone.
        chosen = Signal(len(word) // bits, reset_less=True)
        with m.If(reads):
            m.d.sync += chosen.eq(Mux(walker.blank, 0, 1 << walker.lane))
        pixels = (word.word_select(k, bits) & one.replicate(bits) for k, one in enumerate(chosen))
        return functools.reduce(operator.or_, pixels)

    def _image_word(self, m: Module, clearing: Signal, loads: Value, reads: Value) -> Signal:
        """The image, and what sets it to zeros; gives the word of the walker's tap, where that `reads`."""
        memory, beat = self._image.pixels, self.i.payload
        cleared = Signal(unsigned_bits(memory.depth - 1))
        with m.If(clearing):
            m.d.sync += cleared.eq(cleared + 1)
            with m.If(cleared == memory.depth - 1):
                m.d.sync += [cleared.eq(0), clearing.eq(0)]
        if isinstance(self._walker, SkippingWalker) and self._marks is not None:
            m.submodules.marks = marks = self._marks
            m.d.comb += [
                marks.mark.eq(loads & ~clearing & beat.value.any()),
                marks.address.eq(beat.address),
                # No deeper than the image, so that each of its words comes by.
                marks.clear.eq(clearing),
                marks.cleared.eq(cleared),
                marks.reads.eq(self._walker.reads),
                marks.row.eq(self._walker.mark_row),
                self._walker.marks.eq(marks.marks),
            ]
        return block_ram(
            m,
            "pixels",
            width=memory.width,
            depth=memory.depth,
            read=self._walker.address,
            reads=reads,
            write=clearing | loads,
            write_address=Mux(clearing, cleared, beat.address),
            value=Mux(clearing, 0, beat.value),
        )

    def _into_maps(self, m: Module, output: MapOutput, pipeline: _Pipeline, last_step: Signal, spikes: Signal) -> None:
        """Send a word's spikes of every step as they come."""
        now, layout = pipeline.now, self._plan.layout
        group, column, _ = position_fields(pipeline.done.word, layout)
        ends = last_column(column, layout, self._plan.units)
        step = Signal(self._step_bits)
        with m.If(now.fires):
            m.d.sync += step.eq(Mux(now.closing, 0, step + 1))
        m.d.comb += [
            output.left.eq(self.left),
            output.execute.eq(now.fires),
            output.beat.word.eq(pipeline.done.word),
            output.beat.step.eq(step),
            output.beat.mask.eq(spikes),
            output.beat.final.eq(step == last_step),
            output.beat.completes.eq((step == last_step) & (group == layout.groups - 1) & ends),
        ]

    def _stored(self, m: Module, pipeline: _Pipeline, spikes: Signal) -> Value:
        """Keep a word's spikes of all steps but the first; gives those of the word and step that are replayed."""
        memory, lanes = self._image.spikes, self._plan.lanes
        now, tag = pipeline.now, pipeline.done
        if memory is None:
            return spikes
        # Those of the last step go to the memory as they come; with two steps there are no others.
        steps: Value = spikes
        if memory.width > lanes:
            history = Signal(memory.width - lanes, reset_less=True)
            steps = Cat(history, spikes)
            with m.If(now.fires):
                m.d.sync += history.eq(steps[lanes:])
        stored = block_ram(
            m,
            "spikes",
            width=memory.width,
            depth=memory.depth,
            read=pipeline.tags[-2].word,
            write=now.fires & now.closing,
            write_address=tag.word,
            value=steps,
        )
        return stored.word_select(tag.step, lanes)


class ImageUnits(wiring.Component):
    """Units side by side in front of spike maps: each takes the image, and has words of its own.

    Members
    -------
    i : In(stream of input beats)
        Taken by all at once.
    o : as of an `ImageEngine`, one for each unit
    left : In(number of spike maps)
    clears : Out(1)
        Any of them does (only where samples may be cancelled).
    """

    i: Stream[InputBeat]
    o: list[Stream[MapWrite]]
    left: Signal
    clears: Signal

    def __init__(
        self, plan: EnginePlan, input_plan: InputPlan, behind: tuple[int, ...], *, cancels: bool = False
    ) -> None:
        self._units = [ImageEngine(plan, input_plan, behind, cancels=cancels, unit=unit) for unit in range(plan.units)]
        self._cancels = cancels
        members = dict(self._units[0].signature.members)
        super().__init__({**members, "o": members["o"].array(plan.units)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        units = self._units
        m.d.comb += self.i.ready.eq(Cat(unit.i.ready for unit in units).all())
        for k, unit in enumerate(units):
            m.submodules[f"unit{k}"] = unit
            connect(m, unit.o, flipped(self.o[k]))
            m.d.comb += [
                unit.i.valid.eq(self.i.valid & self.i.ready),
                unit.i.payload.eq(self.i.payload),
                unit.left.eq(self.left),
            ]
        if self._cancels:
            m.d.comb += self.clears.eq(Cat(unit.clears for unit in units).any())
        return m


def build(plan: EnginePlan, source: InputPlan, behind: tuple[int, ...], *, cancels: bool) -> ImageEngine | ImageUnits:
    """The engine in front of queues of these depths, or of spike maps."""
    if plan.kind.apart:
        return ImageUnits(plan, source, behind, cancels=cancels)
    return ImageEngine(plan, source, behind, cancels=cancels)


def hear_input(
    m: Module,
    engine: ImageEngine | ImageUnits,
    plan: EnginePlan,
    source: InputPlan,
    beats: Stream[InputBeat],
    cancelled: Callable[[Elaboratable], Elaboratable],
) -> None:
    """Join an engine to the network's input, which sends `beats`. Nothing is put between."""
    connect(m, beats, engine.i)
