"""The neurons of an image engine: currents, residuals, and the arithmetic on them."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import ConstantField, EnginePlan, unsigned_bits
from snnc.rtl.engines.image.plan import ImageKind
from snnc.rtl.memories import constant_fields, constant_word
from snnc.rtl.neurons import at_pass, swept

__all__ = ["ImageNeurons"]


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
        self._image = kind
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
        plan, projection, image = self._plan, self._projection, self._image
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
        for lane in range(plan.lanes):
            # --- the current ---
            weight = self.weights.word_select(lane, projection.weight_bits).as_signed()
            scaled = Signal(signed(projection.weight_bits + image.value_bits), name=f"scaled{lane}", reset_less=True)
            with m.If(self.digit):
                m.d.sync += scaled.eq(self._shifted(m, weight, lane))
            with m.Else():
                m.d.sync += scaled.eq(0)
            current = Signal(signed(image.current_bits), name=f"current{lane}", reset_less=True)
            held = Signal.like(current, name=f"held{lane}")
            with m.If(fresh):
                m.d.sync += current.eq(self.next_sign.replicate(image.current_bits))
            with m.Else():
                total = (current + scaled)[: image.current_bits]
                m.d.sync += current.eq(total ^ flip.replicate(image.current_bits))
            with m.If(self.transfer):
                m.d.sync += held.eq(current)

            # --- the residual ---
            residual = Signal(signed(plan.residual_bits), name=f"residual{lane}", reset_less=True)
            of_lane = {field: values[lane] for field, values in constants.items()}
            base, added, spike = swept(plan, residual, list(at_work), of_lane)
            operand = Mux(self.sweep, added, held.shift_left(projection.shift))
            total = self.residuals.word_select(lane, plan.residual_bits)
            m.d.comb += [total.eq(base + operand), self.spikes[lane].eq(spike)]
            with m.If(adds):
                m.d.sync += residual.eq(total)
            with m.Else():
                m.d.sync += residual.eq(of_lane[ConstantField.INITIAL])
        return m

    def _shifted(self, m: Module, weight: Value, lane: int) -> Value:
        """`weight` times ``1 << factor``, the factor's lowest bit first: its look-up tables are the small ones.

        Where the plan multiplies, times `factor`.
        """
        bits = self._image.value_bits
        if self._image.multiplies:
            return weight * self.factor
        steps = list(range(len(self.factor)))
        # A power of two is the one position that its bit stands for.
        alone = steps.pop() if bits & (bits - 1) == 0 else None
        shifted = weight
        for step in steps:
            wide = Signal(signed(len(shifted) + (1 << step)), name=f"shifted{lane}_{step}")
            m.d.comb += wide.eq(Mux(self.factor[step], shifted.shift_left(1 << step), shifted))
            shifted = wide
        return shifted if alone is None else Mux(self.factor[alone], weight.shift_left(bits), shifted)
