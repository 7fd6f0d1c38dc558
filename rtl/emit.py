"""From a plan to RTLIL text."""

import contextlib
import gc
from collections.abc import Iterator, Sequence

from amaranth.back import rtlil  # type: ignore[attr-defined]  # amaranth-stubs lacks it

from snnc.compiler.plan import InputPlan, Plan
from snnc.rtl.core import Core
from snnc.rtl.modules import Modules
from snnc.rtl.send_on_delta import SendOnDelta
from snnc.rtl.tops import CORE, ENCODER, Top

__all__ = ["emit_core", "emit_encoder", "emit_top"]


def emit_core(plan: Plan) -> str:
    """RTLIL of the core alone, top `snnc.rtl.tops.CORE`."""
    modules = Modules(CORE)
    with _without_collection():
        return str(rtlil.convert(Core(plan), name=CORE, platform=modules, emit_src=False)) + modules.text


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


def emit_top(plan: Plan, top: Top, *settings: object) -> str:
    """RTLIL of a top alone, which instantiates the core; `settings` are those of its class."""
    return str(rtlil.convert(top.build(plan, *settings), name=top.module, emit_src=False))


def emit_encoder(plan: InputPlan, thresholds: Sequence[int], bits: int, *, every: int | None = None) -> str:
    """RTLIL of a send-on-delta encoder in front of a core with this input, top `snnc.rtl.tops.ENCODER`."""
    unit = SendOnDelta(plan, thresholds, bits, every=every)
    return str(rtlil.convert(unit, name=ENCODER, emit_src=False))
