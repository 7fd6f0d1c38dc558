"""A core behind an SPI slave, for a design with a microcontroller beside it: the frames of ``docs/link.md``."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Member, Out

from snnc.compiler.link.frames import END
from snnc.rtl.tops.uart.control import Control
from snnc.rtl.tops.uart.framing import Unframer
from snnc.rtl.tops.uart.top import UartTop

__all__ = ["SpiSlave", "SpiTop"]


class SpiSlave(wiring.Component):
    """Bytes through four wires, in SPI's mode 0, the highest bit first; at most one bit in ten cycles.

    Where there is nothing to send, `END` is. A byte that a master gives up in its middle is none, and is sent again
    from its first bit.

    Members
    -------
    select, sclk, copi : In(1); cipo : Out(1)
        Asynchronous; `select` is low while the slave is meant.
    data, valid : Out
        A byte has come; for one cycle.
    i : In(stream of bytes)
    """

    select: Signal
    sclk: Signal
    copi: Signal
    cipo: Signal
    data: Signal
    valid: Signal
    i: stream.Interface

    def __init__(self) -> None:
        super().__init__(
            {
                "select": In(1),
                "sclk": In(1),
                "copi": In(1),
                "cipo": Out(1),
                "data": Out(8),
                "valid": Out(1),
                "i": In(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        select, clock, data = Signal(2, init=3), Signal(3), Signal(2)
        m.d.sync += [
            select.eq(Cat(self.select, select[:-1])),
            clock.eq(Cat(self.sclk, clock[:-1])),
            data.eq(Cat(self.copi, data[:-1])),
        ]
        idle, rises, falls = select[-1], clock[1] & ~clock[2], ~clock[1] & clock[2]
        # The next byte waits while one is sent, since it takes its time to come.
        waiting, fresh, current, sending = Signal(8), Signal(), Signal(8), Signal()
        bit = Signal(3)
        moves = Signal()
        m.d.comb += [
            self.i.ready.eq(~fresh),
            self.cipo.eq(Array(Mux(sending, current, Const(END, 8)))[~bit]),
        ]
        with m.If(self.i.valid & ~fresh):
            m.d.sync += [waiting.eq(self.i.payload), fresh.eq(1)]
        m.d.sync += self.valid.eq(0)
        with m.If(idle):
            m.d.sync += bit.eq(0)
            m.d.comb += moves.eq(~sending)
        with m.Else():
            with m.If(rises):
                m.d.sync += [self.data.eq(Cat(data[-1], self.data[:-1])), self.valid.eq(bit == 7)]
            with m.If(falls):
                m.d.sync += bit.eq(bit + 1)
                m.d.comb += moves.eq(bit == 7)
        with m.If(moves):
            m.d.sync += sending.eq(fresh)
            with m.If(fresh):
                m.d.sync += [current.eq(waiting), fresh.eq(0)]
        return m


class SpiTop(UartTop):
    """The serial line's top with an SPI slave in the line's place.

    Members
    -------
    select, sclk, copi : In(1); cipo : Out(1)
    """

    select: Signal
    sclk: Signal
    copi: Signal
    cipo: Signal

    def _line_ports(self) -> dict[str, Member]:
        return {"select": In(1), "sclk": In(1), "copi": In(1), "cipo": Out(1)}

    def _add_line(self, m: Module, unframer: Unframer, control: Control) -> None:
        m.submodules.slave = slave = SpiSlave()
        wiring.connect(m, control.o, slave.i)
        m.d.comb += [
            slave.select.eq(self.select),
            slave.sclk.eq(self.sclk),
            slave.copi.eq(self.copi),
            self.cipo.eq(slave.cipo),
            unframer.data.eq(slave.data),
            unframer.valid.eq(slave.valid),
        ]
