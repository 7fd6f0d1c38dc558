"""From a plan to RTLIL text."""

import contextlib
import gc
from collections.abc import Iterator

from amaranth.back import rtlil  # type: ignore[attr-defined]  # amaranth-stubs lacks it

from snnc.compiler.plan import Plan
from snnc.rtl.core import Core
from snnc.rtl.shell import SerialShell

__all__ = ["CORE_TOP", "SHELL_TOP", "emit_core", "emit_shell"]

CORE_TOP = "snnc_core"
SHELL_TOP = "snnc_shell"


def emit_core(plan: Plan) -> str:
    """RTLIL of the core alone, top `CORE_TOP`."""
    with _without_collection():
        return str(rtlil.convert(Core(plan), name=CORE_TOP, emit_src=False))


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """No garbage collection: it would go through the millions of small objects of a netlist again and again, of which
    none is done with before all are. That is a third of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def emit_shell(plan: Plan) -> str:
    """RTLIL of the core in its serial shell, top `SHELL_TOP`; it instantiates `CORE_TOP`."""
    return str(rtlil.convert(SerialShell(plan, CORE_TOP), name=SHELL_TOP, emit_src=False))
