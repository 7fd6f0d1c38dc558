"""Probes: each value under the name by which `sim` reads it."""

from __future__ import annotations

from amaranth.back import rtlil  # type: ignore[attr-defined]  # amaranth-stubs lacks it
from amaranth.hdl import Module, Signal

from snnc.rtl.probes import probe


def test_each_value_has_its_name_and_width() -> None:
    m = Module()
    given = {name: Signal(width, name=f"given_{name}") for name, width in (("execute", 1), ("sweep", 1), ("word", 5))}
    given |= {"spikes": Signal(3, name="given_spikes"), "membranes": Signal(21, name="given_membranes")}
    probe(m, **given)
    text = rtlil.convert(m, ports=list(given.values()), emit_src=False)
    for name, value in given.items():
        bits = f"[{len(value) - 1}:0]" if len(value) > 1 else "[0]"
        assert f"wire width {len(value)} \\probe_{name}\n" in text
        assert f"connect \\probe_{name} \\given_{name} {bits}\n" in text
