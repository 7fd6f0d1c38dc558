"""What every top of a board has: a clock, a core, weights in flash and lights."""

import importlib.resources
from dataclasses import dataclass

from amaranth.hdl import ClockSignal, Const, Instance, Module, ResetInserter, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Member, Out

from snnc.compiler.plan import Plan
from snnc.compiler.pll import Pll
from snnc.rtl.beats import result_beat
from snnc.rtl.tops import STARTUP_SECONDS
from snnc.rtl.tops.flash import FlashReader, Load
from snnc.rtl.tops.startup import hold_in_reset

__all__ = ["BUFFER", "BoardTop", "Settings", "with_buffer"]

BUFFER = "snnc_uart_buffer"
"""The Verilog module of ``buffer.v``."""


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
    model
        What people call the network; told by MLPerf Tiny's commands alone.
    """

    board: str
    clock_hz: int
    baud: int
    lights_low: tuple[bool, ...]
    held: int = 0
    load: Load | None = None
    pll: Pll | None = None
    model: str = ""

    @property
    def divisor(self) -> int:
        """Cycles of a bit."""
        return round(self.clock_hz / self.baud)


def with_buffer(verilog: str) -> str:
    """A top's Verilog with the memory that Amaranth knows by its name alone."""
    return verilog + importlib.resources.files(__package__ or "").joinpath("buffer.v").read_text(encoding="utf-8")


class BoardTop(wiring.Component):
    """Base of the tops of a board.

    Members
    -------
    clk : In(1)
    life : Out(1)
    activity : Out(1)
        Where there is a second light.
    held : In
        Where there are such pins.
    flash_select, flash_clock, flash_copi : Out(1); flash_cipo : In(1)
        Where weights come from there (`FlashReader`).
    """

    clk: Signal
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

    def _line_ports(self) -> dict[str, Member]:
        return {"rx": In(1), "tx": Out(1)}

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

    def _add_reader(self, m: Module, load: Load, restart: Value) -> tuple[FlashReader, dict[str, Value]]:
        """What reads the weights from flash, and the core's load port for `_add_core`."""
        reader = FlashReader(load, clock_hz=self._settings.clock_hz)
        m.submodules.reader = ResetInserter(restart)(reader)
        m.d.comb += [
            self.flash_select.eq(reader.select),
            self.flash_clock.eq(reader.clock),
            self.flash_copi.eq(reader.copi),
            reader.cipo.eq(self.flash_cipo),
        ]
        return reader, {
            "i_load__payload": reader.word,
            "i_load__valid": reader.valid,
            "o_load__ready": reader.wanted,
        }

    def _add_core(self, m: Module, beat: Value, valid: Value, ready: Value, **ports: Value) -> Value:
        """The core behind an input beat; the payload of its result. `ports` are the others of its Verilog."""
        payload = Signal(result_beat(self._plan.readout).size, name="result")
        # By name: what is placed and routed is the very Verilog that was verified.
        m.submodules.core = Instance(
            self._core,
            i_clk=ClockSignal(),
            i_i__payload=beat,
            i_i__valid=valid,
            o_i__ready=ready,
            o_o__payload=payload,
            **ports,
        )
        return payload

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
