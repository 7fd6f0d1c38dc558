"""The neurons of an image engine: currents, residuals, and the arithmetic on them."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import ConstantField, EnginePlan, unsigned_bits
from snnc.rtl.engines.image.plan import ImageKind
from snnc.rtl.memories import constant_fields, constant_word
from snnc.rtl.modules import place
from snnc.rtl.neurons import at_pass, constant_members, constants_of, swept

__all__ = ["ImageLane", "ImageNeurons"]


class ImageNeurons(wiring.Component):
    """Per lane a current and a residual, each with an adder, and between them a register that holds a current.

    The next word's currents are gathered while a word takes its steps.

    A negative digit costs nothing: the current is kept as its complement while the digit to come is negative, because
    ``~(~s + w)`` is ``s - w``; an exclusive or behind the adder shares the adder's cells.

    Parameters
    ----------
    plan
        The population.

    Members
    -------
    weights : In(width of a weight row)
    factor : In(range(bits of a pixel + 1), or bits of a pixel)
    digit : In(1)
        Take `weights` times ``1 << factor``, or times `factor` where the plan multiplies, to be added in the next
        cycle; otherwise 0 is.
    sign : In(1)
        What is added in this cycle is subtracted instead.
    next_sign : In(1)
        `sign` of the next cycle.
    clear : In(1)
        The currents become 0.
    transfer : In(1)
        The currents are held, and become 0.
    first : In(1)
        Add the held currents to the residuals.
    sweep : In(1)
        Take the pass `sweep_pass` of a sweep. Without either, the residuals become the initial ones.
    sweep_pass : In(range(passes))
    group : In(range(groups))
        Of the word; `next_group` is that of the next cycle. The initial residuals are those of this cycle's.
    spikes : Out(lanes)
        Of the residuals, during the first pass.
    residuals : Out(lanes * residual_bits)
        After this cycle.
    """

    weights: Signal
    factor: Signal
    digit: Signal
    sign: Signal
    next_sign: Signal
    clear: Signal
    transfer: Signal
    first: Signal
    sweep: Signal
    sweep_pass: Signal
    group: Signal
    next_group: Signal
    spikes: Signal
    residuals: Signal

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        (projection,) = plan.projections
        kind = plan.kind
        assert isinstance(kind, ImageKind)
        self._projection = projection
        group = unsigned_bits(plan.layout.groups - 1)
        super().__init__(
            {
                "weights": In(projection.weights.width),
                "factor": In(kind.value_bits if kind.multiplies else unsigned_bits(kind.value_bits)),
                "digit": In(1),
                "sign": In(1),
                "next_sign": In(1),
                "clear": In(1),
                "transfer": In(1),
                "first": In(1),
                "sweep": In(1),
                "sweep_pass": In(unsigned_bits(len(plan.passes) - 1)),
                "group": In(group),
                "next_group": In(group),
                "spikes": Out(plan.lanes),
                "residuals": Out(plan.lanes * plan.residual_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, projection = self._plan, self._projection
        constants = constant_fields(plan, constant_word(m, plan, self.next_group, self.group))
        # Said once for all lanes.
        flip, fresh, adds, at_work = Signal(), Signal(), Signal(), Signal(len(plan.passes))
        m.d.comb += [
            flip.eq(self.sign ^ self.next_sign),
            fresh.eq(self.clear | self.transfer),
            adds.eq(self.first | self.sweep),
        ]
        for k in range(len(plan.passes)):
            m.d.comb += at_work[k].eq(self.sweep & at_pass(plan, self.sweep_pass, k))
        for k in range(plan.lanes):
            lane = place(m, platform, f"lane{k}", f"{plan.name}_lane", lambda: ImageLane(plan))
            m.d.comb += [
                *(port.eq(constants[field][k]) for field, port in constants_of(lane, plan).items()),
                lane.weight.eq(self.weights.word_select(k, projection.weight_bits)),
                lane.factor.eq(self.factor),
                lane.digit.eq(self.digit),
                lane.next_sign.eq(self.next_sign),
                lane.flip.eq(flip),
                lane.fresh.eq(fresh),
                lane.transfer.eq(self.transfer),
                lane.adds.eq(adds),
                lane.sweep.eq(self.sweep),
                lane.at_work.eq(at_work),
                self.spikes[k].eq(lane.spike),
                self.residuals.word_select(k, plan.residual_bits).eq(lane.total),
            ]
        return m


class ImageLane(wiring.Component):
    """One neuron at a time: the current of its window, one that is held, and its residual.

    Parameters
    ----------
    plan
        The population.

    Members
    -------
    weight : In(weight bits)
    factor : In(value bits, or what numbers them)
        As of `ImageNeurons`.
    digit : In(1)
        The weight times the factor is added to the current, a cycle later; else nothing is.
    next_sign, flip, fresh : In(1)
        The sign of the next digit, whether it is another than this one's, and whether the current begins anew.
    transfer : In(1)
        Hold the current.
    adds : In(1)
        The residual becomes the sum; else the initial residual.
    sweep : In(1)
        Of the residual and what the pass adds that `at_work` says of each whether it is; else of the residual and the
        current that is held.
    fired, silent, ... : In(residual_bits)
        The neuron's constants, as `ConstantField` lists them; those that the population has.
    spike : Out(1)
    total : Out(residual_bits)
        The sum.
    """

    weight: Signal
    factor: Signal
    digit: Signal
    next_sign: Signal
    flip: Signal
    fresh: Signal
    transfer: Signal
    adds: Signal
    sweep: Signal
    at_work: Signal
    spike: Signal
    total: Signal

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        kind = plan.kind
        assert isinstance(kind, ImageKind)
        self._image = kind
        super().__init__(
            {
                "weight": In(signed(plan.main.weight_bits)),
                "factor": In(kind.value_bits if kind.multiplies else unsigned_bits(kind.value_bits)),
                **dict.fromkeys(("digit", "next_sign", "flip", "fresh", "transfer", "adds", "sweep"), In(1)),
                "at_work": In(len(plan.passes)),
                **constant_members(plan),
                "spike": Out(1),
                "total": Out(signed(plan.residual_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, image = self._plan, self._image
        # --- the current ---
        scaled = Signal(signed(plan.main.weight_bits + image.value_bits), reset_less=True)
        with m.If(self.digit):
            m.d.sync += scaled.eq(self._shifted(m))
        with m.Else():
            m.d.sync += scaled.eq(0)
        current = Signal(signed(image.current_bits), reset_less=True)
        held = Signal.like(current)
        with m.If(self.fresh):
            m.d.sync += current.eq(self.next_sign.replicate(image.current_bits))
        with m.Else():
            total = (current + scaled)[: image.current_bits]
            m.d.sync += current.eq(total ^ self.flip.replicate(image.current_bits))
        with m.If(self.transfer):
            m.d.sync += held.eq(current)

        # --- the residual ---
        constants = constants_of(self, plan)
        residual = Signal(signed(plan.residual_bits), reset_less=True)
        base, added, spike = swept(plan, residual, list(self.at_work), constants)
        operand = Mux(self.sweep, added, held.shift_left(plan.main.shift))
        m.d.comb += [self.total.eq(base + operand), self.spike.eq(spike)]
        with m.If(self.adds):
            m.d.sync += residual.eq(self.total)
        with m.Else():
            m.d.sync += residual.eq(constants[ConstantField.INITIAL])
        return m

    def _shifted(self, m: Module) -> Value:
        """The weight times ``1 << factor``, the factor's lowest bit first: its look-up tables are the small ones.

        Where the plan multiplies, times `factor`.
        """
        bits = self._image.value_bits
        if self._image.multiplies:
            return self.weight * self.factor
        steps = list(range(len(self.factor)))
        # A power of two is the one position that its bit stands for.
        alone = steps.pop() if bits & (bits - 1) == 0 else None
        shifted: Value = self.weight
        for step in steps:
            wide = Signal(signed(len(shifted) + (1 << step)), name=f"shifted{step}")
            m.d.comb += wide.eq(Mux(self.factor[step], shifted.shift_left(1 << step), shifted))
            shifted = wide
        return shifted if alone is None else Mux(self.factor[alone], self.weight.shift_left(bits), shifted)
