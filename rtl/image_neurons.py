"""The neurons of an image engine: one word's currents and residuals, and the arithmetic on them."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.ir.neurons import Reset
from snnc.compiler.plan import EnginePlan, MemoryKind, unsigned_bits
from snnc.rtl.memories import Lookup, Rom

__all__ = ["ImageNeurons"]


class ImageNeurons(wiring.Component):
    """Per lane a current and a residual, each with an adder.

    A negative digit costs nothing: the current is kept as its complement while the digit to come is negative, because
    ``~(~s + w)`` is ``s - w``; an exclusive or behind the adder shares the adder's cells.

    Parameters
    ----------
    plan
        The population.

    Members
    -------
    weights : In(width of a weight row)
    shift : In(range(bits of a pixel + 1))
    digit : In(1)
        Shift `weights`, which are added in the next cycle; otherwise 0 is.
    sign : In(1)
        What is added in this cycle is subtracted instead.
    next_sign : In(1)
        `sign` of the next cycle.
    clear : In(1)
        The currents become 0.
    first : In(1)
        Add the currents to the residuals.
    second : In(1)
        Spike, reset, add the bias. Without either, the residuals become the initial ones.
    group : In(range(groups))
        Of the word; `next_group` is that of the next cycle. The initial residuals are those of this cycle's.
    spikes : Out(lanes)
        Of the residuals, during `second`.
    residuals : Out(lanes * residual_bits)
        After this cycle.
    """

    weights: Signal
    shift: Signal
    digit: Signal
    sign: Signal
    next_sign: Signal
    clear: Signal
    first: Signal
    second: Signal
    group: Signal
    next_group: Signal
    spikes: Signal
    residuals: Signal

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        (projection,) = plan.projections
        assert projection.image is not None
        self._projection = projection
        self._image = projection.image
        group = unsigned_bits(plan.layout.groups - 1)
        super().__init__(
            {
                "weights": In(projection.weights.width),
                "shift": In(unsigned_bits(projection.image.value_bits)),
                "digit": In(1),
                "sign": In(1),
                "next_sign": In(1),
                "clear": In(1),
                "first": In(1),
                "second": In(1),
                "group": In(group),
                "next_group": In(group),
                "spikes": Out(plan.lanes),
                "residuals": Out(plan.lanes * plan.residual_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        plan, projection, image = self._plan, self._projection, self._image
        fire, bias, initial = self._constants(m)
        for lane in range(plan.lanes):
            # --- the current ---
            weight = self.weights.word_select(lane, projection.weight_bits).as_signed()
            scaled = Signal(signed(projection.weight_bits + image.value_bits), name=f"scaled{lane}", reset_less=True)
            with m.If(self.digit):
                m.d.sync += scaled.eq(self._shifted(m, weight, lane))
            with m.Else():
                m.d.sync += scaled.eq(0)
            current = Signal(signed(image.current_bits), name=f"current{lane}", reset_less=True)
            flip = (self.sign ^ self.next_sign).replicate(image.current_bits)
            with m.If(self.clear):
                m.d.sync += current.eq(0)
            with m.Else():
                m.d.sync += current.eq((current + scaled)[: image.current_bits] ^ flip)

            # --- the residual ---
            residual = Signal(signed(plan.residual_bits), name=f"residual{lane}", reset_less=True)
            spike = ~residual[-1]
            base: Any = residual
            if plan.reset is Reset.HARD:
                base = Mux(self.second & spike, 0, residual)
            operand = Mux(self.second, Mux(spike, fire[lane], bias[lane]), current << projection.shift)
            total = self.residuals.word_select(lane, plan.residual_bits)
            m.d.comb += [total.eq(base + operand), self.spikes[lane].eq(spike)]
            with m.If(self.first | self.second):
                m.d.sync += residual.eq(total)
            with m.Else():
                m.d.sync += residual.eq(initial[lane])
        return m

    def _shifted(self, m: Module, weight: Any, lane: int) -> Any:
        """`weight` times ``1 << shift``, the lowest bit of `shift` first: its look-up tables are the small ones."""
        bits = self._image.value_bits
        steps = list(range(len(self.shift)))
        # A power of two is the one position that its bit stands for.
        alone = steps.pop() if bits & (bits - 1) == 0 else None
        shifted = weight
        for step in steps:
            wide = Signal(signed(len(shifted) + (1 << step)), name=f"shifted{lane}_{step}")
            m.d.comb += wide.eq(Mux(self.shift[step], shifted << (1 << step), shifted))
            shifted = wide
        return shifted if alone is None else Mux(self.shift[alone], weight << bits, shifted)

    def _constants(self, m: Module) -> tuple[list[Any], ...]:
        """Per lane ``bias - threshold``, ``bias`` and the initial residual of the group."""
        plan = self._plan
        constants: Lookup | Rom
        if plan.constants.kind is MemoryKind.LUT:
            m.submodules.constants = constants = Lookup(plan.constants.name, plan.constants.width, plan.constants.depth)
            m.d.comb += constants.address.eq(self.group)
        else:
            m.submodules.constants = constants = Rom(plan.constants)
            if constants.latency != 1:
                raise ValueError(f"The constants of {plan.name!r} must fit one bank")
            m.d.comb += constants.address.eq(self.next_group)
        fields = [
            constants.data.word_select(k, plan.residual_bits).as_signed()
            for k in range(len(constants.data) // plan.residual_bits)
        ]
        return tuple(fields[k : k + plan.lanes] for k in range(0, len(fields), plan.lanes))
