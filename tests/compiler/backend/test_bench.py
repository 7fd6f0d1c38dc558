"""The bench in a build folder, run as its user would."""

from __future__ import annotations

import subprocess
import sys

import pytest

from snnc.compiler.backend import emit
from snnc.compiler.backend.bench import bench_files
from snnc.compiler.build.folder import open_build, write_build
from snnc.compiler.ir import Encoding
from tests.compiler.networks import random_design
from tests.networks import build_graph, random_chain

DESIGN = random_design((12, 6, 3), time_steps=3)


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "build"
    write_build(path, emit(DESIGN).files, source="a test")
    return path


def run(build, tmp_path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, build / "tb/run.py"], cwd=tmp_path, capture_output=True, text=True)


def test_it_runs_from_anywhere(build, tmp_path):
    result = run(build, tmp_path)
    assert result.returncode == 0, result.stderr
    assert "test_core.py passed: 4 samples" in result.stdout
    open_build(build)


def test_it_loads_spram(tmp_path):
    loaded = build_graph(random_chain((40, 24, 6)), tmp_path / "loaded", lanes=(8, 6), spram=True)
    assert loaded.plan.loaded
    result = run(loaded.path, tmp_path)
    assert result.returncode == 0, result.stderr
    assert "test_core.py passed: 4 samples" in result.stdout


def test_what_the_user_checks_counts(build, tmp_path):
    bench = build / "tb/test_core.py"
    bench.write_text(bench.read_text().replace("fields(got) == fields(expected)", "fields(got) == (1, 2, 3, 4)"))
    result = run(build, tmp_path)
    assert result.returncode != 0
    assert "expected (" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("encoding", Encoding)
def test_it_describes_the_ports(encoding):
    plan = random_design((100, 6, 3), encoding=encoding).complete_plan
    text = bench_files(plan)["tb/test_core.py"]
    assert " 7 bits)" in text
    assert ("value (4 bits)" in text) == (encoding is Encoding.DIRECT)
    assert f"logit ({plan.readout.residual_bits:2} bits)" in text
    compile(text, "test_core.py", "exec")
