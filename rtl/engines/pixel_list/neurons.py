"""The neurons of a pixel list engine: currents, residuals, and the arithmetic on them."""

import functools

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import ConstantField, EnginePlan, unsigned_bits
from snnc.rtl.engines.pixel_list.plan import PixelListKind
from snnc.rtl.memories import constant_fields, constant_word
from snnc.rtl.modules import place
from snnc.rtl.neurons import at_pass, constant_members, constants_of, swept, zeroed
from snnc.rtl.products import ProductSums

__all__ = ["PixelListLane", "PixelListNeurons"]


class PixelListNeurons(wiring.Component):
    """Per lane a current and a residual, each with an adder, and between them a register that holds a current.

    The next word's currents are gathered while a word takes its steps. A register stands behind each half of a product,
    and one before each of the adders: what a cycle adds to the residual is chosen in the cycle before.

    Parameters
    ----------
    plan
        The population.

    Members
    -------
    weights : In(width of a weight row)
    value : In(bits of a pixel)
        By which they are multiplied.
    digit : In(1)
        The product of the cycle before is added to the currents in the next one.
    clear : In(1)
        The currents become 0.
    transfer : In(1)
        The currents are held, and become 0; the residuals become the initial ones.
    adds : In(1)
        Add to the residuals what was chosen in the cycle before.
    next_sweep : In(1)
        Choose what the pass `next_pass` of a sweep adds; else the held currents.
    next_pass : In(range(passes))
    group : In(range(groups))
        Of the word; `next_group` is that of the next cycle.
    spikes : Out(lanes)
        Of the residuals, while the first pass is chosen and added.
    residuals : Out(lanes * residual_bits)
        After this cycle, where it `adds`.
    """

    weights: Signal
    value: Signal
    digit: Signal
    clear: Signal
    transfer: Signal
    adds: Signal
    next_sweep: Signal
    next_pass: Signal
    group: Signal
    next_group: Signal
    spikes: Signal
    residuals: Signal

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        kind = plan.kind
        assert isinstance(kind, PixelListKind)
        self._kind = kind
        super().__init__(
            {
                "weights": In(plan.main.weights.width),
                "value": In(kind.value_bits),
                **dict.fromkeys(("digit", "clear", "transfer", "adds", "next_sweep"), In(1)),
                "next_pass": In(unsigned_bits(len(plan.passes) - 1)),
                **dict.fromkeys(("group", "next_group"), In(unsigned_bits(plan.layout.groups - 1))),
                "spikes": Out(plan.lanes),
                "residuals": Out(plan.lanes * plan.residual_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self._plan
        constants = constant_fields(plan, constant_word(m, plan, self.next_group, self.group))
        # Said once for all lanes.
        fresh, at_work = Signal(), Signal(len(plan.passes))
        m.d.comb += fresh.eq(self.clear | self.transfer)
        for k in range(len(plan.passes)):
            m.d.comb += at_work[k].eq(self.next_sweep & at_pass(plan, self.next_pass, k))
        kind, bits = self._kind, plan.main.weight_bits
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
                products.value.eq(self.value),
                products.digit.eq(self.digit),
                products.clear.eq(fresh),
            ]
        for k in range(plan.lanes):
            summed = k < kind.summed
            name = f"{plan.name}_summing_lane" if summed else f"{plan.name}_lane"
            lane = place(m, platform, f"lane{k}", name, functools.partial(PixelListLane, plan, summed=summed))
            if summed:
                m.d.comb += lane.current.eq(products.sums.word_select(k, kind.current_bits))
            else:
                m.d.comb += [
                    lane.weight.eq(self.weights.word_select(k, bits)),
                    lane.value.eq(self.value),
                    lane.digit.eq(self.digit),
                    lane.fresh.eq(fresh),
                ]
            m.d.comb += [
                *(port.eq(constants[field][k]) for field, port in constants_of(lane, plan).items()),
                lane.transfer.eq(self.transfer),
                lane.adds.eq(self.adds),
                lane.next_sweep.eq(self.next_sweep),
                lane.at_work.eq(at_work),
                self.spikes[k].eq(lane.spike),
                self.residuals.word_select(k, plan.residual_bits).eq(lane.total),
            ]
        return m


class PixelListLane(wiring.Component):
    """One neuron at a time: the current of the image, one that is held, and its residual.

    Parameters
    ----------
    plan
        The population.
    summed
        Its current comes from a multiplier.

    Members
    -------
    current : In(current bits)
        Where it is `summed`; else there are `weight`, `value`, `digit` and `fresh`.
    weight : In(weight bits)
    value, digit, transfer, adds, next_sweep
        As of `PixelListNeurons`.
    fresh : In(1)
        The current begins anew.
    at_work : In(passes)
        Of each pass, whether it is chosen.
    fired, silent, ... : In(residual_bits)
        The neuron's constants, as `ConstantField` lists them; those that the population has.
    spike : Out(1)
    total : Out(residual_bits)
        The sum.
    """

    current: Signal
    weight: Signal
    value: Signal
    digit: Signal
    fresh: Signal
    transfer: Signal
    adds: Signal
    next_sweep: Signal
    at_work: Signal
    spike: Signal
    total: Signal

    def __init__(self, plan: EnginePlan, *, summed: bool = False) -> None:
        self._plan = plan
        kind = plan.kind
        assert isinstance(kind, PixelListKind)
        self._kind = kind
        self._summed = summed
        gathers = {
            "weight": In(signed(plan.main.weight_bits)),
            "value": In(kind.value_bits),
            **dict.fromkeys(("digit", "fresh"), In(1)),
        }
        super().__init__(
            {
                **({"current": In(signed(kind.current_bits))} if summed else gathers),
                **dict.fromkeys(("transfer", "adds", "next_sweep"), In(1)),
                "at_work": In(len(plan.passes)),
                **constant_members(plan),
                "spike": Out(1),
                "total": Out(signed(plan.residual_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, kind = self._plan, self._kind
        current = self.current if self._summed else self._gathered(m)
        held = Signal(signed(kind.current_bits), reset_less=True)
        with m.If(self.transfer):
            m.d.sync += held.eq(current)

        # --- the residual ---
        constants = constants_of(self, plan)
        residual = Signal(signed(plan.residual_bits), reset_less=True)
        operand = Signal.like(residual)
        _, added, spike = swept(plan, residual, list(self.at_work), constants)
        zero = Signal(reset_less=True)
        m.d.sync += [
            operand.eq(Mux(self.next_sweep, added, held.shift_left(plan.main.shift))),
            zero.eq(zeroed(plan, residual, list(self.at_work))),
        ]
        m.d.comb += [self.total.eq(Mux(zero, 0, residual) + operand), self.spike.eq(spike)]
        with m.If(self.transfer):
            m.d.sync += residual.eq(constants[ConstantField.INITIAL])
        with m.Elif(self.adds):
            m.d.sync += residual.eq(self.total)
        return m

    def _gathered(self, m: Module) -> Signal:
        """The current, a pixel after the other."""
        plan, kind = self._plan, self._kind
        half, bits = kind.value_bits // 2, plan.main.weight_bits + kind.value_bits
        product = Signal(signed(bits), reset_less=True)
        current = Signal(signed(kind.current_bits), reset_less=True)
        low = Signal(signed(plan.main.weight_bits + half), reset_less=True)
        high = Signal(signed(bits - half), reset_less=True)
        m.d.sync += [
            low.eq(self.weight * self.value[:half]),
            high.eq(self.weight * self.value[half:]),
            product.eq(Mux(self.digit, low + high.shift_left(half), 0)),
            current.eq(Mux(self.fresh, 0, current + product)),
        ]
        return current
