"""The neurons of an image engine: currents, residuals, and the arithmetic on them."""

import functools

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import ConstantField, EnginePlan, unsigned_bits
from snnc.rtl.engines.image.plan import ImageKind
from snnc.rtl.memories import constant_fields, constant_word
from snnc.rtl.modules import place
from snnc.rtl.neurons import at_pass, constant_members, constants_of, swept
from snnc.rtl.products import ProductSums

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
        Of this cycle; where the plan multiplies, of the next one: there is a register between memory and multiplier.
    next_factor : In(range(bits of a pixel + 1), or bits of a pixel)
    next_digit : In(1)
        In the next cycle take `weights` times ``1 << factor``, or times `factor` where the plan multiplies, to be added
        in the cycle after that; otherwise 0 is.
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
    next_factor: Signal
    next_digit: Signal
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
        self._kind = kind
        group = unsigned_bits(plan.layout.groups - 1)
        super().__init__(
            {
                "weights": In(projection.weights.width),
                "next_factor": In(kind.value_bits if kind.multiplies else unsigned_bits(kind.value_bits)),
                "next_digit": In(1),
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
        kind, bits = self._kind, projection.weight_bits
        pixels = self._pixels(m)
        weights: Value = self.weights
        if kind.multiplies:
            weights = Signal.like(self.weights, reset_less=True)
            m.d.sync += weights.eq(self.weights)
        if kind.summed:
            m.submodules.products = products = ProductSums(
                kind.summed,
                weight_bits=bits,
                value_bits=kind.value_bits,
                sum_bits=kind.current_bits,
                lanes_each=kind.lanes_each,
            )
            m.d.comb += [
                products.weights.eq(self.weights),
                products.value.eq(self.next_factor),
                products.digit.eq(pixels[0][1]),
                products.clear.eq(fresh),
            ]
        for k in range(plan.lanes):
            summed = k < kind.summed
            name = f"{plan.name}_summing_lane" if summed else f"{plan.name}_lane"
            lane = place(m, platform, f"lane{k}", name, functools.partial(ImageLane, plan, summed=summed))
            if summed:
                m.d.comb += lane.current.eq(products.sums.word_select(k, kind.current_bits))
            else:
                factor, digit = pixels[k * len(pixels) // plan.lanes]
                m.d.comb += [
                    lane.weight.eq(weights.word_select(k, bits)),
                    lane.factor.eq(factor),
                    lane.digit.eq(digit),
                    lane.next_sign.eq(self.next_sign),
                    lane.flip.eq(flip),
                    lane.fresh.eq(fresh),
                ]
            m.d.comb += [
                *(port.eq(constants[field][k]) for field, port in constants_of(lane, plan).items()),
                lane.transfer.eq(self.transfer),
                lane.adds.eq(adds),
                lane.sweep.eq(self.sweep),
                lane.at_work.eq(at_work),
                self.spikes[k].eq(lane.spike),
                self.residuals.word_select(k, plan.residual_bits).eq(lane.total),
            ]
        return m

    def _pixels(self, m: Module) -> list[tuple[Signal, Signal]]:
        """The factor and whether there is one, in registers that share out the lanes.

        A multiplier is large, and all of them together are wider than a signal comes in a cycle: where the plan has
        any, each part of the lanes has registers of its own. Synthesis would merge such as are the same; these differ
        in what they are at power-up and after a reset, which nobody looks at.
        """
        ways = [(0, False), (-1, False), (0, True), (-1, True)] if self._kind.multiplies else [(0, False)]
        found = []
        for k, (init, reset_less) in enumerate(ways):
            factor = Signal(len(self.next_factor), name=f"factor{k}", init=init, reset_less=reset_less)
            digit = Signal(name=f"digit{k}", init=init, reset_less=reset_less)
            m.d.sync += [factor.eq(self.next_factor), digit.eq(self.next_digit)]
            found.append((factor, digit))
        return found


class ImageLane(wiring.Component):
    """One neuron at a time: the current of its window, one that is held, and its residual.

    Parameters
    ----------
    plan
        The population.
    summed
        Its current comes from a multiplier.

    Members
    -------
    current : In(current bits)
        Where it is `summed`; else there are all until `fresh`:
    weight : In(weight bits)
    factor : In(value bits, or what numbers them)
        As of `ImageNeurons`, both of the same cycle.
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

    current: Signal
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

    def __init__(self, plan: EnginePlan, *, summed: bool = False) -> None:
        self._plan = plan
        kind = plan.kind
        assert isinstance(kind, ImageKind)
        self._image = kind
        self._summed = summed
        gathers = {
            "weight": In(signed(plan.main.weight_bits)),
            "factor": In(kind.value_bits if kind.multiplies else unsigned_bits(kind.value_bits)),
            **dict.fromkeys(("digit", "next_sign", "flip", "fresh"), In(1)),
        }
        super().__init__(
            {
                **({"current": In(signed(kind.current_bits))} if summed else gathers),
                **dict.fromkeys(("transfer", "adds", "sweep"), In(1)),
                "at_work": In(len(plan.passes)),
                **constant_members(plan),
                "spike": Out(1),
                "total": Out(signed(plan.residual_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, image = self._plan, self._image
        current = self.current if self._summed else self._gathered(m)
        held = Signal(signed(image.current_bits), reset_less=True)
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

    def _gathered(self, m: Module) -> Signal:
        """The current, a tap after the other."""
        plan, image = self._plan, self._image
        scaled = Signal(signed(plan.main.weight_bits + image.value_bits), reset_less=True)
        with m.If(self.digit):
            m.d.sync += scaled.eq(self._shifted(m))
        with m.Else():
            m.d.sync += scaled.eq(0)
        current = Signal(signed(image.current_bits), reset_less=True)
        with m.If(self.fresh):
            m.d.sync += current.eq(self.next_sign.replicate(image.current_bits))
        with m.Else():
            total = (current + scaled)[: image.current_bits]
            m.d.sync += current.eq(total ^ self.flip.replicate(image.current_bits))
        return current

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
