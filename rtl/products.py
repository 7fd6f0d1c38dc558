"""Sums of products in a chip's multipliers."""

from amaranth.hdl import ClockSignal, Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ProductSums"]


class ProductSums(wiring.Component):
    """For each lane the sum of what its weights times the values are (``products.v``).

    Registers stand before and behind each multiplier, as they do in the lanes that multiply in logic.

    Parameters
    ----------
    lanes
        How many sums.
    weight_bits, value_bits, sum_bits
        Widths; of a weight, signed, and of a value 8 at most, of a sum 16.
    lanes_each
        How many share a multiplier.

    Members
    -------
    weights : In(lanes * weight_bits)
    value : In(value_bits)
        Multiply them.
    digit : In(1)
        The product of the cycle before is added in the next one.
    clear : In(1)
        The sums become 0.
    sums : Out(lanes * sum_bits)
    """

    weights: Signal
    value: Signal
    digit: Signal
    clear: Signal
    sums: Signal

    def __init__(self, lanes: int, *, weight_bits: int, value_bits: int, sum_bits: int, lanes_each: int = 2) -> None:
        self._lanes = lanes
        self._weight_bits = weight_bits
        self._sum_bits = sum_bits
        self._lanes_each = lanes_each
        super().__init__(
            {
                "weights": In(lanes * weight_bits),
                "value": In(value_bits),
                "digit": In(1),
                "clear": In(1),
                "sums": Out(lanes * sum_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        adds = Signal()
        m.d.sync += adds.eq(self.digit)
        for first in range(0, self._lanes, 2):
            given, sums = self.weights[first * self._weight_bits :], Signal(2 * self._sum_bits, name=f"sums{first}")
            alone = first + 1 == self._lanes
            m.submodules[f"pair{first}"] = Instance(
                "snnc_multiply_pair",
                p_WEIGHT_BITS=self._weight_bits,
                p_VALUE_BITS=len(self.value),
                p_SUM_BITS=self._sum_bits,
                p_LANES_EACH=self._lanes_each,
                i_clk=ClockSignal(),
                i_weight_a=given[: self._weight_bits],
                i_weight_b=Const(0, self._weight_bits) if alone else given.word_select(1, self._weight_bits),
                i_value=self.value,
                i_adds=adds,
                i_clear=self.clear,
                o_sum_a=sums[: self._sum_bits],
                o_sum_b=sums[self._sum_bits :],
            )
            found = self.sums[first * self._sum_bits :]
            m.d.comb += found[: (1 if alone else 2) * self._sum_bits].eq(sums)
        return m
