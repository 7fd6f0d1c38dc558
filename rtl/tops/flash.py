"""Reads a core's load from the flash that a board configures itself from: ``docs/link.md``, "Weights from flash"."""

from dataclasses import dataclass

from amaranth.hdl import Array, Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import LOAD_BITS

__all__ = ["FlashReader", "Load"]

_WAKE, _READ = 0xAB, 0x03
"""Commands of every SPI flash: release from power-down, and read from an address of three bytes on."""

_WAKE_SECONDS = 50e-6
"""From the release until it listens: at most 30 us in the data sheets of W25Q, N25Q and AT25SF."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Where a load is: its first byte in the flash, and the CRC-32 of all its bytes."""

    offset: int
    crc: int


class FlashReader(wiring.Component):
    """Wakes the flash, and reads from it until the core takes no more words; then says whether they were right.

    It begins with its reset. A bit takes two cycles, a word 32. Bits change on the falling edge of `clock` and are
    taken before the next one (SPI's mode 0). Words are bytes in pairs, the lower one first.

    Parameters
    ----------
    load
        What is read.
    clock_hz
        Of everything here.

    Members
    -------
    select, clock, copi : Out(1); cipo : In(1)
        The flash's pins; `select` is low while it is meant.
    wanted : In(1)
        The core takes a word.
    word : Out(16)
    valid : Out(1)
        It is one; for one cycle, in which the core must take it.
    sum_clear, sum_start, sum_data : Out; sum_busy, sum_value : In
        A unit `uart.framing.Checksum`, nobody else's while `busy`.
    busy : Out(1)
    right : Out(1)
        All is read, and has the CRC that it should have.
    """

    select: Signal
    clock: Signal
    copi: Signal
    cipo: Signal
    wanted: Signal
    word: Signal
    valid: Signal
    sum_clear: Signal
    sum_start: Signal
    sum_data: Signal
    sum_busy: Signal
    sum_value: Signal
    busy: Signal
    right: Signal

    def __init__(self, load: Load, *, clock_hz: int) -> None:
        self._load = load
        self._pause = round(clock_hz * _WAKE_SECONDS)
        super().__init__(
            {
                "select": Out(1),
                "clock": Out(1),
                "copi": Out(1),
                "cipo": In(1),
                "wanted": In(1),
                "word": Out(LOAD_BITS),
                "valid": Out(1),
                "sum_clear": Out(1),
                "sum_start": Out(1),
                "sum_data": Out(8),
                "sum_busy": In(1),
                "sum_value": In(32),
                "busy": Out(1),
                "right": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sent = Array(Const(byte, 8) for byte in (_WAKE, _READ, *self._load.offset.to_bytes(3, "big"), 0, 0, 0))
        index, bit, shift = Signal(3), Signal(3), Signal(8)
        pause = Signal(range(self._pause + 1))
        byte_ends, odd, low = Signal(), Signal(), Signal(8)
        chosen = Signal()
        m.d.sync += [byte_ends.eq(0), self.valid.eq(0)]
        m.d.comb += [
            self.copi.eq(shift[-1]),
            self.select.eq(~chosen),
            self.busy.eq(1),
            self.sum_start.eq(byte_ends),
            self.sum_data.eq(shift),
        ]
        with m.If(byte_ends):
            m.d.sync += odd.eq(~odd)
            with m.If(odd):
                m.d.sync += [self.word.eq(Cat(low, shift)), self.valid.eq(1)]
            with m.Else():
                m.d.sync += low.eq(shift)
        with m.FSM():
            with m.State("BEGIN"):
                m.d.comb += self.sum_clear.eq(1)
                m.d.sync += [chosen.eq(1), shift.eq(sent[0])]
                m.next = "MOVE"
            with m.State("MOVE"):
                m.d.sync += self.clock.eq(~self.clock)
                with m.If(self.clock):
                    m.d.sync += [shift.eq(Cat(self.cipo, shift[:-1])), bit.eq(bit + 1)]
                    with m.If(bit == 7):
                        with m.If(index == 5):
                            m.d.sync += byte_ends.eq(1)
                        with m.Else():
                            m.d.sync += [index.eq(index + 1), shift.eq(sent[(index + 1)[:3]])]
                        with m.If(index == 0):
                            m.d.sync += [chosen.eq(0), pause.eq(self._pause)]
                            m.next = "PAUSE"
                with m.If(~self.wanted):
                    m.d.sync += [chosen.eq(0), self.clock.eq(0), byte_ends.eq(0)]
                    m.next = "CHECK"
            with m.State("PAUSE"):
                m.d.sync += pause.eq(pause - 1)
                with m.If(pause == 0):
                    m.d.sync += chosen.eq(1)
                    m.next = "MOVE"
            with m.State("CHECK"):
                wrong = Signal()
                m.d.comb += wrong.eq(self.sum_value != (self._load.crc ^ 0xFFFFFFFF))
                with m.If(~self.sum_busy):
                    m.d.comb += self.sum_clear.eq(1)
                    m.d.sync += self.right.eq(~wrong)
                    m.next = "DONE"
            with m.State("DONE"):
                m.d.comb += self.busy.eq(0)
        return m
