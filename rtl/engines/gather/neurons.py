"""The neurons of a gathering engine: residuals in the adders' own registers."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import ConstantField, EnginePlan, unsigned_bits
from snnc.rtl.memories import constant_fields, constant_word
from snnc.rtl.modules import place
from snnc.rtl.neurons import at_pass, constant_members, constants_of, swept

__all__ = ["GatherLane", "GatherNeurons", "addend_bits", "least_shift"]


def least_shift(plan: EnginePlan) -> int:
    """By how much what is added has yet to be shifted to the left: the least shift of a projection."""
    return min(projection.shift for projection in plan.projections)


def addend_bits(plan: EnginePlan) -> int:
    """Width of what is added in a lane before that shift: weights, those of a larger shift with zeros below."""
    return max(projection.weight_bits + projection.shift for projection in plan.projections) - least_shift(plan)


class GatherNeurons(wiring.Component):
    """Per lane a residual with its adder. One thing happens in a cycle, or none.

    Parameters
    ----------
    plan
        The population.

    Members
    -------
    weights : In(lanes * `addend_bits`)
        A row of weights; of several projections, shifted by what a projection's shift is above the least.
    works : In(1)
        The residuals take over a sum: of them and the initial ones, if they are 0 and it is neither
    add : In(1)
        of them and `weights`, nor
    sweep : In(1)
        the pass `sweep_pass` of a sweep.
    sweep_pass : In(range(passes))
    clear : In(1)
        The registers become 0 after it.
    group : In(range(groups))
        Of the word; `next_group` is that of the next cycle.
    spikes : Out(lanes)
        Of the residuals, during the first pass.
    residuals : Out(lanes * residual_bits)
        After this cycle, but for `clear`.
    """

    weights: Signal
    works: Signal
    add: Signal
    sweep: Signal
    sweep_pass: Signal
    clear: Signal
    group: Signal
    next_group: Signal
    spikes: Signal
    residuals: Signal

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        group = unsigned_bits(plan.layout.groups - 1)
        super().__init__(
            {
                "weights": In(plan.lanes * addend_bits(plan)),
                "works": In(1),
                "add": In(1),
                "sweep": In(1),
                "sweep_pass": In(unsigned_bits(len(plan.passes) - 1)),
                "clear": In(1),
                "group": In(group),
                "next_group": In(group),
                "spikes": Out(plan.lanes),
                "residuals": Out(plan.lanes * plan.residual_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self._plan
        constants = constant_fields(plan, constant_word(m, plan, self.next_group, self.group))
        at_work = Signal(len(plan.passes))
        for k in range(len(plan.passes)):
            m.d.comb += at_work[k].eq(self.sweep & at_pass(plan, self.sweep_pass, k))
        for k in range(plan.lanes):
            lane = place(m, platform, f"lane{k}", f"{plan.name}_lane", lambda: GatherLane(plan))
            m.d.comb += [
                *(port.eq(constants[field][k]) for field, port in constants_of(lane, plan).items()),
                lane.weight.eq(self.weights.word_select(k, addend_bits(plan))),
                lane.works.eq(self.works),
                lane.add.eq(self.add),
                lane.sweep.eq(self.sweep),
                lane.at_work.eq(at_work),
                lane.clear.eq(self.clear),
                self.spikes[k].eq(lane.spike),
                self.residuals.word_select(k, plan.residual_bits).eq(lane.total),
            ]
        return m


class GatherLane(wiring.Component):
    """One neuron at a time of each word: its residual, in the adder's own register.

    Parameters
    ----------
    plan
        The population.

    Members
    -------
    weight : In(`addend_bits`)
    works, add, sweep : In(1)
        As of `GatherNeurons`; of a sweep, the sum is with what the pass adds that `at_work` says of each whether it is.
    clear : In(1)
        Become 0 instead.
    fired, silent, ... : In(residual_bits)
        The neuron's constants, as `ConstantField` lists them; those that the population has.
    spike : Out(1)
    total : Out(residual_bits)
        The sum.
    """

    weight: Signal
    works: Signal
    add: Signal
    sweep: Signal
    at_work: Signal
    clear: Signal
    spike: Signal
    total: Signal

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        super().__init__(
            {
                "weight": In(signed(addend_bits(plan))),
                "works": In(1),
                "add": In(1),
                "sweep": In(1),
                "at_work": In(len(plan.passes)),
                "clear": In(1),
                **constant_members(plan),
                "spike": Out(1),
                "total": Out(signed(plan.residual_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self._plan
        constants = constants_of(self, plan)
        residual = Signal(signed(plan.residual_bits))
        base, added, spike = swept(plan, residual, list(self.at_work), constants)
        # In this order all that is said to every lane comes out of registers. Chosen by a signal of their own, initial
        # residuals would have one table for the chip say to all bits that are 1 in all constants: a load or a sweep.
        constant = Mux(self.sweep, added, constants[ConstantField.INITIAL])
        operand = Mux(self.add, self.weight.shift_left(least_shift(plan)), constant)
        m.d.comb += [self.total.eq(base + operand), self.spike.eq(spike)]
        with m.If(self.clear):
            m.d.sync += residual.eq(0)
        with m.Elif(self.works):
            m.d.sync += residual.eq(self.total)
        return m
