"""The hardware of a plan as Verilog: Amaranth gives RTLIL, Yosys writes it down."""

from __future__ import annotations

import importlib.resources
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from snnc.compiler.plan import InputPlan, Plan
from snnc.compiler.tools import YOSYS, run_tool
from snnc.rtl.tops import ENCODER, TOPS

__all__ = ["emit_verilog", "encoder_verilog", "write_verilog"]

_BESIDE: Final = ("primitives.v", "core.vlt")
"""What no plan changes: memories, and why Verilator's lint may be told to be silent."""

# Processes become assignments: an `always @*` that reads nothing never runs in simulation. Both designs in one process,
# which is what takes time. A signal without bits, such as the row of a layer of one row, would be a wire `[-1:0]`.
_SCRIPT: Final = """\
read_rtlil {name}.il
proc
delete s:0
write_verilog -noattr {name}.v
design -reset
"""


_PAIRS: Final = "pairs.v"
"""The memories that two units share, where there are any."""

_PRODUCTS: Final = "products.v"
"""Multipliers, where lanes use them; beside it stands the same for the synthesis of the family."""


def emit_verilog(plan: Plan) -> Mapping[str, str]:
    """Verilog sources by file name, relative to the build folder.

    ``rtl/core.v`` (top ``snnc_core``) and ``rtl/primitives.v`` are the core, ``rtl/core.vlt`` is for its lint;
    every other file is of one of `snnc.rtl.tops`, which instantiates it.

    Raises
    ------
    ToolError
        Yosys is missing or failed.
    """
    # Amaranth is not needed for anything before this.
    from snnc.rtl.emit import emit_core, emit_top

    designs = {"core": emit_core(plan), **{top.name: emit_top(plan, top) for top in TOPS.values()}}
    files = {f"rtl/{design}.v": text for design, text in write_verilog(designs).items()}
    beside = importlib.resources.files("snnc.rtl")
    names = [*_BESIDE]
    if any(engine.pairs for engine in plan.engines):
        names.append(_PAIRS)
    if plan.dsps:
        names += [_PRODUCTS, f"products_{plan.target}.v"]
    return files | {f"rtl/{name}": beside.joinpath(name).read_text(encoding="utf-8") for name in names}


def encoder_verilog(plan: InputPlan, thresholds: Sequence[int], bits: int, *, every: int | None = None) -> str:
    """Verilog of a send-on-delta encoder in front of a core with this input (`snnc.rtl.send_on_delta`).

    Raises
    ------
    ToolError
        Yosys is missing or failed.
    """
    from snnc.rtl.emit import emit_encoder

    return write_verilog({ENCODER: emit_encoder(plan, thresholds, bits, every=every)})[ENCODER]


def write_verilog(designs: Mapping[str, str]) -> Mapping[str, str]:
    """Verilog of designs in RTLIL, by their names.

    Raises
    ------
    ToolError
        Yosys is missing or failed.
    """
    with tempfile.TemporaryDirectory(prefix="snnc-") as name:
        folder = Path(name)
        for design, rtlil in designs.items():
            (folder / f"{design}.il").write_text(rtlil, encoding="utf-8")
        script = "".join(_SCRIPT.format(name=design) for design in designs)
        (folder / "write.ys").write_text(script, encoding="utf-8")
        run_tool(YOSYS, ["-s", "write.ys"], cwd=folder, log=folder / "yosys.log", timeout=300)
        return {design: (folder / f"{design}.v").read_text(encoding="utf-8") for design in designs}
