"""The emitted Verilog: its modules and their ports."""

from __future__ import annotations

import re

from amaranth.back import rtlil  # type: ignore[attr-defined]  # amaranth-stubs lacks it

from snnc.compiler.backend.verilog import emit_verilog, encoder_verilog, write_verilog
from snnc.compiler.ir import Encoding
from snnc.compiler.plan import InputPlan, unsigned_bits
from snnc.rtl.word_counter import WordCounter
from tests.compiler.networks import random_design
from tests.rtl.plans import layout


def ports(text: str, module: str) -> dict[str, tuple[str, int]]:
    """Direction and width of every port."""
    body = re.search(rf"^module {module}\(.*?^endmodule", text, re.MULTILINE | re.DOTALL)
    assert body is not None
    found = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+) ?;", body[0], re.MULTILINE)
    return {name: (direction, int(high or 0) + 1) for direction, high, name in found}


def test_modules_and_ports():
    plan = random_design((12, 6, 3)).complete_plan
    files = emit_verilog(plan)
    assert set(files) == {"rtl/core.v", "rtl/shell.v", "rtl/primitives.v", "rtl/core.vlt"}
    readout = plan.readout.residual_bits + 2 * unsigned_bits(plan.readout.neurons - 1) + 1
    assert ports(files["rtl/core.v"], "snnc_core") == {
        "clk": ("input", 1),
        "rst": ("input", 1),
        "i__valid": ("input", 1),
        "i__ready": ("output", 1),
        "i__payload": ("input", 4 + 1 + 2),
        "o__valid": ("output", 1),
        "o__ready": ("input", 1),
        "o__payload": ("output", readout),
    }
    assert "snnc_core" in files["rtl/shell.v"]
    assert len(ports(files["rtl/shell.v"], "snnc_shell")) == 8
    assert emit_verilog(plan) == files


def test_a_loaded_core_has_a_port_more_and_its_shell_has_not():
    plan = random_design((784, 128, 10)).complete_plan
    files = emit_verilog(plan)
    core = ports(files["rtl/core.v"], "snnc_core")
    assert len(core) == 11
    assert {name: port for name, port in core.items() if name.startswith("load")} == {
        "load__valid": ("input", 1),
        "load__ready": ("output", 1),
        "load__payload": ("input", 16),
    }
    assert len(ports(files["rtl/shell.v"], "snnc_shell")) == 8


def test_signals_without_bits_do_not_become_wires():
    one_row = rtlil.convert(WordCounter(layout(22, 1, 7, lanes=2), 1, 2), name="words")
    one_channel = InputPlan(name="input", encoding=Encoding.EVENTS, layout=layout(2), value_bits=1)
    for text in (write_verilog({"words": one_row})["words"], encoder_verilog(one_channel, (3,), 8)):
        assert "wire" in text
        assert "[-1:0]" not in text
