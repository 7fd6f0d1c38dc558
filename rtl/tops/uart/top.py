"""A core on a board: a clock, a serial line and lights."""

import importlib.resources
from dataclasses import dataclass

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, ResetInserter, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Member, Out

from snnc.compiler.link.identity import Identity
from snnc.compiler.plan import LOAD_BITS, Plan
from snnc.compiler.pll import Pll
from snnc.rtl.beats import Marker, input_beat, result_beat
from snnc.rtl.tops import STARTUP_SECONDS
from snnc.rtl.tops.flash import FlashReader, Load
from snnc.rtl.tops.startup import hold_in_reset
from snnc.rtl.tops.uart.control import Control
from snnc.rtl.tops.uart.framing import Unframer
from snnc.rtl.tops.uart.line import Receiver, Transmitter
from snnc.rtl.tops.uart.places import Places
from snnc.rtl.tops.uart.results import Results

__all__ = ["BUFFER", "Settings", "UartTop", "with_buffer"]

BUFFER = "snnc_uart_buffer"
"""The Verilog module of ``buffer.v``."""

_RESTART_CYCLES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What of a board a top must know.

    Attributes
    ----------
    board
        Its name.
    clock_hz, baud
        Of the clock of everything on the chip, and of the serial line.
    lights_low
        Whether each of the lights, life and activity, shines while its pin is low; as many as there are.
    held
        How many pins are only pulled up.
    load
        The core's load in the board's flash; None where a host sends it, or there is none.
    pll
        What makes that clock of the board's; None where it is the board's.
    """

    board: str
    clock_hz: int
    baud: int
    lights_low: tuple[bool, ...]
    held: int = 0
    load: Load | None = None
    pll: Pll | None = None

    @property
    def divisor(self) -> int:
        """Cycles of a bit."""
        return round(self.clock_hz / self.baud)


def with_buffer(verilog: str) -> str:
    """A top's Verilog with the memory that Amaranth knows by its name alone."""
    return verilog + importlib.resources.files(__package__ or "").joinpath("buffer.v").read_text(encoding="utf-8")


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
    flash_select, flash_clock, flash_copi : Out(1); flash_cipo : In(1)
        Where weights come from there (`FlashReader`).
    """

    clk: Signal
    rx: Signal
    tx: Signal
    life: Signal
    activity: Signal
    held: Signal
    flash_select: Signal
    flash_clock: Signal
    flash_copi: Signal
    flash_cipo: Signal

    def __init__(self, plan: Plan, core: str, settings: Settings) -> None:
        self._plan = plan
        self._core = core
        self._settings = settings
        activity = {"activity": Out(1)} if len(settings.lights_low) > 1 else {}
        held = {"held": In(settings.held)} if settings.held else {}
        flash = {f"flash_{name}": Out(1) for name in ("select", "clock", "copi")} | {"flash_cipo": In(1)}
        own = {"clk": In(1), **self._line_ports(), "life": Out(1)}
        super().__init__({**own, **activity, **held, **(flash if settings.load else {})})

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
        self._add_core(m, unframer, control, results, layout.size)
        self._lights(m, entered | results.write)
        return m

    def _line_ports(self) -> dict[str, Member]:
        return {"rx": In(1), "tx": Out(1)}

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

    def _start(self, m: Module) -> None:
        """The clock, and how long everything is held in reset from when it is good."""
        cycles, pll = round(self._settings.clock_hz * STARTUP_SECONDS), self._settings.pll
        if pll is None:
            hold_in_reset(m, clock=self.clk, reset=Signal(), cycles=cycles)
            return
        clock, locked = Signal(), Signal()
        inputs: dict[str, Value | int] = {f"i_{name}": Const(level) for name, level in pll.tied.items()}
        outputs: dict[str, Value] = {}
        if pll.feedback is not None:
            back = Signal()
            outputs[f"o_{pll.feedback[0]}"], inputs[f"i_{pll.feedback[1]}"] = back, back
        m.submodules.pll = Instance(
            pll.cell,
            **{f"p_{name}": value for name, value in pll.parameters.items()},
            **{f"i_{pll.reference}": self.clk, f"o_{pll.clock}": clock, f"o_{pll.lock}": locked},
            **inputs,
            **outputs,
        )
        hold_in_reset(m, clock=clock, reset=~locked, cycles=cycles, asynchronous=True)

    def _add_core(self, m: Module, unframer: Unframer, control: Control, results: Results, beat_bits: int) -> None:
        load: dict[str, Value] = {}
        held, begins = [control.busy], [control.sum_clear]
        m.d.comb += [unframer.sum_start.eq(control.sum_start), unframer.sum_data.eq(control.sum_data)]
        if self._settings.load is not None:
            reader = FlashReader(self._settings.load, clock_hz=self._settings.clock_hz)
            m.submodules.reader = ResetInserter(control.restart)(reader)
            held.append(reader.busy)
            begins.append(reader.sum_clear)
            with m.If(reader.busy):
                m.d.comb += [unframer.sum_start.eq(reader.sum_start), unframer.sum_data.eq(reader.sum_data)]
            m.d.comb += [
                self.flash_select.eq(reader.select),
                self.flash_clock.eq(reader.clock),
                self.flash_copi.eq(reader.copi),
                reader.cipo.eq(self.flash_cipo),
                reader.sum_busy.eq(unframer.sum_busy),
                reader.sum_value.eq(unframer.sum_value),
                control.loading.eq(reader.busy),
                control.unloaded.eq(~reader.right),
                control.load.ready.eq(1),
            ]
            load = {"i_load__payload": reader.word, "i_load__valid": reader.valid, "o_load__ready": reader.wanted}
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
            shown, tick, before = Signal(2), blink[max(len(blink) - 5, 0)], Signal()  # long enough for an eye to see
            m.d.sync += before.eq(tick)
            with m.If(active):
                m.d.sync += shown.eq(-1)
            with m.Elif((tick ^ before) & (shown != 0)):
                m.d.sync += shown.eq(shown - 1)
            m.d.comb += self.activity.eq((shown != 0) ^ low[1])
