"""Holds a design in reset after configuration, until everything that it reads is what it should be."""

from amaranth.hdl import ClockDomain, ClockSignal, Module, ResetSignal, Signal, Value

__all__ = ["hold_in_reset"]


def hold_in_reset(m: Module, *, clock: Value, reset: Value, cycles: int, asynchronous: bool = False) -> None:
    """Make the domain ``sync`` of `m`, in reset for so many cycles of its clock after configuration and `reset`.

    The counter starts from the value that the bitstream gives it, and counts clock edges: a clock that starts late, or
    stops and goes on, gives no fewer of them. While `reset` is high, as before a PLL has locked, it starts again. One
    that is `asynchronous` to the clock passes two registers first, which are high from the start.
    """
    m.domains += [ClockDomain("startup", reset_less=True), ClockDomain("sync")]
    if asynchronous:
        early, late = Signal(init=1), Signal(init=1)
        m.d.startup += [early.eq(reset), late.eq(early)]
        reset = late
    left = Signal(range(cycles + 1), init=cycles)
    held = Signal(init=1)
    m.d.comb += [ClockSignal("startup").eq(clock), ClockSignal().eq(clock), ResetSignal().eq(held)]
    m.d.startup += held.eq(reset | (left != 0))
    with m.If(reset):
        m.d.startup += left.eq(cycles)
    with m.Elif(left != 0):
        m.d.startup += left.eq(left - 1)
