"""Does what frames ask for, once each, and answers: ``docs/link.md``."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.link.frames import ANSWER, END, ESCAPE, ESCAPED_END, ESCAPED_ESCAPE, PAYLOAD_BYTES, Kind
from snnc.compiler.link.identity import Identity
from snnc.rtl.tops.uart.framing import Checksum

__all__ = ["COUNTERS", "Control"]

COUNTERS = ("damaged", "repeated", "refused", "line")
"""What is counted, in the order of the answer, each up to 255."""

_NONCE_BYTES = 4
_HEAD_BYTES = 3
_RESULT_BYTES = 7
_LOGITS_MOST = 48
"""Bytes of logits in one answer, whole ones."""


class Control(wiring.Component):
    """Between a buffer with a frame and the core.

    Parameters
    ----------
    identity
        What `Kind.HELLO` is answered with.
    logits_at
        Where in the buffer the results are.

    Members
    -------
    frame : In(1)
        There is a whole frame in the buffer; for one cycle.
    kind, sequence, length, argument : In
        Of it, as `framing.Unframer` gives them.
    busy : Out(1)
        The buffer's frame is in use.
    address, data : Out, In
        The buffer's byte at the address of the cycle before.
    damaged, line_error : In(1)
        What is counted beside.
    restart : Out(1)
        Reset the core; for one cycle.
    unloaded : In(1)
        The core waits for its load.
    beat, load : Out(stream)
        Words for the core's ports, in whole bytes.
    ready, best, cycles : In
        Of the results, as `results.Results` gives them.
    o : Out(stream of bytes)
        For the line.
    """

    frame: Signal
    kind: Signal
    sequence: Signal
    length: Signal
    argument: Signal
    busy: Signal
    address: Signal
    data: Signal
    damaged: Signal
    line_error: Signal
    restart: Signal
    unloaded: Signal
    beat: stream.Interface
    load: stream.Interface
    ready: Signal
    best: Signal
    cycles: Signal
    o: stream.Interface

    def __init__(self, identity: Identity, *, logits_at: int, address_bits: int) -> None:
        self._identity = identity
        self._logits_at = logits_at
        self._counted: dict[str, Signal] = {}
        byte, bit = stream.Signature(8), 1
        super().__init__(
            {
                "frame": In(bit),
                "kind": In(8),
                "sequence": In(8),
                "length": In(8),
                "argument": In(16),
                "busy": Out(bit),
                "address": Out(address_bits),
                "data": In(8),
                "damaged": In(bit),
                "line_error": In(bit),
                "restart": Out(bit),
                "unloaded": In(bit),
                "beat": Out(stream.Signature(8 * identity.beat_bytes)),
                "load": Out(stream.Signature(8 * max(identity.load_bytes, 1))),
                "ready": In(bit),
                "best": In(16),
                "cycles": In(32),
                "o": Out(byte),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        open_, last, answer = Signal(), Signal(8), Signal(8)
        repeats, follows = Signal(), Signal()
        known, sizes, refused = Signal(), Signal(), Signal()
        for name in COUNTERS:
            self._counted[name] = Signal(8, name=name)
        m.d.comb += [
            repeats.eq(open_ & (self.sequence == last)),
            follows.eq(open_ & (self.sequence == (last + 1)[:8])),
        ]
        with m.Switch(self.kind):
            with m.Case(Kind.ECHO, Kind.COUNTERS):
                m.d.comb += [known.eq(1)]
            with m.Case(Kind.RESULT):
                m.d.comb += known.eq(self.length == 2)
            with m.Case(Kind.BEATS):
                m.d.comb += [known.eq(~self.unloaded), sizes.eq(1)]
            with m.Case(Kind.LOAD):
                m.d.comb += [known.eq(1 if self._identity.load_bytes else 0), sizes.eq(1)]

        position = Signal(range(PAYLOAD_BYTES + 1))
        sent = Signal(8)
        identity = self._identity
        word = Signal(8 * max(identity.beat_bytes, identity.load_bytes), reset_less=True)
        m.d.comb += [self.beat.payload.eq(word), self.load.payload.eq(word)]
        m.submodules.checksum = checksum = Checksum()
        payload, body = self._payload(m, answer, (sent - _HEAD_BYTES)[:8])
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [position.eq(0), sent.eq(0), answer.eq(self.kind | ANSWER)]
                with m.If(self.frame):
                    with m.If((self.kind == Kind.HELLO) & (self.length == _NONCE_BYTES)):
                        m.d.comb += self.restart.eq(1)
                        m.d.sync += [open_.eq(1), last.eq(self.sequence)]
                        m.next = "FETCH"
                    with m.Elif(known & repeats):
                        m.next = "FETCH"
                    with m.Elif(known & follows):
                        m.d.sync += last.eq(self.sequence)
                        m.next = "FETCH"
                        with m.If(sizes & (self.length != 0)):
                            m.next = "READ"
                    with m.Else():
                        m.d.comb += refused.eq(1)
                        m.d.sync += answer.eq(Kind.REFUSED | ANSWER)
                        m.next = "FETCH"
            self._feed(m, position, word)
            self._answer(m, answer, sent, payload, body, checksum)
        self._count(m, repeats & self.frame, refused)
        return m

    def _feed(self, m: Module, position: Signal, word: Signal) -> None:
        """States that hand the payload's words to the core."""
        identity = self._identity
        part = Signal(range(len(word) // 8))
        size = Mux(self.kind == Kind.LOAD, max(identity.load_bytes, 1), identity.beat_bytes)
        with m.State("READ"):
            m.d.comb += [self.busy.eq(1), self.address.eq(position + _HEAD_BYTES)]
            m.next = "TAKE"
        with m.State("TAKE"):
            m.d.comb += self.busy.eq(1)
            m.d.sync += [word.word_select(part, 8).eq(self.data), position.eq(position + 1), part.eq(part + 1)]
            m.next = "READ"
            with m.If(part == size - 1):
                m.d.sync += part.eq(0)
                m.next = "GIVE"
            with m.Elif(position == self.length - 1):  # half a word is none
                m.d.sync += part.eq(0)
                m.next = "FETCH"
        with m.State("GIVE"):
            is_load = self.kind == Kind.LOAD
            m.d.comb += [self.busy.eq(1), self.beat.valid.eq(~is_load), self.load.valid.eq(is_load)]
            # A core that is loaded takes no further words.
            with m.If(Mux(is_load, self.load.ready | ~self.unloaded, self.beat.ready)):
                m.next = "READ"
                with m.If(position == self.length):
                    m.next = "FETCH"

    def _payload(self, m: Module, answer: Signal, place: Value) -> tuple[Signal, Signal]:
        """Bytes of the answer's payload, and the one at `place`; the buffer's is there."""
        payload, logits, body = Signal(8), Signal(8), Signal(8)
        wanted = self._identity.classes * self._identity.logit_bytes
        left = Signal(range(wanted + 1))
        most = _LOGITS_MOST // self._identity.logit_bytes * self._identity.logit_bytes
        m.d.comb += [
            left.eq(Mux(self.argument < wanted, wanted - self.argument, 0)),
            logits.eq(Mux(~self.ready, 0, Mux(left < most, left, most))),
        ]
        own = Array(Const(value, 8) for value in self._identity.pack())
        result = Cat(self.ready, Const(0, 7), self.cycles, self.best)
        with m.Switch(answer):
            with m.Case(Kind.HELLO | ANSWER):
                m.d.comb += payload.eq(_NONCE_BYTES + len(self._identity.pack()))
                m.d.comb += body.eq(Mux(place < _NONCE_BYTES, self.data, own[(place - _NONCE_BYTES)[:6]]))
            with m.Case(Kind.ECHO | ANSWER):
                m.d.comb += [payload.eq(self.length), body.eq(self.data)]
            with m.Case(Kind.COUNTERS | ANSWER):
                m.d.comb += [payload.eq(len(COUNTERS)), body.eq(self._counters().word_select(place[:2], 8))]
            with m.Case(Kind.RESULT | ANSWER):
                m.d.comb += payload.eq(_RESULT_BYTES + logits)
                m.d.comb += body.eq(Mux(place < _RESULT_BYTES, result.word_select(place[:3], 8), self.data))
        return payload, body

    def _answer(
        self, m: Module, answer: Signal, sent: Signal, payload: Signal, body: Signal, checksum: Checksum
    ) -> None:
        """States that send an answer: a byte is fetched, sent, escaped where it must be, and goes through the CRC."""
        place = (sent - _HEAD_BYTES)[:8]
        byte, special = Signal(8, reset_less=True), Signal(reset_less=True)
        before_body, before_sum = sent < _HEAD_BYTES, sent < _HEAD_BYTES + payload
        end = sent == _HEAD_BYTES + payload + 4
        logit_at = self._logits_at + self.argument + place - _RESULT_BYTES
        with m.State("FETCH"):
            m.d.comb += [self.busy.eq(1)]
            m.d.comb += self.address.eq(Mux(answer == Kind.RESULT | ANSWER, logit_at, sent))
            m.next = "CHOOSE"
        with m.State("CHOOSE"):
            head = Array([answer, self.sequence, payload])
            tail = (~checksum.value).word_select((place - payload)[:2], 8)
            chosen = Signal(8)
            m.d.comb += [
                self.busy.eq(1),
                chosen.eq(Mux(before_body, head[sent[:2]], Mux(before_sum, body, tail))),
            ]
            m.d.sync += [byte.eq(chosen), special.eq((chosen == END) | (chosen == ESCAPE))]
            m.next = "SEND"
            with m.If(end):
                m.next = "END"
        with m.State("SEND"):
            m.d.comb += [self.busy.eq(1), self.o.valid.eq(1), self.o.payload.eq(Mux(special, ESCAPE, byte))]
            with m.If(self.o.ready):
                m.next = "SUM"
                with m.If(special):
                    m.next = "ESCAPED"
        with m.State("ESCAPED"):
            m.d.comb += [self.busy.eq(1), self.o.valid.eq(1)]
            m.d.comb += self.o.payload.eq(Mux(byte == END, ESCAPED_END, ESCAPED_ESCAPE))
            with m.If(self.o.ready):
                m.next = "SUM"
        with m.State("SUM"):
            # The CRC's own bytes do not go through it.
            m.d.comb += [self.busy.eq(1), checksum.data.eq(byte), checksum.start.eq(before_sum)]
            m.d.sync += sent.eq(sent + 1)
            m.next = "WAIT"
        with m.State("WAIT"):
            m.d.comb += self.busy.eq(1)
            with m.If(~checksum.busy):
                m.next = "FETCH"
        with m.State("END"):
            m.d.comb += [self.busy.eq(1), self.o.valid.eq(1), self.o.payload.eq(END)]
            with m.If(self.o.ready):
                m.d.comb += checksum.clear.eq(1)
                m.next = "IDLE"

    def _counters(self) -> Value:
        return Cat(*self._counted.values())

    def _count(self, m: Module, repeated: Value, refused: Value) -> None:
        for name, event in zip(COUNTERS, (self.damaged, repeated, refused, self.line_error), strict=True):
            counter = self._counted[name]
            with m.If(event & (counter != 255)):
                m.d.sync += counter.eq(counter + 1)
