"""What a compilation of a simulation leaves behind."""

from __future__ import annotations

import os
from pathlib import Path

import cocotb_tools.runner
import pytest

from snnc.compiler.errors import ToolError
from snnc.sim.cosimulation import build_executable


def test_temporary_files_of_the_compiler_go_where_everything_is_removed(tmp_path, monkeypatch):
    """g++ and make, stopped by an interrupt, leave theirs."""
    monkeypatch.setenv("SNNC_CACHE", str(tmp_path))
    seen = []

    def stopped(name):
        folder = Path(os.environ["TMPDIR"])
        seen.append(folder)
        assert folder.is_dir()
        raise RuntimeError

    monkeypatch.setattr(cocotb_tools.runner, "get_runner", stopped)
    with pytest.raises(ToolError, match="Verilator failed"):
        build_executable((), {"top.v": "module top; endmodule\n"}, "top")
    assert seen
    assert not seen[0].exists()
