"""Frames in a stream of bytes: ``docs/link.md``, "Frames"."""

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.link.frames import (
    END,
    ESCAPE,
    ESCAPED_END,
    ESCAPED_ESCAPE,
    FRAME_BYTES,
    OVERHEAD,
    RESIDUE,
)

__all__ = ["Checksum", "Unframer"]

_POLYNOMIAL = 0xEDB88320


class Checksum(wiring.Component):
    """CRC-32 of bytes (that of Ethernet and zlib), one bit a cycle.

    Members
    -------
    clear : In(1)
        Begin again.
    data : In(8)
    start : In(1)
        Take `data`; not while `busy`.
    busy : Out(1)
        For the eight cycles after it.
    value : Out(32)
        The register, not inverted.
    """

    clear: Signal
    data: Signal
    start: Signal
    busy: Signal
    value: Signal

    def __init__(self) -> None:
        super().__init__({"clear": In(1), "data": In(8), "start": In(1), "busy": Out(1), "value": Out(32)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        value = Signal(32, init=-1)
        shift = Signal(8, reset_less=True)
        left = Signal(range(9))
        m.d.comb += [self.busy.eq(left != 0), self.value.eq(value)]
        with m.If(self.clear):
            m.d.sync += [value.eq(-1), left.eq(0)]
        with m.Elif(self.start):
            m.d.sync += [shift.eq(self.data), left.eq(8)]
        with m.Elif(self.busy):
            feedback = Mux(value[0] ^ shift[0], _POLYNOMIAL, 0)
            m.d.sync += [value.eq((value >> 1) ^ feedback), shift.eq(shift >> 1), left.eq(left - 1)]
        return m


class Unframer(wiring.Component):
    """Finds frames, and hands their bytes to a buffer as they come.

    Bytes must be at least ten cycles apart. While `hold` is high, what arrives is lost, and the frame that it belonged
    to is damaged.

    Members
    -------
    data, valid : In(8), In(1)
        A byte of the line.
    hold : In(1)
        The buffer is in use, and so is the unit of the CRC, through the following.
    sum_clear, sum_start, sum_data : In
    sum_busy, sum_value : Out
        `Checksum`'s.
    byte, position, write : Out
        A byte of a frame and its place in it.
    kind, sequence, length, argument : Out
        Of the newest frame; ``argument`` is the first two bytes of its payload.
    frame : Out(1)
        It is whole; for one cycle.
    damaged : Out(1)
        It is not; for one cycle.
    """

    data: Signal
    valid: Signal
    hold: Signal
    sum_clear: Signal
    sum_start: Signal
    sum_data: Signal
    sum_busy: Signal
    sum_value: Signal
    byte: Signal
    position: Signal
    write: Signal
    kind: Signal
    sequence: Signal
    length: Signal
    argument: Signal
    frame: Signal
    damaged: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "data": In(8),
                "valid": In(1),
                "hold": In(1),
                "sum_clear": In(1),
                "sum_start": In(1),
                "sum_data": In(8),
                "sum_busy": Out(1),
                "sum_value": Out(32),
                "byte": Out(8),
                "position": Out(range(FRAME_BYTES)),
                "write": Out(1),
                "kind": Out(8),
                "sequence": Out(8),
                "length": Out(8),
                "argument": Out(16),
                "frame": Out(1),
                "damaged": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.checksum = checksum = Checksum()
        count = Signal(range(FRAME_BYTES + 1))
        escaped, broken = Signal(), Signal()
        content = Mux(escaped, Mux(self.data == ESCAPED_END, Const(END, 8), Const(ESCAPE, 8)), self.data)
        right, fits, closed, begun = Signal(), Signal(), Signal(), Signal()
        whole = ~escaped & ~broken & right & fits
        # These stand for many cycles before the byte that asks for them.
        m.d.sync += [
            right.eq(checksum.value == RESIDUE),
            fits.eq(self.length + OVERHEAD == count),
            closed.eq(self.hold | (count == FRAME_BYTES)),
            self.frame.eq(0),
            self.damaged.eq(0),
            self.write.eq(0),
            self.byte.eq(content),
            self.position.eq(count),
        ]
        m.d.comb += [
            begun.eq(escaped | broken | (count != 0)),
            checksum.data.eq(Mux(self.hold, self.sum_data, content)),
            self.sum_busy.eq(checksum.busy),
            self.sum_value.eq(checksum.value),
        ]
        with m.If(self.hold):
            m.d.comb += [checksum.clear.eq(self.sum_clear), checksum.start.eq(self.sum_start)]
        with m.If(self.valid):
            with m.If(self.data == END):
                m.d.sync += [self.frame.eq(begun & whole), self.damaged.eq(begun & ~whole)]
                m.d.sync += [count.eq(0), escaped.eq(0), broken.eq(0)]
                with m.If(~self.hold):
                    m.d.comb += checksum.clear.eq(1)
            with m.Elif(closed):
                m.d.sync += broken.eq(1)
            with m.Elif(~escaped & (self.data == ESCAPE)):
                m.d.sync += escaped.eq(1)
            with m.Else():
                m.d.comb += checksum.start.eq(1)
                m.d.sync += [self.write.eq(1), count.eq(count + 1), escaped.eq(0)]
                with m.If(escaped & (self.data != ESCAPED_END) & (self.data != ESCAPED_ESCAPE)):
                    m.d.sync += broken.eq(1)
        with m.If(self.write):
            fields = (self.kind, self.sequence, self.length, self.argument[:8], self.argument[8:])
            with m.Switch(self.position):
                for place, register in enumerate(fields):
                    with m.Case(place):
                        m.d.sync += register.eq(self.byte)
        return m
