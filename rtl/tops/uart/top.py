"""A core on a board: a clock, a serial line and lights."""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, ResetInserter, ResetSignal, Signal, Value
from amaranth.lib import wiring

from snnc.compiler.link.identity import Identity
from snnc.compiler.plan import LOAD_BITS
from snnc.rtl.beats import Marker, input_beat
from snnc.rtl.tops.board import BUFFER, BoardTop
from snnc.rtl.tops.uart.control import Control
from snnc.rtl.tops.uart.framing import Unframer
from snnc.rtl.tops.uart.line import Receiver, Transmitter
from snnc.rtl.tops.uart.places import Places
from snnc.rtl.tops.uart.results import Results

__all__ = ["UartTop"]

_RESTART_CYCLES = 4


class UartTop(BoardTop):
    """Everything on the chip.

    Members
    -------
    rx : In(1)
    tx : Out(1)
    """

    rx: Signal
    tx: Signal

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, settings = self._plan, self._settings
        self._start(m)
        layout = input_beat(plan.input)
        identity = Identity.of(
            plan,
            beat_bits=layout.size,
            clock_hz=settings.clock_hz,
            board=settings.board,
            flash=settings.load is not None,
        )
        places = Places.of(plan.readout)
        m.submodules.unframer = unframer = Unframer()
        results = Results(plan.readout)
        m.submodules.control = control = Control(identity, places, loads=settings.load is not None)
        m.submodules.results = ResetInserter(control.restart)(results)
        content = identity.pack()
        m.submodules.buffer = Instance(
            BUFFER,
            p_DEPTH=places.depth,
            p_ADDRESS_BITS=places.address_bits,
            p_FIRST=places.identity,
            p_BYTES=len(content),
            p_CONTENT=Const(int.from_bytes(content, "little"), 8 * len(content)),
            i_clk=ClockSignal(),
            i_read_address=control.address,
            o_read_data=control.data,
            i_write=unframer.write | results.write,
            i_write_address=Mux(unframer.write, unframer.position, places.results + results.position),
            i_write_data=Mux(unframer.write, unframer.byte, results.byte),
        )
        self._add_line(m, unframer, control)
        m.d.comb += [
            control.frame.eq(unframer.frame),
            control.kind.eq(unframer.kind),
            control.sequence.eq(unframer.sequence),
            control.length.eq(unframer.length),
            control.argument.eq(unframer.argument),
            control.damaged.eq(unframer.damaged),
            control.sum_busy.eq(unframer.sum_busy),
            control.sum_value.eq(unframer.sum_value),
            results.free.eq(~unframer.write),
            control.ready.eq(results.ready),
        ]
        beat = layout(control.beat.payload[: layout.size])
        entered = control.beat.valid & control.beat.ready
        m.d.comb += results.ended.eq(entered & (beat.marker == Marker.SAMPLE))
        self._connect_core(m, unframer, control, results, layout.size)
        self._lights(m, entered | results.write)
        return m

    def _add_line(self, m: Module, unframer: Unframer, control: Control) -> None:
        """Where bytes come from and go to."""
        m.submodules.receiver = receiver = Receiver(self._settings.divisor)
        m.submodules.transmitter = transmitter = Transmitter(self._settings.divisor)
        wiring.connect(m, control.o, transmitter.i)
        m.d.comb += [
            receiver.line.eq(self.rx),
            self.tx.eq(transmitter.line),
            unframer.data.eq(receiver.data),
            unframer.valid.eq(receiver.valid),
            control.line_error.eq(receiver.error),
        ]

    def _connect_core(self, m: Module, unframer: Unframer, control: Control, results: Results, beat_bits: int) -> None:
        load: dict[str, Value] = {}
        held, begins = [control.busy], [control.sum_clear]
        m.d.comb += [unframer.sum_start.eq(control.sum_start), unframer.sum_data.eq(control.sum_data)]
        if self._settings.load is not None:
            reader, load = self._add_reader(m, self._settings.load, control.restart)
            held.append(reader.busy)
            begins.append(reader.sum_clear)
            with m.If(reader.busy):
                m.d.comb += [unframer.sum_start.eq(reader.sum_start), unframer.sum_data.eq(reader.sum_data)]
            m.d.comb += [
                reader.sum_busy.eq(unframer.sum_busy),
                reader.sum_value.eq(unframer.sum_value),
                control.loading.eq(reader.busy),
                control.unloaded.eq(~reader.right),
                control.load.ready.eq(1),
            ]
        elif self._plan.loaded:
            load = {
                "i_load__payload": control.load.payload[:LOAD_BITS],
                "i_load__valid": control.load.valid,
                "o_load__ready": control.load.ready,
            }
            m.d.comb += control.unloaded.eq(control.load.ready)
        else:
            m.d.comb += control.load.ready.eq(1)
        m.d.comb += [unframer.hold.eq(Cat(held).any()), unframer.sum_clear.eq(Cat(begins).any())]
        restart = Signal(_RESTART_CYCLES)
        m.d.sync += restart.eq(Cat(control.restart, restart[:-1]))
        payload = self._add_core(
            m,
            control.beat.payload[:beat_bits],
            control.beat.valid,
            control.beat.ready,
            i_rst=ResetSignal() | restart.any(),
            o_o__valid=results.i.valid,
            i_o__ready=results.i.ready,
            **load,
        )
        m.d.comb += results.i.payload.eq(payload)
