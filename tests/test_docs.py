"""What the documentation shows must be what is."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from snnc.compiler.design import Options
from snnc.compiler.pipeline import compile_network
from snnc.compiler.targets import find_device
from snnc.compiler.tools import verilator_environment


@pytest.fixture(scope="module")
def digits(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Verilog of the bundled digits student."""
    student = repository / "examples" / "students" / "digits-64-32-10-int4.pt"
    design = compile_network(student, find_device("ice40"), Options())
    folder = tmp_path_factory.mktemp("digits")
    for name, data in design.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def test_the_instantiation_example_fits_the_core(repository: Path, digits: Path) -> None:
    (example,) = re.findall(r"```verilog\n(.*?)```", (repository / "docs" / "core.md").read_text(), re.DOTALL)
    top = f"""
    module example(
        input wire clk, input wire rst, input wire pixel_valid, output wire pixel_ready,
        input wire [3:0] pixel, input wire [1:0] marker, input wire event_, input wire [5:0] address,
        output wire result_valid, input wire result_ready
    );
    {example}
    endmodule
    """
    (digits / "example.v").write_text(top)
    # Every port and every width: an example that is a bit too narrow is a warning, and so a failure.
    waived = ("UNUSEDSIGNAL", "CASEINCOMPLETE", "CASEOVERLAP", "UNOPTFLAT", "DECLFILENAME", "TIMESCALEMOD")
    result = subprocess.run(
        [
            *("verilator", "--lint-only", "-Wwarn-WIDTH", "-Wwarn-PINMISSING", "--top-module", "example"),
            *(f"-Wno-{name}" for name in waived),
            *("example.v", "rtl/core.v", "rtl/primitives.v"),
        ],
        cwd=digits,
        env={**os.environ, **verilator_environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    about_the_example = [line for line in result.stderr.splitlines() if line.startswith("%") and "example.v" in line]
    assert not about_the_example, result.stderr
    assert "Can't resolve" not in result.stderr
