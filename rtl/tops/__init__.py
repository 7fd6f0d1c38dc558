"""What a core can be placed and routed in: one file each, and one line here.

A top instantiates the very Verilog of the core that was verified. The table holds names alone, and imports nothing:
what reads a build, simulates its netlist or synthesises it says here which module it means.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, unique
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from snnc.compiler.plan import Plan

if TYPE_CHECKING:
    from amaranth.lib import wiring

__all__ = [
    "AXIS",
    "CORE",
    "ENCODER",
    "LEAST_DIVISOR",
    "MLPERF",
    "PARALLEL",
    "PROTOCOLS",
    "REGISTERS",
    "SHELL",
    "SHELL_HOLD",
    "SPI",
    "STARTUP_SECONDS",
    "TOPS",
    "UART",
    "Register",
    "Top",
]

STARTUP_SECONDS: Final = 50e-6
"""How long a top holds its core in reset after configuration: block RAM of an iCE40 reads 0 for some microseconds, and
this is several times as long."""

SHELL_HOLD: Final = 5_000
"""The same in cycles for the serial shell, whose clock nobody knows: of 100 MHz, which no core on an iCE40 reaches."""

LEAST_DIVISOR: Final = 8
"""Cycles of a bit of a serial line, for a receiver that samples in its middle."""

CORE: Final = "snnc_core"
"""The Verilog module of the core itself, in ``core.v``."""

ENCODER: Final = "snnc_send_on_delta"
"""That of an encoder in front of one, which `snnc encoder` writes."""


@unique
class Register(IntEnum):
    """Addresses, in bytes, of the register block's words."""

    STATUS = 0x00
    """Read: bit 0, `INPUT` takes a beat; bit 1, a result is there; bit 2, `LOAD` takes a word."""
    MODEL = 0x04
    """Read: the first 4 bytes of the model hash, as it is written."""
    INPUT = 0x08
    """Write: an input beat."""
    LOGIT = 0x0C
    """Read: the signed logit of the result that is there."""
    RESULT = 0x10
    """Read: the rest of it, which is taken with that."""
    LOAD = 0x14
    """Write: a load word."""

    @classmethod
    def address_bits(cls) -> int:
        return max(cls).bit_length()


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """One way to put a core on a chip.

    Attributes
    ----------
    name
        Of its source file, without the suffix, and of its line in the table.
    module
        Of its Verilog.
    title
        What people call it.
    component
        Where its class is, which takes the plan, the name of the core's module, and settings where it is for a board.
    baud
        Of its serial line, where hosts expect one; None: that of the board.
    """

    name: str
    module: str
    title: str
    component: str
    baud: int | None = None

    @property
    def file(self) -> str:
        """Its Verilog's file name in the folder ``rtl/`` of a build."""
        return f"{self.name}.v"

    def build(self, plan: Plan, *settings: object) -> "wiring.Component":
        """The top around a plan's core; this imports Amaranth."""
        module, _, name = self.component.partition(":")
        component: wiring.Component = getattr(importlib.import_module(module), name)(plan, CORE, *settings)
        return component


SHELL: Final = Top(name="shell", module="snnc_shell", title="serial shell", component="snnc.rtl.tops.shell:SerialShell")

UART: Final = Top(name="uart", module="snnc_uart", title="serial line", component="snnc.rtl.tops.uart.top:UartTop")
"""For boards: it is made for the pins and the clock of one (`snnc.compiler.boards`)."""

MLPERF: Final = Top(
    name="mlperf",
    module="snnc_mlperf",
    title="MLPerf Tiny's serial commands",
    component="snnc.rtl.tops.mlperf.top:MlperfTop",
    baud=115_200,
)
"""For boards, in the place of `UART`: for hosts that speak nothing else."""

PROTOCOLS: Final[Mapping[str, Top]] = MappingProxyType({"frames": UART, "mlperf-tiny": MLPERF})
"""What a board's serial line can speak, as ``snnc build --protocol`` names it."""

AXIS: Final = Top(name="axis", module="snnc_axis", title="AXI4-Stream", component="snnc.rtl.tops.axis:AxisTop")
"""For designs of others: written where it is asked for (``snnc integrate``)."""

REGISTERS: Final = Top(
    name="registers",
    module="snnc_registers",
    title="AXI4-Lite registers",
    component="snnc.rtl.tops.registers:RegistersTop",
)
"""For designs of others with a processor: written where `AXIS` is."""

PARALLEL: Final = Top(
    name="parallel",
    module="snnc_parallel",
    title="plain pins",
    component="snnc.rtl.tops.parallel:ParallelTop",
)
"""For designs of others that speak no bus: written where `AXIS` is."""

SPI: Final = Top(name="spi", module="snnc_spi", title="SPI slave", component="snnc.rtl.tops.spi:SpiTop")
"""For designs of others with a microcontroller beside them: written where `AXIS` is."""

TOPS: Final[Mapping[str, Top]] = MappingProxyType({top.name: top for top in (SHELL,)})
"""Those that every build has."""
