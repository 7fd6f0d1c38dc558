"""A narrow shell, so that a core can be placed and routed on a real package."""

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, ShapeLike, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import LOAD_BITS, Plan
from snnc.rtl.beats import input_beat, result_beat
from snnc.rtl.tops import SHELL_HOLD
from snnc.rtl.tops.startup import hold_in_reset

__all__ = ["SerialShell"]

_BIT = stream.Signature(1)


class _Widen(wiring.Component):
    """Collects a payload from single bits, lowest first."""

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: ShapeLike) -> None:
        super().__init__({"i": In(_BIT), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = len(Value.cast(self.o.payload))
        # A one walks through the register: when it falls out at the bottom, the payload is complete.
        shift = Signal(width + 1, init=1 << width)
        full = shift[0]
        m.d.comb += [self.i.ready.eq(~full), self.o.valid.eq(full), Value.cast(self.o.payload).eq(shift[1:])]
        with m.If(full & self.o.ready):
            m.d.sync += shift.eq(1 << width)
        with m.Elif(~full & self.i.valid):
            m.d.sync += shift.eq((shift >> 1) | (self.i.payload << width))
        return m


class _Narrow(wiring.Component):
    """Hands out a payload as single bits, lowest first."""

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: ShapeLike) -> None:
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(_BIT)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = len(Value.cast(self.i.payload))
        shift = Signal(width, reset_less=True)
        left = Signal(range(width + 1))
        m.d.comb += [self.i.ready.eq(left == 0), self.o.valid.eq(left != 0), self.o.payload.eq(shift[0])]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [shift.eq(Value.cast(self.i.payload)), left.eq(width)]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += [shift.eq(shift >> 1), left.eq(left - 1)]
        return m


class SerialShell(wiring.Component):
    """A core behind one bit in and one bit out, each with `valid` and `ready`; lowest bit of a beat first.

    A core that is loaded at start-up takes its load words through the same pins: both kinds of beats are then as long
    as the longer one, the other's high bits are ignored, and the first ``plan.load_words`` beats after a reset are the
    load. The core is ready for just one of the two at a time.

    Parameters
    ----------
    plan
        What the core was made from.
    core
        Name of the core's Verilog module.

    The core is held in reset for `SHELL_HOLD` cycles after configuration and after each reset; nothing is taken
    meanwhile.

    Members
    -------
    clk, rst : In(1)
    i : In(stream of bits of input beats)
    o : Out(stream of bits of result beats)
    """

    clk: Signal
    rst: Signal
    i: stream.Interface
    o: stream.Interface

    def __init__(self, plan: Plan, core: str) -> None:
        self._plan = plan
        self._core = core
        super().__init__({"clk": In(1), "rst": In(1), "i": In(_BIT), "o": Out(_BIT)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        hold_in_reset(m, clock=self.clk, reset=self.rst, cycles=SHELL_HOLD)
        layout = input_beat(self._plan.input)
        beat_bits = max(layout.size, LOAD_BITS) if self._plan.loaded else layout.size
        m.submodules.widen = widen = _Widen(beat_bits)
        input_ready, load_ready = Signal(), Signal()
        m.d.comb += widen.o.ready.eq(input_ready | load_ready)
        load = {}
        if self._plan.loaded:
            load = {
                "i_load__payload": widen.o.payload[:LOAD_BITS],
                "i_load__valid": widen.o.valid,
                "o_load__ready": load_ready,
            }
        m.submodules.narrow = narrow = _Narrow(result_beat(self._plan.readout))
        # By name: what is placed and routed is the very Verilog that was verified.
        m.submodules.core = Instance(
            self._core,
            i_clk=ClockSignal(),
            i_rst=ResetSignal(),
            i_i__payload=widen.o.payload[: layout.size],
            i_i__valid=widen.o.valid,
            o_i__ready=input_ready,
            o_o__payload=narrow.i.payload,
            o_o__valid=narrow.i.valid,
            i_o__ready=narrow.i.ready,
            **load,
        )
        m.d.comb += [
            widen.i.payload.eq(self.i.payload),
            widen.i.valid.eq(self.i.valid),
            self.i.ready.eq(widen.i.ready & ~ResetSignal()),  # a bit that is taken in reset is lost
        ]
        wiring.connect(m, narrow.o, wiring.flipped(self.o))
        return m
