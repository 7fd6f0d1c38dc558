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
    add : In(1)
        Add `weights` to the residuals.
    load : In(1)
        Add the initial residuals, to registers that are 0.
    sweep : In(1)
        Take the pass `sweep_pass` of a sweep.
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
    add: Signal
    load: Signal
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
                "add": In(1),
                "load": In(1),
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
        works, at_work = Signal(), Signal(len(plan.passes))
        m.d.comb += works.eq(self.add | self.load | self.sweep)
        for k in range(len(plan.passes)):
            m.d.comb += at_work[k].eq(self.sweep & at_pass(plan, self.sweep_pass, k))
        for k in range(plan.lanes):
            lane = place(m, platform, f"lane{k}", f"{plan.name}_lane", lambda: GatherLane(plan))
            m.d.comb += [
                *(port.eq(constants[field][k]) for field, port in constants_of(lane, plan).items()),
                lane.weight.eq(self.weights.word_select(k, addend_bits(plan))),
                lane.works.eq(works),
                lane.load.eq(self.load),
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
    works : In(1)
        Take over the sum: of the residual and the weight, or instead with
    load : In(1)
        the initial residual, or with
    sweep : In(1)
        what the pass adds that `at_work` says of each whether it is.
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
    load: Signal
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
                "load": In(1),
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
        gathered = Mux(self.load, constants[ConstantField.INITIAL], self.weight.shift_left(least_shift(plan)))
        m.d.comb += [self.total.eq(base + Mux(self.sweep, added, gathered)), self.spike.eq(spike)]
        with m.If(self.clear):
            m.d.sync += residual.eq(0)
        with m.Elif(self.works):
            m.d.sync += residual.eq(self.total)
        return m
