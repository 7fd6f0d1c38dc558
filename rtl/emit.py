"""From a plan to RTLIL text."""

from amaranth.back import rtlil  # type: ignore[attr-defined]  # amaranth-stubs lacks it

from snnc.compiler.plan import Plan
from snnc.rtl.core import Core
from snnc.rtl.shell import SerialShell

__all__ = ["CORE_TOP", "SHELL_TOP", "emit_core", "emit_shell"]

CORE_TOP = "snnc_core"
SHELL_TOP = "snnc_shell"


def emit_core(plan: Plan) -> str:
    """RTLIL of the core alone, top `CORE_TOP`."""
    return str(rtlil.convert(Core(plan), name=CORE_TOP, emit_src=False))


def emit_shell(plan: Plan) -> str:
    """RTLIL of the core in its serial shell, top `SHELL_TOP`; it instantiates `CORE_TOP`."""
    return str(rtlil.convert(SerialShell(plan, CORE_TOP), name=SHELL_TOP, emit_src=False))
