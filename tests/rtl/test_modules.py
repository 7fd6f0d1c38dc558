"""Modules that are elaborated once: an instance for each that is placed, and the same circuit without them."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from amaranth.back import rtlil  # type: ignore[attr-defined]
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.rtl.modules import Modules, place
from tests.rtl.benches import simulate


class _Delay(wiring.Component):
    """A register, or a wire."""

    i: Signal
    o: Signal
    built = 0

    def __init__(self, *, registered: bool) -> None:
        self._registered = registered
        super().__init__({"i": In(4), "o": Out(4)})
        type(self).built += 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        domain = m.d.sync if self._registered else m.d.comb
        domain += self.o.eq(self.i)
        return m


class _Chain(wiring.Component):
    """Two registers and a wire, one behind the other."""

    i: Signal
    o: Signal

    def __init__(self) -> None:
        super().__init__({"i": In(4), "o": Out(4)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        value = self.i
        for k, (module, registered) in enumerate((("register", True), ("wire", False), ("register", True))):
            delay = place(m, platform, f"delay{k}", module, partial(_Delay, registered=registered))
            m.d.comb += delay.i.eq(value)
            value = delay.o
        m.d.comb += self.o.eq(value)
        return m


def _kinds(text: str) -> list[str]:
    return re.findall(r"cell \\(\w+) \\delay", text)


def test_each_module_is_converted_once() -> None:
    modules = Modules("design")
    _Delay.built = 0
    text = rtlil.convert(_Chain(), name="design", platform=modules, emit_src=False)
    assert _kinds(text) == ["design_register", "design_wire", "design_register"]
    assert _Delay.built == 2
    assert re.findall(r"^module \\(\w+)$", modules.text, re.MULTILINE) == ["design_register", "design_wire"]
    assert "\\top" not in modules.text


def test_only_what_has_registers_is_clocked() -> None:
    modules = Modules("design")
    text = rtlil.convert(_Chain(), name="design", platform=modules, emit_src=False)
    cells = [cell for cell in text.split("cell ")[1:] if "\\delay" in cell.splitlines()[0]]
    assert ["\\clk" in cell for cell in cells] == [True, False, True]


def test_a_simulation_has_them_all() -> None:
    unit = _Chain()

    async def process(ctx: Any) -> None:
        for value, expected in ((3, 0), (5, 0), (7, 3), (0, 5)):
            ctx.set(unit.i, value)
            assert ctx.get(unit.o) == expected
            await ctx.tick()

    simulate(unit, process)
