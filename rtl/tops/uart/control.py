"""Does what frames ask for, once each, and answers: ``docs/link.md``."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.link.frames import ANSWER, END, ESCAPE, ESCAPED_END, ESCAPED_ESCAPE, Kind
from snnc.compiler.link.identity import IDENTITY_BYTES, Identity, Weights
from snnc.rtl.tops.uart.places import HEAD_BYTES, HEADER_BYTES, Places

__all__ = ["COUNTERS", "Control"]

COUNTERS = ("damaged", "repeated", "refused", "line")
"""What is counted, in the order of the answer, each up to 255."""

_NONCE_BYTES = 4
_SUM_BYTES = 4
_LOGITS_MOST = 48
"""Bytes of logits in one answer, whole ones."""


class Control(wiring.Component):
    """Between a buffer with a frame and the core.

    An answer is sent in four phases: its head, two pieces of the buffer, and the CRC. Everything that decides is in
    registers, since a byte on the line leaves many cycles for it.

    Parameters
    ----------
    identity
        What `Kind.HELLO` is answered with; it is in the buffer.
    places
        Where everything in the buffer is.
    loads
        Whether the core is loaded from flash.

    Members
    -------
    frame : In(1)
        There is a whole frame in the buffer; for one cycle.
    kind, sequence, length, argument : In
        Of it, as `framing.Unframer` gives them.
    busy : Out(1)
        The buffer's frame, and the unit of the CRC, are in use.
    sum_clear, sum_start, sum_data : Out
    sum_busy, sum_value : In
        That unit, `framing.Checksum`.
    address, data : Out, In
        The buffer's byte at the address of the cycle before.
    damaged, line_error : In(1)
        What is counted beside.
    restart : Out(1)
        Reset the core; for one cycle.
    unloaded : In(1)
        The core waits for its load, or had a wrong one.
    loading : In(1)
        It is being loaded from flash, from the cycle after `restart` on.
    beat, load : Out(stream)
        Words for the core's ports, in whole bytes.
    ready : In(1)
        Results of a sample are in the buffer.
    o : Out(stream of bytes)
        For the line.
    """

    frame: Signal
    kind: Signal
    sequence: Signal
    length: Signal
    argument: Signal
    busy: Signal
    sum_clear: Signal
    sum_start: Signal
    sum_data: Signal
    sum_busy: Signal
    sum_value: Signal
    address: Signal
    data: Signal
    damaged: Signal
    line_error: Signal
    restart: Signal
    unloaded: Signal
    loading: Signal
    beat: stream.Interface
    load: stream.Interface
    ready: Signal
    o: stream.Interface

    def __init__(self, identity: Identity, places: Places, *, loads: bool = False) -> None:
        self._loads = loads
        self._identity = identity
        self._places = places
        self._counted = {name: Signal(8, name=name) for name in COUNTERS}
        byte, bit = stream.Signature(8), 1
        super().__init__(
            {
                "frame": In(bit),
                "kind": In(8),
                "sequence": In(8),
                "length": In(8),
                "argument": In(16),
                "busy": Out(bit),
                "sum_clear": Out(bit),
                "sum_start": Out(bit),
                "sum_data": Out(8),
                "sum_busy": In(bit),
                "sum_value": In(32),
                "address": Out(places.address_bits),
                "data": In(8),
                "damaged": In(bit),
                "line_error": In(bit),
                "restart": Out(bit),
                "unloaded": In(bit),
                "loading": In(bit),
                "beat": Out(stream.Signature(8 * identity.beat_bytes)),
                "load": Out(stream.Signature(8 * max(identity.load_bytes, 1))),
                "ready": In(bit),
                "o": Out(byte),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        open_, last, answer = Signal(), Signal(8), Signal(8)
        repeats, follows, greets = Signal(), Signal(), Signal()
        known, sizes = Signal(), Signal()
        address, left = Signal(self._places.address_bits), Signal(8)
        m.d.comb += [self.address.eq(address), self.busy.eq(1)]
        # Of a frame that lies in the buffer for many cycles, and of the number before it.
        m.d.sync += [
            repeats.eq(open_ & (self.sequence == last)),
            follows.eq(open_ & (self.sequence == (last + 1)[:8])),
            greets.eq((self.kind == Kind.HELLO) & (self.length == _NONCE_BYTES)),
            known.eq(0),
            sizes.eq(0),
        ]
        with m.Switch(self.kind):
            with m.Case(Kind.ECHO, Kind.COUNTERS):
                m.d.sync += known.eq(1)
            with m.Case(Kind.RESULT):
                m.d.sync += known.eq(self.length == 2)
            with m.Case(Kind.BEATS):
                m.d.sync += [known.eq(~self.unloaded), sizes.eq(self.length != 0)]
            with m.Case(Kind.LOAD):
                m.d.sync += [known.eq(1 if self._identity.load_bytes else 0), sizes.eq(self.length != 0)]

        refused = Signal()
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.busy.eq(0)
                m.d.sync += [
                    address.eq(HEAD_BYTES),
                    left.eq(self.length),
                    answer.eq(self.kind | ANSWER),
                ]
                with m.If(self.frame):
                    m.next = "SIZE"
                    with m.If(greets):
                        m.next = "LOADING"
                        m.d.comb += self.restart.eq(1)
                        m.d.sync += [open_.eq(1), last.eq(self.sequence)]
                    with m.Elif(known & follows):
                        m.d.sync += last.eq(self.sequence)
                        with m.If(sizes):
                            m.next = "READ"
                    with m.Elif(~(known & repeats)):
                        m.d.comb += refused.eq(1)
                        m.d.sync += answer.eq(Kind.REFUSED | ANSWER)
            with m.State("LOADING"):
                with m.If(~self.loading):
                    m.next = "SIZE"
            self._feed(m, address, left)
            self._answer(m, answer, address, left)
        self._count(m, repeats & self.frame, refused)
        return m

    def _feed(self, m: Module, address: Signal, left: Signal) -> None:
        """States that hand the payload's words to the core."""
        identity = self._identity
        # Bytes come in from the top, so that a shorter word is in the top of the register.
        word = Signal(8 * max(identity.beat_bytes, identity.load_bytes), reset_less=True)
        part = Signal(range(max(len(word) // 8, 2)))
        is_load, whole = Signal(), Signal()
        m.d.sync += is_load.eq(self.kind == Kind.LOAD)
        m.d.comb += [
            self.beat.payload.eq(word[-8 * identity.beat_bytes :]),
            self.load.payload.eq(word[-8 * max(identity.load_bytes, 1) :]),
            whole.eq(part == Mux(is_load, max(identity.load_bytes, 1), identity.beat_bytes) - 1),
        ]
        with m.State("READ"):
            m.next = "TAKE"
        with m.State("TAKE"):
            m.d.sync += [word.eq(Cat(word[8:], self.data)), address.eq(address + 1), left.eq(left - 1)]
            m.d.sync += part.eq(Mux(whole | (left == 1), 0, part + 1))
            m.next = "READ"
            with m.If(whole):
                m.next = "GIVE"
            with m.Elif(left == 1):  # half a word is none
                m.next = "SIZE"
        with m.State("GIVE"):
            m.d.comb += [self.beat.valid.eq(~is_load), self.load.valid.eq(is_load)]
            # A core that is loaded takes no further words.
            with m.If(Mux(is_load, self.load.ready | ~self.unloaded, self.beat.ready)):
                m.next = "READ"
                with m.If(left == 0):
                    m.next = "SIZE"

    def _answer(self, m: Module, answer: Signal, address: Signal, left: Signal) -> None:
        """States that send an answer: a byte is fetched, sent, escaped where it must be, and goes through the CRC."""
        places = self._places
        wanted = self._identity.classes * self._identity.logit_bytes
        most = _LOGITS_MOST // self._identity.logit_bytes * self._identity.logit_bytes
        rest, logits = Signal(range(wanted + 1)), Signal(range(most + 1))
        m.d.sync += [
            rest.eq(Mux(self.argument < wanted, wanted - self.argument, 0)),
            logits.eq(Mux(rest < most, rest, most)),
        ]
        phase, index = Signal(2), Signal(2)
        payload, ready = Signal(8), Signal()
        first_bytes, second_bytes = Signal(8), Signal(8)
        first, second = Signal.like(address), Signal.like(address)
        byte, special = Signal(8, reset_less=True), Signal(reset_less=True)
        with m.State("SIZE"):
            m.d.sync += [phase.eq(0), index.eq(0), left.eq(HEAD_BYTES), ready.eq(self.ready)]
            m.d.sync += [payload.eq(0), first_bytes.eq(0), second_bytes.eq(0), first.eq(HEAD_BYTES)]
            with m.Switch(answer):
                with m.Case(Kind.HELLO | ANSWER):
                    m.d.sync += [payload.eq(_NONCE_BYTES + IDENTITY_BYTES), first_bytes.eq(_NONCE_BYTES)]
                    m.d.sync += [second.eq(places.identity), second_bytes.eq(IDENTITY_BYTES)]
                with m.Case(Kind.ECHO | ANSWER):
                    m.d.sync += [payload.eq(self.length), first_bytes.eq(self.length)]
                with m.Case(Kind.COUNTERS | ANSWER):
                    m.d.sync += [payload.eq(len(COUNTERS)), first_bytes.eq(len(COUNTERS))]
                with m.Case(Kind.RESULT | ANSWER):
                    given = Mux(self.ready, logits, 0)
                    m.d.sync += [payload.eq(1 + HEADER_BYTES + given), left.eq(HEAD_BYTES + 1)]
                    m.d.sync += [first.eq(places.results), first_bytes.eq(HEADER_BYTES)]
                    m.d.sync += [second.eq(places.logits + self.argument), second_bytes.eq(given)]
            m.next = "NEXT"
        with m.State("NEXT"):
            m.next = "FETCH"
            with m.If(left == 0):
                m.d.sync += phase.eq(phase + 1)
                m.next = "NEXT"
                with m.Switch(phase):
                    with m.Case(0):
                        m.d.sync += [left.eq(first_bytes), address.eq(first)]
                    with m.Case(1):
                        m.d.sync += [left.eq(second_bytes), address.eq(second)]
                    with m.Case(2):
                        m.d.sync += left.eq(_SUM_BYTES)
                    with m.Case(3):
                        m.next = "END"
        with m.State("FETCH"):
            m.next = "CHOOSE"
        with m.State("CHOOSE"):
            head = Array([answer, self.sequence, payload, ready])
            counted = Signal()
            m.d.comb += counted.eq(answer == Kind.COUNTERS | ANSWER)
            with m.Switch(phase):
                with m.Case(0):
                    m.d.sync += byte.eq(head[index])
                with m.Case(3):
                    m.d.sync += byte.eq(~self.sum_value[:8])
                if self._loads:
                    with m.Case(2):
                        found = Mux(self.unloaded, Weights.WRONG, Weights.FLASH)
                        m.d.sync += byte.eq(Mux((answer == Kind.HELLO | ANSWER) & (left == 1), found, self.data))
                with m.Default():
                    m.d.sync += byte.eq(Mux(counted, self._counters.word_select(index, 8), self.data))
            m.next = "ESCAPE"
        with m.State("ESCAPE"):
            m.d.sync += special.eq((byte == END) | (byte == ESCAPE))
            m.next = "SEND"
        with m.State("SEND"):
            m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(Mux(special, ESCAPE, byte))]
            with m.If(self.o.ready):
                m.next = "SUM"
                with m.If(special):
                    m.next = "ESCAPED"
        with m.State("ESCAPED"):
            m.d.comb += self.o.valid.eq(1)
            m.d.comb += self.o.payload.eq(Mux(byte == END, ESCAPED_END, ESCAPED_ESCAPE))
            with m.If(self.o.ready):
                m.next = "SUM"
        with m.State("SUM"):
            # A CRC's own lowest byte shifts the next one to its place.
            m.d.comb += [self.sum_start.eq(1), self.sum_data.eq(Mux(phase == 3, self.sum_value[:8], byte))]
            m.d.sync += [left.eq(left - 1), address.eq(address + 1), index.eq(index + 1)]
            with m.If((phase == 0) & (left == 1)):
                m.d.sync += index.eq(0)
            m.next = "WAIT"
        with m.State("WAIT"):
            with m.If(~self.sum_busy):
                m.next = "NEXT"
        with m.State("END"):
            m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(END)]
            with m.If(self.o.ready):
                m.d.comb += self.sum_clear.eq(1)
                m.next = "IDLE"

    @property
    def _counters(self) -> Value:
        return Cat(*self._counted.values())

    def _count(self, m: Module, repeated: Value, refused: Value) -> None:
        for name, event in zip(COUNTERS, (self.damaged, repeated, refused, self.line_error), strict=True):
            counter = self._counted[name]
            with m.If(event & ~counter.all()):
                m.d.sync += counter.eq(counter + 1)
