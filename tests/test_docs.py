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
from tests.emitted import random_files
from tests.networks import build_graph, random_chain


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


@pytest.mark.parametrize("name", ["digits", "random 0", "random 1", "random 3", "loaded"])
@pytest.mark.parametrize("top", ["core", "shell"])
@pytest.mark.parametrize("strict", [(), ("-Wall",)], ids=["default", "Wall"])
def test_lint_is_silent_with_the_waivers_of_the_build(
    name: str, top: str, strict: tuple[str, ...], digits: Path, tmp_path: Path
) -> None:
    """Without them a user who takes the core into his own project sees dozens of warnings, and an error."""
    folder = digits
    if name != "digits":
        folder = tmp_path
        if name == "loaded":
            folder = build_graph(random_chain((40, 24, 6)), tmp_path / "build", lanes=(8, 6), spram=True).path
        else:
            for file, data in random_files(int(name.split()[1])).items():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_bytes(data)
    beside = [name for name in ("rtl/pairs.v", "rtl/products.v", "rtl/products_ice40.v") if (folder / name).exists()]
    sources = ["rtl/core.v", "rtl/primitives.v", *beside, *(["rtl/shell.v"] if top == "shell" else [])]

    def lint(*waivers: str) -> subprocess.CompletedProcess[str]:
        command = ["verilator", "--lint-only", *strict, "--top-module", f"snnc_{top}", *waivers, *sources]
        environment = {**os.environ, **verilator_environment()}
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    found = lint("rtl/core.vlt")
    assert (found.returncode, found.stderr) == (0, "")
    assert lint().returncode != 0


_BUILT = re.compile(r"rtl/(core|shell|primitives)\.v(lt)?")
"""Files of a build folder, whose names look like ours."""


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/*.md"])
def test_a_file_that_a_page_names_is_there(repository: Path, page: str) -> None:
    for path in repository.glob(page):
        for name in re.findall(
            r"`((?:compiler|rtl|sim|distill|tests|benchmarks|scripts|examples)/[\w./-]*)`", path.read_text()
        ):
            if "NAME" not in name and not _BUILT.fullmatch(name):
                assert (repository / name).exists(), f"{path.name} names {name}"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md"])
def test_a_link_leads_somewhere(repository: Path, page: str) -> None:
    for path in repository.glob(page):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"
