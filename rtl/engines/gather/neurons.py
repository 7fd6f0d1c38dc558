"""The neurons of a gathering engine: residuals in the adders' own registers."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import ConstantField, EnginePlan, unsigned_bits
from snnc.rtl.memories import constant_fields, constant_word
from snnc.rtl.neurons import at_pass, swept

__all__ = ["GatherNeurons"]


class GatherNeurons(wiring.Component):
    """Per lane a residual with its adder. One thing happens in a cycle, or none.

    Parameters
    ----------
    plan
        The population.

    Members
    -------
    weights : In(width of a weight row)
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
                "weights": In(plan.main.weights.width),
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
        plan, projection = self._plan, self._plan.main
        constants = constant_fields(plan, constant_word(m, plan, self.next_group, self.group))
        works, at_work = Signal(), Signal(len(plan.passes))
        m.d.comb += works.eq(self.add | self.load | self.sweep)
        for k in range(len(plan.passes)):
            m.d.comb += at_work[k].eq(self.sweep & at_pass(plan, self.sweep_pass, k))
        for lane in range(plan.lanes):
            weight = self.weights.word_select(lane, projection.weight_bits).as_signed()
            residual = Signal(signed(plan.residual_bits), name=f"residual{lane}")
            of_lane = {field: values[lane] for field, values in constants.items()}
            base, added, spike = swept(plan, residual, list(at_work), of_lane)
            gathered = Mux(self.load, of_lane[ConstantField.INITIAL], weight.shift_left(projection.shift))
            total = self.residuals.word_select(lane, plan.residual_bits)
            m.d.comb += [total.eq(base + Mux(self.sweep, added, gathered)), self.spikes[lane].eq(spike)]
            with m.If(self.clear):
                m.d.sync += residual.eq(0)
            with m.Elif(works):
                m.d.sync += residual.eq(total)
        return m
