"""What a compilation of a simulation leaves behind, and what it can be used for later."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from snnc.compiler.commands.verify import random_inputs
from snnc.compiler.errors import ToolError
from snnc.sim.cosimulation import simulator
from snnc.sim.cosimulation.simulator import Executable, build_executable, prepare, simulate
from snnc.sim.models import golden
from snnc.sim.models.stimulus import stimulus
from tests.networks import build_graph, random_chain


def test_temporary_files_of_the_compiler_go_where_everything_is_removed(tmp_path, monkeypatch):
    """g++ and make, stopped by an interrupt, leave theirs."""
    monkeypatch.setenv("SNNC_CACHE", str(tmp_path))
    seen = []

    def stopped(command, *, environment, **_):
        folder = Path(environment["TMPDIR"])
        seen.append(folder)
        assert folder.is_dir()
        return -15

    monkeypatch.setattr(simulator, "run_to_end", stopped)
    with pytest.raises(ToolError, match="Verilator failed"):
        build_executable((), {"top.v": "module top; endmodule\n"}, "top")
    assert seen
    assert not seen[0].exists()


def test_an_executable_outlives_the_environment_that_it_was_linked_in(tmp_path, monkeypatch):
    """The cache is the user's, not the virtual environment's."""
    graph = random_chain(sizes=(12, 10, 4), seed=0)
    build = build_graph(graph, tmp_path / "build")
    cached = prepare(build, optimised=False)
    moved = Executable(folder=tmp_path / "moved", top=cached.top)
    shutil.copytree(cached.folder, moved.folder)
    program = moved.folder / moved.top
    # Whichever environment it was: the cache may be older than the one that runs this test.
    code, paths = re.subn(
        rb"/[^\0]*/cocotb/libs\0", lambda path: b"/gone".ljust(len(path[0]) - 1, b"/") + b"\0", program.read_bytes()
    )
    assert paths == 1
    program.write_bytes(code)
    monkeypatch.setattr(simulator, "prepare", lambda *_, **__: moved)
    inputs = random_inputs(build.plan, 2, time_steps=4, density=0.4, seed=0)
    trace = golden.run(graph, inputs, time_steps=4)
    capture = simulate(build, stimulus(build.plan.input, inputs, time_steps=4), longest=1000)
    np.testing.assert_array_equal(capture.logits, trace.logits)
