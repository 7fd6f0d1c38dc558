"""Runs a `Program` on the commands that come: text, and the few things that the commands do."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.rtl.tops.mlperf.program import ADDRESS_BITS, COMMAND_BYTES, NUMBER, Label, Op, Program

__all__ = ["END", "Interpreter"]

END = ord("%")
"""Of a command."""

_BLANK, _ZERO, _NINE = ord(" "), ord("0"), ord("9")


def _is_digit(byte: Value) -> Value:
    return (byte[4:] == 3) & ~(byte[3] & byte[1:3].any())


def _is_hex(byte: Value) -> Value:
    letter = byte[6] & ~byte[7] & ~byte[4] & ~byte[3] & byte[:3].any() & ~byte[:3].all()
    return _is_digit(byte) | letter


def _hex(byte: Value) -> Value:
    """The value of a hexadecimal digit, letters of either case."""
    return (byte[:4] + Mux(byte[6], 9, 0))[:4]


class _Registers:
    """What instructions work on.

    Attributes
    ----------
    place
        In the program.
    cursor, word
        In the command: the next byte, and the first one of the word.
    pointer
        In the memory, of what is sent or written.
    held
        A byte of the program.
    filled
        Address of the sample's next byte.
    logit
        Address of the next one; the first again behind the last.
    byte, again
        The memory's at the address of two cycles before, of which the second is marked.
    """

    def __init__(self, program: Program, *, address_bits: int, sample: int, logits: int) -> None:
        self.place = Signal(ADDRESS_BITS, init=program.start)
        self.cursor = Signal(range(COMMAND_BYTES + 1))
        self.word = Signal.like(self.cursor)
        self.pointer = Signal(ADDRESS_BITS)
        self.held = Signal(8)
        self.filled = Signal(address_bits, init=sample)
        self.logit = Signal(address_bits, init=logits)
        self.byte = Signal(8)
        self.again = Signal()

    @property
    def delimits(self) -> Value:
        """Whether the byte ends a word."""
        return (self.byte == 0) | (self.byte == _BLANK)


class Interpreter(wiring.Component):
    """Between a serial line and a memory that holds command, program, sample and logits.

    The command lies from address 0 on, a byte of 0 behind it. A byte of the line that comes while a program runs is
    lost: a host waits for ``m-ready``. The count of inferences goes down in the command itself, digit by digit.

    Parameters
    ----------
    program
        What it runs.
    sample, sample_bytes
        The sample's place.
    logits, classes, logit_bits
        The logits' place; they are signed, in whole bytes, the lowest first.
    address_bits
        Of the memory.

    Members
    -------
    data, valid : In
        A byte of the line.
    loading, wrong : In(1)
        Weights are being read from flash; they were not those of the bitstream.
    address, byte : Out, In
        The memory's byte at the address of the cycle before.
    write, write_address, write_data : Out
        A byte for the memory.
    stamp_ask : Out(1); stamp_digit, stamp_place, stamp_valid, stamp_done : In
        A `stamp.Stamp`.
    start : Out(1)
        Feed the sample to the core; for one cycle.
    feeds : Out(1)
        It is being fed, and the memory's address another's.
    fed : In(1)
        Its last beat passes.
    answered : In(1)
        The sample's results are in the memory: not from the end of a sample on until they are.
    o : Out(stream of bytes)
        For the line.
    """

    data: Signal
    valid: Signal
    loading: Signal
    wrong: Signal
    address: Signal
    byte: Signal
    write: Signal
    write_address: Signal
    write_data: Signal
    stamp_ask: Signal
    stamp_digit: Signal
    stamp_place: Signal
    stamp_valid: Signal
    stamp_done: Signal
    start: Signal
    feeds: Signal
    fed: Signal
    answered: Signal
    o: stream.Interface

    def __init__(
        self,
        program: Program,
        *,
        sample: int,
        sample_bytes: int,
        logits: int,
        classes: int,
        logit_bits: int,
        address_bits: int,
    ) -> None:
        self._program = program
        self._sample = sample
        self._sample_bytes = sample_bytes
        self._logits = logits
        self._classes = classes
        self._logit_bits = logit_bits
        self._logit_bytes = -(-logit_bits // 8)
        super().__init__(
            {
                "data": In(8),
                "valid": In(1),
                "loading": In(1),
                "wrong": In(1),
                "address": Out(address_bits),
                "byte": In(8),
                "write": Out(1),
                "write_address": Out(address_bits),
                "write_data": Out(8),
                "stamp_ask": Out(1),
                "stamp_digit": In(4),
                "stamp_place": In(4),
                "stamp_valid": In(1),
                "stamp_done": In(1),
                "start": Out(1),
                "feeds": Out(1),
                "fed": In(1),
                "answered": In(1),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        state = _Registers(
            self._program,
            address_bits=len(self.address),
            sample=self._sample,
            logits=self._logits,
        )
        # What decides comes from a register, not from the memory itself: a read takes two cycles.
        m.d.sync += [state.byte.eq(self.byte), state.again.eq(0)]
        m.d.comb += [
            self.address.eq(state.place),
            self.o.payload.eq(state.byte),
            self.write_address.eq(state.cursor),
        ]
        with m.FSM():
            with m.State("LOADING"):
                with m.If(~self.loading):
                    m.next = "FETCH"
            with m.State("IDLE"):
                ends, full = self.data == END, state.cursor == COMMAND_BYTES
                m.d.comb += self.write_data.eq(Mux(ends, 0, self.data))
                m.d.sync += state.place.eq(Mux(self.wrong, self._program.refused, self._program.command))
                with m.If(self.valid):
                    m.d.comb += self.write.eq(ends | ~full)
                    with m.If(ends):
                        m.d.sync += state.cursor.eq(0)
                        m.next = "FETCH"
                    with m.Elif(~full):
                        m.d.sync += state.cursor.eq(state.cursor + 1)
            self._read(m, state, "FETCH", state.place, "DECODE")
            with m.State("DECODE"):
                m.d.sync += state.held.eq(state.byte)
                with m.If(state.byte[7]):
                    m.d.sync += state.place.eq(state.place + 1)
                    m.next = "OPERAND"
                with m.Else():
                    m.d.comb += self.o.valid.eq(1)
                    with m.If(self.o.ready):
                        m.d.sync += state.place.eq(state.place + 1)
                        m.next = "FETCH"
            self._read(m, state, "OPERAND", state.place, "EXECUTE")
            with m.State("EXECUTE"):
                m.d.sync += state.place.eq(state.place + 1)
                self._execute(m, state, Cat(state.byte, state.held[: ADDRESS_BITS - 8]))
            self._match(m, state)
            self._show(m, state)
            self._run(m, state)
            self._take(m, state)
            self._logit(m, state)
        return m

    def _read(self, m: Module, state: _Registers, name: str, address: Value, then: str) -> None:
        """A state in which a byte is read, for the next one."""
        with m.State(name):
            m.d.comb += self.address.eq(address)
            m.d.sync += state.again.eq(1)
            with m.If(state.again):
                m.d.sync += state.again.eq(0)
                m.next = then

    def _execute(self, m: Module, state: _Registers, target: Value) -> None:
        """What an instruction does, or the state that does it."""
        m.next = "FETCH"
        with m.Switch(state.held[ADDRESS_BITS - 8 : 7]):
            with m.Case(Op.GOTO, Op.CASE):  # only the CASE of a word that matched is executed
                m.d.sync += state.place.eq(target)
            with m.Case(Op.MATCH):
                m.next = "BLANKS"
            with m.Case(Op.REWIND):
                m.d.sync += state.cursor.eq(0)
            with m.Case(Op.WORD):
                m.d.sync += state.pointer.eq(state.word)
                m.next = "SHOW"
            with m.Case(Op.PUT):
                m.d.comb += [self.write.eq(1), self.write_data.eq(target)]
                m.d.sync += state.cursor.eq(state.cursor + 1)
            with m.Case(Op.SHOW):
                m.d.sync += state.pointer.eq(target)
                m.next = "SHOW"
            with m.Case(Op.STAMP):
                m.d.sync += state.pointer.eq(target)
                m.next = "STAMP"
            with m.Case(Op.RUN):
                m.next = "DOWN"
            with m.Case(Op.EMPTY):
                m.d.sync += state.filled.eq(self._sample)
            with m.Case(Op.HEX):
                m.next = "HIGH"
            with m.Case(Op.LOGIT):
                m.next = "LOGIT"
            with m.Case(Op.DIGIT):
                m.next = "DIGIT"
            with m.Case(Op.LAST):
                with m.If(state.logit == self._logits):
                    m.d.sync += state.place.eq(target)
            with m.Case(Op.END):
                m.d.sync += state.cursor.eq(0)
                m.next = "IDLE"

    def _match(self, m: Module, state: _Registers) -> None:
        """The words behind a `Op.MATCH` against the command's."""
        place, cursor, held = state.place, state.cursor, state.held
        self._read(m, state, "BLANKS", cursor, "BLANK")
        with m.State("BLANK"):
            m.d.sync += state.word.eq(cursor)
            m.next = "OURS"
            with m.If(state.byte == _BLANK):
                m.d.sync += cursor.eq(cursor + 1)
                m.next = "BLANKS"
        self._read(m, state, "OURS", place, "HOLD")
        with m.State("HOLD"):
            m.d.sync += held.eq(state.byte)
            m.next = "THEIRS"
        self._read(m, state, "THEIRS", cursor, "COMPARE")
        with m.State("COMPARE"):
            m.next = "OURS"
            with m.If(held[7]):
                m.d.sync += cursor.eq(state.word)
                with m.If(held[ADDRESS_BITS - 8 : 7] != Op.CASE):
                    m.next = "FETCH"
                with m.Elif(state.delimits):
                    m.d.sync += [cursor.eq(cursor), place.eq(place + 1)]
                    m.next = "OPERAND"
                with m.Else():
                    m.d.sync += place.eq(place + 2)
            with m.Elif((held == NUMBER) & _is_digit(state.byte)):
                m.d.sync += cursor.eq(cursor + 1)
            with m.Elif((held == NUMBER) & (cursor != state.word)):
                m.d.sync += place.eq(place + 1)
            with m.Elif(held == state.byte):
                m.d.sync += [place.eq(place + 1), cursor.eq(cursor + 1)]
            with m.Else():
                m.next = "SKIP"
        self._read(m, state, "SKIP", place, "SKIPPED")
        with m.State("SKIPPED"):
            m.d.sync += [cursor.eq(state.word), place.eq(place + Mux(state.byte[7], 2, 1))]
            m.next = "SKIP"
            with m.If(state.byte[7]):
                m.next = "OURS"

    def _show(self, m: Module, state: _Registers) -> None:
        self._read(m, state, "SHOW", state.pointer, "SHOWN")
        with m.State("SHOWN"):
            m.d.comb += [self.address.eq(state.pointer), self.o.valid.eq(~state.delimits)]
            with m.If(state.delimits):
                m.next = "FETCH"
            with m.Elif(self.o.ready):
                m.d.sync += state.pointer.eq(state.pointer + 1)
                m.next = "SHOW"
        with m.State("STAMP"):
            m.d.comb += [
                self.stamp_ask.eq(1),
                self.write.eq(self.stamp_valid),
                self.write_address.eq(Cat(self.stamp_place, state.pointer[4:])),
                self.write_data.eq(_ZERO | self.stamp_digit),
            ]
            with m.If(self.stamp_done):
                m.next = "FETCH"

    def _run(self, m: Module, state: _Registers) -> None:
        """Inferences: the word, a number, goes down by one before each."""
        cursor = state.cursor
        zero = state.byte == _ZERO
        with m.State("DOWN"):
            m.d.sync += cursor.eq(cursor - 1)
            m.next = "DIGITS"
        self._read(m, state, "DIGITS", cursor, "BORROW")
        with m.State("BORROW"):
            m.d.comb += [
                self.write.eq(1),
                self.write_data.eq(Mux(zero, _NINE, Cat((state.byte[:4] - 1)[:4], state.byte[4:]))),
            ]
            m.next = "FEED"
            with m.If(zero):
                m.next = "DOWN"
                with m.If(cursor == state.word):
                    m.next = "FETCH"
        with m.State("FEED"):
            m.d.comb += self.start.eq(1)
            m.next = "FEEDING"
        with m.State("FEEDING"):
            m.d.comb += self.feeds.eq(1)
            with m.If(self.fed):
                m.next = "ANSWER"
        with m.State("ANSWER"):
            with m.If(self.answered):
                m.next = "UP"
        self._read(m, state, "UP", cursor, "UPWARDS")
        with m.State("UPWARDS"):
            m.next = "DOWN"
            with m.If(~state.delimits):
                m.d.sync += cursor.eq(cursor + 1)
                m.next = "UP"

    def _take(self, m: Module, state: _Registers) -> None:
        """Bytes of the sample."""
        labels = self._program.labels
        cursor, high = state.cursor, Signal(4)
        for name, follows, at_end in (("HIGH", "LOW", Label.TAKEN), ("LOW", "HIGH", Label.ODD)):
            self._read(m, state, name, cursor, f"{name} DIGIT")
            with m.State(f"{name} DIGIT"):
                m.d.sync += cursor.eq(cursor + 1)
                m.next = follows
                with m.If(state.delimits):
                    m.d.sync += state.place.eq(labels[at_end])
                    m.next = "FETCH"
                with m.Elif(~_is_hex(state.byte)):
                    m.d.sync += state.place.eq(labels[Label.BAD])
                    m.next = "FETCH"
                if name == "HIGH":
                    m.d.sync += high.eq(_hex(state.byte))
                else:
                    with m.Else():
                        m.d.comb += [
                            self.write.eq(1),
                            self.write_address.eq(state.filled),
                            self.write_data.eq(Cat(_hex(state.byte), high)),
                        ]
                        m.d.sync += state.filled.eq(state.filled + 1)
                        with m.If(state.filled == self._sample + self._sample_bytes - 1):
                            m.d.sync += [state.filled.eq(self._sample), state.place.eq(labels[Label.COMPLETE])]
                            m.next = "FETCH"

    def _logit(self, m: Module, state: _Registers) -> None:
        """A logit as a share of its range, from 0 for the least one on; digits come out by multiplying with ten."""
        bits = self._logit_bits
        share, part = Signal(8 * self._logit_bytes), Signal(range(max(self._logit_bytes, 2)))
        five = Signal(bits + 3)
        m.d.comb += five.eq(share[:bits] + (share[:bits] << 2))
        self._read(m, state, "LOGIT", state.logit, "LOGIT BYTE")
        with m.State("LOGIT BYTE"):
            m.d.sync += [share.eq(Cat(share, state.byte)[8:]), state.logit.eq(state.logit + 1), part.eq(part + 1)]
            m.next = "LOGIT"
            with m.If(part == self._logit_bytes - 1):
                m.d.sync += [share[bits - 1].eq(~state.byte[(bits - 1) % 8]), part.eq(0)]
                m.next = "FETCH"
                with m.If(state.logit == self._logits + self._classes * self._logit_bytes - 1):
                    m.d.sync += state.logit.eq(self._logits)
        with m.State("DIGIT"):
            m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(_ZERO | five[bits - 1 :])]
            with m.If(self.o.ready):
                m.d.sync += share.eq(Cat(Const(0, 1), five[: bits - 1]))
                m.next = "FETCH"
