"""A core on a board: a clock, a serial line and lights."""

from dataclasses import dataclass

from amaranth.hdl import Cat, ClockSignal, Instance, Module, Mux, ResetInserter, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.link.frames import FRAME_BYTES
from snnc.compiler.link.identity import Identity
from snnc.compiler.plan import LOAD_BITS, Plan, unsigned_bits
from snnc.rtl.beats import Marker, input_beat, result_beat
from snnc.rtl.memories import block_ram
from snnc.rtl.tops import STARTUP_SECONDS
from snnc.rtl.tops.startup import hold_in_reset
from snnc.rtl.tops.uart.control import Control
from snnc.rtl.tops.uart.framing import Unframer
from snnc.rtl.tops.uart.line import Receiver, Transmitter
from snnc.rtl.tops.uart.results import Results, logit_bytes

__all__ = ["Settings", "UartTop"]

_RESTART_CYCLES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What of a board a top must know.

    Attributes
    ----------
    board
        Its name.
    clock_hz, baud
        Of the clock, and of the serial line.
    lights_low
        Whether each of the lights, life and activity, shines while its pin is low; as many as there are.
    held
        How many pins are only pulled up.
    """

    board: str
    clock_hz: int
    baud: int
    lights_low: tuple[bool, ...]
    held: int = 0

    @property
    def divisor(self) -> int:
        """Cycles of a bit."""
        return round(self.clock_hz / self.baud)


class UartTop(wiring.Component):
    """Everything on the chip.

    Members
    -------
    clk, rx : In(1)
    tx, life : Out(1)
    activity : Out(1)
        Where there is a second light.
    held : In
        Where there are such pins.
    """

    clk: Signal
    rx: Signal
    tx: Signal
    life: Signal
    activity: Signal
    held: Signal

    def __init__(self, plan: Plan, core: str, settings: Settings) -> None:
        self._plan = plan
        self._core = core
        self._settings = settings
        activity = {"activity": Out(1)} if len(settings.lights_low) > 1 else {}
        held = {"held": In(settings.held)} if settings.held else {}
        super().__init__({"clk": In(1), "rx": In(1), "tx": Out(1), "life": Out(1), **activity, **held})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, settings = self._plan, self._settings
        hold_in_reset(m, clock=self.clk, reset=Signal(), cycles=round(settings.clock_hz * STARTUP_SECONDS))
        layout = input_beat(plan.input)
        identity = Identity.of(plan, beat_bits=layout.size, clock_hz=settings.clock_hz, board=settings.board)
        depth = FRAME_BYTES + plan.readout.neurons * logit_bytes(plan.readout)
        m.submodules.receiver = receiver = Receiver(settings.divisor)
        m.submodules.transmitter = transmitter = Transmitter(settings.divisor)
        m.submodules.unframer = unframer = Unframer()
        results = Results(plan.readout)
        m.submodules.control = control = Control(identity, logits_at=FRAME_BYTES, address_bits=unsigned_bits(depth - 1))
        m.submodules.results = ResetInserter(control.restart)(results)
        stored = block_ram(
            m,
            "buffer",
            width=8,
            depth=depth,
            read=control.address,
            write=unframer.write | results.write,
            write_address=Mux(unframer.write, unframer.position, FRAME_BYTES + results.position),
            value=Mux(unframer.write, unframer.byte, results.byte),
        )
        wiring.connect(m, control.o, transmitter.i)
        m.d.comb += [
            receiver.line.eq(self.rx),
            self.tx.eq(transmitter.line),
            unframer.data.eq(receiver.data),
            unframer.valid.eq(receiver.valid),
            unframer.hold.eq(control.busy),
            control.frame.eq(unframer.frame),
            control.kind.eq(unframer.kind),
            control.sequence.eq(unframer.sequence),
            control.length.eq(unframer.length),
            control.argument.eq(unframer.argument),
            control.damaged.eq(unframer.damaged),
            control.line_error.eq(receiver.error),
            control.data.eq(stored),
            results.free.eq(~unframer.write),
            control.ready.eq(results.ready),
            control.best.eq(results.best),
            control.cycles.eq(results.cycles),
        ]
        beat = layout(control.beat.payload[: layout.size])
        entered = control.beat.valid & control.beat.ready
        m.d.comb += results.ended.eq(entered & (beat.marker == Marker.SAMPLE))
        self._add_core(m, control, results, layout.size)
        self._lights(m, entered | results.write)
        return m

    def _add_core(self, m: Module, control: Control, results: Results, beat_bits: int) -> None:
        load = {}
        if self._plan.loaded:
            load = {
                "i_load__payload": control.load.payload[:LOAD_BITS],
                "i_load__valid": control.load.valid,
                "o_load__ready": control.load.ready,
            }
            m.d.comb += control.unloaded.eq(control.load.ready)
        else:
            m.d.comb += control.load.ready.eq(1)
        restart = Signal(_RESTART_CYCLES)
        m.d.sync += restart.eq(Cat(control.restart, restart[:-1]))
        payload = Signal(result_beat(self._plan.readout).size)
        m.d.comb += results.i.payload.eq(payload)
        # By name: what is placed and routed is the very Verilog that was verified.
        m.submodules.core = Instance(
            self._core,
            i_clk=ClockSignal(),
            i_rst=ResetSignal() | restart.any(),
            i_i__payload=control.beat.payload[:beat_bits],
            i_i__valid=control.beat.valid,
            o_i__ready=control.beat.ready,
            o_o__payload=payload,
            o_o__valid=results.i.valid,
            i_o__ready=results.i.ready,
            **load,
        )

    def _lights(self, m: Module, active: Value) -> None:
        low = self._settings.lights_low
        blink = Signal(max(self._settings.clock_hz, 2).bit_length() - 1)  # between one and two blinks a second
        m.d.sync += blink.eq(blink + 1)
        m.d.comb += self.life.eq(blink[-1] ^ low[0])
        if len(low) > 1:
            shown = Signal(max(self._settings.clock_hz // 16, 2).bit_length())  # for an eye to see
            with m.If(active):
                m.d.sync += shown.eq(-1)
            with m.Elif(shown != 0):
                m.d.sync += shown.eq(shown - 1)
            m.d.comb += self.activity.eq((shown != 0) ^ low[1])
