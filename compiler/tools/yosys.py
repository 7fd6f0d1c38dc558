"""Yosys: synthesis for every family, and what writes Verilog."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from snnc.compiler.errors import ToolError
from snnc.compiler.tools.tool import Tool

__all__ = ["YOSYS", "yosys_folder"]

# pyosys is a library without yosys's command line. Only "-s SCRIPT" is needed of it, which native Yosys reads alike.
# The lines go in one by one: Yosys's own "script" command cannot open a path with a space in it.
_LAUNCH: Final = """
import sys
from pyosys import libyosys
option, script = sys.argv[1:]
assert option == "-s", option
with open(script, encoding="utf-8") as lines:
    for line in lines:
        libyosys.run_pass(line.strip())
"""

YOSYS: Final = Tool(title="Yosys", module="pyosys", distribution="pyosys", variable="SNNC_YOSYS", launch=_LAUNCH)


def yosys_folder() -> Path:
    """Where Yosys keeps its own files, the models of FPGA cells among them.

    Raises
    ------
    ToolError
        Yosys is missing, or a native one is not installed as usual.
    """
    if not YOSYS.native_name:
        return YOSYS.package_folder() / "share"
    folder = YOSYS.native().resolve().parents[1] / "share" / "yosys"
    if not folder.is_dir():
        raise ToolError(f"Yosys's own files are not at {folder}: unset {YOSYS.variable} to use the package's.")
    return folder
