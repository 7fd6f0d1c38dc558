"""An image engine: the hardware of a convolution that reads the image itself.

    pixels -> digits -> weight row -> shift -> current -> residual -> spikes of step 0 -> o
                                                              `-----> spikes of the others -> memory -> o

The image is the same in every step, and so is a neuron's current. A word's current is gathered once, over the pixels
below its kernel; its neurons then take all their steps at once, while the next word's is gathered. So neither currents
nor membranes are stored: one word's are in flip-flops, and of the rest there is what their spikes say. `docs/timing.md`
says when.
"""

from enum import unique
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from snnc.compiler.plan import EnginePlan, InputPlan, unsigned_bits
from snnc.rtl.beats import Marker, input_beat, spike_word
from snnc.rtl.credits import SpikeOutput
from snnc.rtl.engines.image.neurons import ImageNeurons
from snnc.rtl.engines.image.plan import ImageKind
from snnc.rtl.memories import Rom, block_ram
from snnc.rtl.neurons import at_pass
from snnc.rtl.recoding import DigitRegister, ValueRegister
from snnc.rtl.walkers.image.circuit import TapWalker

__all__ = ["ImageEngine", "build", "hear_input"]


@unique
class _Phase(enum.Enum, shape=3):
    LOAD = 0
    """Takes the image."""
    READ = 1
    """The first pixel is read,"""
    FETCH = 2
    """and taken."""
    TAPS = 3
    """Issues digits."""
    TRANSFER = 4
    """Hands the word's currents over to its steps."""
    DRAIN = 5
    """The last of them are under way."""
    REPLAY = 6
    """Issues stored spike words."""


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

    Members
    -------
    i : In(stream of input beats)
    o : Out(stream of spike words)
        A spike word is never held back: it is offered for one cycle, and the queues behind have room for it.
    left : In(number of queues)
        A spike word leaves the queue.

    Signals named ``probe_*`` say what executes: `sim` reads them by these names.
    """

    i: stream.Interface
    o: stream.Interface
    left: Signal

    def __init__(self, plan: EnginePlan, input_plan: InputPlan, behind: tuple[int, ...]) -> None:
        (projection,) = plan.projections
        if not isinstance(plan.kind, ImageKind):
            raise ValueError(f"Engine {plan.name!r} gathers no image")
        self._plan = plan
        self._input = input_plan
        self._behind = behind
        self._projection = projection
        self._image = plan.kind
        self._time_steps = plan.kind.steps_at_once(plan)
        self._step_bits = unsigned_bits(self._time_steps - 1)
        super().__init__(
            {
                "i": In(stream.Signature(input_beat(input_plan))),
                "o": Out(stream.Signature(spike_word(plan))),
                "left": In(len(behind)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        plan, depth = self._plan, self._plan.pipeline
        m.submodules.walker = walker = TapWalker(plan, self._input)
        register = ValueRegister if self._image.multiplies else DigitRegister
        m.submodules.digits = digits = register(self._image.value_bits)
        m.submodules.weights = weights = Rom(self._projection.weights)
        m.submodules.neurons = neurons = ImageNeurons(plan)
        m.submodules.output = output = SpikeOutput(plan, self._behind)
        latency = weights.latency + 1 + self._image.multiplies
        if latency != depth:
            raise ValueError(f"Engine {plan.name!r} needs a pipeline of {latency}, not {depth}")
        row_data = weights.data
        if self._image.multiplies:  # a register between memory and multiplier
            row_data = Signal.like(weights.data, name="row_data", reset_less=True)
            m.d.sync += row_data.eq(weights.data)

        # --- what is issued, and its way to execution ---
        layout = data.StructLayout(
            {
                "digit": 1,
                "negative": 1,
                "factor": len(digits.factor),
                "transfer": 1,
                "first": 1,
                "sweep": 1,
                "sweep_pass": unsigned_bits(len(plan.passes) - 1),
                "fires": 1,  # in the first pass
                "finishes": 1,  # in the last pass
                "opening": 1,  # in the first step
                "closing": 1,  # in the last step
                "replay": 1,
            }
        )
        # Any: a signal of a layout is a view with the layout's fields, which the types do not know.
        slots: list[Any] = [Signal(layout, name=f"slot{k}") for k in range(depth + 1)]
        for k in range(depth):
            m.d.sync += slots[k + 1].eq(slots[k])
        # Which word the steps belong to changes with each transfer, and with each replayed word.
        layout = data.StructLayout({"word": plan.layout.address_bits, "last": 1, "sample": 1, "step": self._step_bits})
        tags: list[Any] = [Signal(layout, name=f"tag{k}", reset_less=True) for k in range(depth + 1)]
        following: Any = Signal(layout)
        for k in range(depth):
            target = following if k == depth - 1 else Signal(layout, name=f"following{k}")
            begins = slots[k].transfer | slots[k].replay
            m.d.comb += target.eq(Mux(begins, tags[k].as_value(), tags[k + 1].as_value()))
            m.d.sync += tags[k + 1].eq(target)
        now, tag, replays = slots[depth], tags[depth], slots[depth].replay

        row = self._control(m, walker, digits, output, slots[0], tags[0], now, tag)
        group_bits = plan.layout.group_bits
        m.d.comb += [
            weights.address.eq(row),
            neurons.weights.eq(row_data),
            neurons.factor.eq(slots[depth - 1].factor),
            neurons.digit.eq(slots[depth - 1].digit),
            neurons.sign.eq(now.negative),
            neurons.next_sign.eq(slots[depth - 1].negative),
            neurons.transfer.eq(now.transfer),
            neurons.first.eq(now.first),
            neurons.sweep.eq(now.sweep),
            neurons.sweep_pass.eq(now.sweep_pass),
            neurons.group.eq(tag.word[:group_bits]),
            neurons.next_group.eq(following.word[:group_bits]),
        ]

        connect(m, output.o, flipped(self.o))
        replayed = self._stored(m, tags[depth - 1], tag, now, neurons.spikes)
        m.d.comb += [
            output.left.eq(self.left),
            output.execute.eq((now.fires & now.opening) | replays),
            output.beat.word.eq(tag.word),
            output.beat.mask.eq(Mux(replays, replayed, neurons.spikes)),
            output.beat.marker.eq(Mux(tag.sample, Marker.SAMPLE, Marker.STEP)),
            output.last.eq(tag.last),
        ]
        for name, value in {
            "probe_execute": now.digit | now.transfer | replays,
            "probe_sweep": now.sweep,
            "probe_word": tag.word,
            "probe_spikes": neurons.spikes,
            "probe_membranes": neurons.residuals,
        }.items():
            signal = Signal(len(value), name=name)
            m.d.comb += signal.eq(value)
        # Nothing has cleared the currents after a reset.
        m.d.comb += neurons.clear.eq(self._idle)
        return m

    def _control(
        self,
        m: Module,
        walker: TapWalker,
        digits: DigitRegister | ValueRegister,
        output: SpikeOutput,
        slot: Any,
        tag: Any,
        now: Any,
        done: Any,
    ) -> Signal:
        """Decide what is issued; gives the weight row of the digit. `done` is the tag of what executes, `now`."""
        beat: Any = self.i.payload
        phase = Signal(_Phase)
        step = Signal(self._step_bits)
        ends = Signal(reset_less=True)
        clearing = Signal(init=1)
        self._idle = Signal()

        # The tap whose digits are issued, and its word; the walker is one ahead.
        row = Signal.like(walker.row, reset_less=True)
        last_tap, last_word = Signal(reset_less=True), Signal(reset_less=True)
        word = Signal.like(walker.word, reset_less=True)
        fetches = Signal()
        with m.If(fetches):
            m.d.sync += [
                row.eq(walker.row),
                last_tap.eq(walker.last_tap),
                word.eq(walker.word),
                last_word.eq(walker.last_word),
            ]
        m.d.comb += [
            digits.load.eq(fetches),
            walker.next_tap.eq(fetches & ~walker.last_tap),
            walker.next_word.eq((fetches & walker.last_tap) | slot.replay),
            output.issue.eq(slot.transfer | slot.replay),
            slot.factor.eq(digits.factor),
            tag.word.eq(word),
            tag.last.eq(last_word),
            tag.sample.eq(ends),
            tag.step.eq(step),
        ]
        stepping = self._steps(m, slot, step)

        with m.Switch(phase):
            with m.Case(_Phase.LOAD):
                m.d.comb += [self._idle.eq(1), self.i.ready.eq(~clearing)]
                m.d.sync += ends.eq(beat.marker == Marker.SAMPLE)
                with m.If(self.i.valid & ~clearing & (beat.marker != Marker.NONE)):
                    m.d.sync += phase.eq(_Phase.READ)
            with m.Case(_Phase.READ):
                m.d.sync += phase.eq(_Phase.FETCH)
            with m.Case(_Phase.FETCH):
                m.d.comb += fetches.eq(1)
                m.d.sync += phase.eq(_Phase.TAPS)
            with m.Case(_Phase.TAPS):
                m.d.comb += [
                    slot.digit.eq(digits.event),
                    slot.negative.eq(digits.event & digits.negative),
                    digits.take.eq(1),
                    fetches.eq(digits.final & ~last_tap),
                ]
                with m.If(digits.final & last_tap):
                    m.d.sync += phase.eq(_Phase.TRANSFER)
            with m.Case(_Phase.TRANSFER):
                m.d.comb += [
                    slot.transfer.eq(~stepping & output.allow),
                    fetches.eq(slot.transfer & ~last_word),
                ]
                with m.If(slot.transfer):
                    m.d.sync += phase.eq(Mux(last_word, _Phase.DRAIN, _Phase.TAPS))
            with m.Case(_Phase.DRAIN):
                with m.If(now.finishes & now.closing & done.last):
                    m.d.sync += [phase.eq(Mux(ends, _Phase.LOAD, _Phase.REPLAY)), clearing.eq(1)]
            with m.Case(_Phase.REPLAY):
                m.d.comb += [
                    slot.replay.eq(self.i.valid & output.allow),
                    self.i.ready.eq(output.allow & walker.last_word),
                    tag.word.eq(walker.word),
                    tag.last.eq(walker.last_word),
                    tag.sample.eq(beat.marker == Marker.SAMPLE),
                ]
                with m.If(slot.replay & walker.last_word):
                    m.d.sync += step.eq(step + 1)
                    with m.If(beat.marker == Marker.SAMPLE):
                        m.d.sync += [step.eq(0), phase.eq(_Phase.LOAD)]

        self._pixels(m, walker, digits, clearing, (phase == _Phase.LOAD) & self.i.valid & beat.event)
        return row

    def _steps(self, m: Module, slot: Any, step: Signal) -> Signal:
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

    def _pixels(
        self, m: Module, walker: TapWalker, digits: DigitRegister | ValueRegister, clearing: Signal, loads: Any
    ) -> None:
        """The image, and what sets it to zeros."""
        memory = self._image.pixels
        beat: Any = self.i.payload
        cleared = Signal(unsigned_bits(memory.depth - 1))
        with m.If(clearing):
            m.d.sync += cleared.eq(cleared + 1)
            with m.If(cleared == memory.depth - 1):
                m.d.sync += [cleared.eq(0), clearing.eq(0)]
        pixel = block_ram(
            m,
            "pixels",
            width=memory.width,
            depth=memory.depth,
            read=walker.address,
            write=clearing | loads,
            write_address=Mux(clearing, cleared, beat.address),
            value=Mux(clearing, 0, beat.value),
        )
        m.d.comb += digits.value.eq(Mux(walker.blank, 0, pixel))

    def _stored(self, m: Module, before: Any, tag: Any, now: Any, spikes: Signal) -> Any:
        """Keep a word's spikes of all steps but the first; gives those of the word and step that are replayed."""
        memory, lanes = self._image.spikes, self._plan.lanes
        if memory is None:
            return spikes
        # Those of the last step go to the memory as they come; with two steps there are no others.
        steps: Any = spikes
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
            read=before.word,
            write=now.fires & now.closing,
            write_address=tag.word,
            value=steps,
        )
        return stored.word_select(tag.step, lanes)


def build(plan: EnginePlan, source: InputPlan, behind: tuple[int, ...]) -> ImageEngine:
    """The engine in front of queues of these depths."""
    return ImageEngine(plan, source, behind)


def hear_input(m: Module, engine: ImageEngine, plan: EnginePlan, source: InputPlan, beats: Any) -> None:
    """Join an engine to the network's input, which sends `beats`."""
    connect(m, beats, engine.i)
