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
        The buffer is in use.
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
        whole = ~escaped & ~broken & (checksum.value == RESIDUE) & (self.length + OVERHEAD == count)
        begun = escaped | broken | (count != 0)
        m.d.comb += [self.byte.eq(content), self.position.eq(count), checksum.data.eq(content)]
        with m.If(self.valid):
            with m.If(self.data == END):
                m.d.comb += [self.frame.eq(whole), self.damaged.eq(begun & ~whole), checksum.clear.eq(1)]
                m.d.sync += [count.eq(0), escaped.eq(0), broken.eq(0)]
            with m.Elif(self.hold | (count == FRAME_BYTES)):
                m.d.sync += broken.eq(1)
            with m.Elif(~escaped & (self.data == ESCAPE)):
                m.d.sync += escaped.eq(1)
            with m.Else():
                m.d.comb += [self.write.eq(1), checksum.start.eq(1)]
                m.d.sync += [count.eq(count + 1), escaped.eq(0)]
                with m.If(escaped & (self.data != ESCAPED_END) & (self.data != ESCAPED_ESCAPE)):
                    m.d.sync += broken.eq(1)
                with m.Switch(count):
                    for place, register in enumerate((self.kind, self.sequence, self.length)):
                        with m.Case(place):
                            m.d.sync += register.eq(content)
                    with m.Case(3):
                        m.d.sync += self.argument[:8].eq(content)
                    with m.Case(4):
                        m.d.sync += self.argument[8:].eq(content)
        return m
