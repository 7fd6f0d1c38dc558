"""What a compilation of a simulation leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from snnc.compiler.errors import ToolError
from snnc.sim import cosimulation
from snnc.sim.cosimulation import build_executable


def test_temporary_files_of_the_compiler_go_where_everything_is_removed(tmp_path, monkeypatch):
    """g++ and make, stopped by an interrupt, leave theirs."""
    monkeypatch.setenv("SNNC_CACHE", str(tmp_path))
    seen = []

    def stopped(command, *, environment, **_):
        folder = Path(environment["TMPDIR"])
        seen.append(folder)
        assert folder.is_dir()
        return -15

    monkeypatch.setattr(cosimulation, "run_to_end", stopped)
    with pytest.raises(ToolError, match="Verilator failed"):
        build_executable((), {"top.v": "module top; endmodule\n"}, "top")
    assert seen
    assert not seen[0].exists()
