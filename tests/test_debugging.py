"""docs/debugging.md, from the message to the line: its bug is planted, its commands are run, its trace is read."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import snnc
import snnc.rtl.lanes
from snnc.compiler import cli
from snnc.compiler.errors import VerificationError
from tests.waves import Waves


@pytest.fixture
def page(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The page; its commands are run in a folder that holds the examples."""
    (tmp_path / "examples").symlink_to(repository / "examples")
    monkeypatch.chdir(tmp_path)
    return (repository / "docs" / "debugging.md").read_text(encoding="utf-8")


def _sessions(page: str) -> Iterator[tuple[list[str], list[str]]]:
    """The arguments of each quoted command, and the lines below it."""
    for found in re.finditer(r"^    \$ snnc (.*)\n((?:    (?!\$).+\n)*)", page, re.MULTILINE):
        yield shlex.split(found[1]), [line.strip() for line in found[2].splitlines()]


def _plant(repository: Path, right: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (repository / "rtl" / "neurons.py").read_text(encoding="utf-8")
    assert source.count(f"    {right}\n") == 1  # the line of the page is the line of the file
    module = ModuleType("tidied")
    exec(compile(source.replace(right, wrong), "tidied", "exec"), module.__dict__)
    monkeypatch.setattr(snnc.rtl.lanes, "swept", module.swept)


def test_the_page_leads_from_the_message_to_the_line(
    page: str, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong, right = re.findall(r"^    (positive = .*)$", page, re.MULTILINE)
    sessions = list(_sessions(page))
    assert [arguments[0] for arguments, _ in sessions] == ["compile", "verify", "verify", "compile", "verify"]
    with monkeypatch.context() as planted:
        _plant(repository, right, wrong, planted)
        for arguments, quoted in sessions[:3]:
            status = cli.run(arguments)
            captured = capsys.readouterr()
            assert status == (arguments[0] == "verify")
            assert captured.err.splitlines() == quoted
    _check_table(page, Waves(Path("bug.vcd")))
    for arguments, quoted in sessions[3:]:
        assert cli.run(arguments) == 0
        assert capsys.readouterr().out.splitlines()[: len(quoted)] == quoted


def test_a_wrong_constant_is_traced_through_the_python_interface(page: str, tmp_path: Path) -> None:
    snnc.load("examples/students/digits-64-32-10-int4.pt").compile(device="up5k", out=tmp_path / "build")
    image, manifest = tmp_path / "build" / "images" / "readout.constants.hex", tmp_path / "build" / "manifest.json"
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    first, *others = image.read_text().splitlines()
    image.write_text("\n".join([f"{int(first, 16) ^ 1:0{len(first)}x}", *others, ""]))
    sealed = manifest.read_text()
    assert digest in sealed  # a file that somebody edited is found at once; here whatever wrote it was wrong
    manifest.write_text(sealed.replace(digest, hashlib.sha256(image.read_bytes()).hexdigest()))
    with pytest.raises(VerificationError, match=r"Membrane of .*'readout', step 0, neuron 0: .* in 'readout'") as found:
        snnc.open_build(tmp_path / "build").verify(samples=1, trace=tmp_path / "trace.fst")
    waves = Waves(tmp_path / "trace.fst")
    first_difference = int(waves.pulses("core.differs")[0])
    assert f"at {first_difference} ns" in str(found.value)
    hardware, model = (
        waves.at(f"core.readout.lane0.{name}", [first_difference])[0] for name in ("membrane", "membrane_golden")
    )
    assert abs(hardware - model) == 1
    assert f"expected {model}, got {hardware}." in str(found.value)


def _check_table(page: str, waves: Waves) -> None:
    """What the page shows of the trace is what a viewer shows."""
    (table,) = re.findall(r"^    time  operation.*\n(?:    .+\n)+", page, re.MULTILINE)
    titles, *rows = (line.split() for line in table.splitlines())
    assert len(rows) == 5
    assert waves.pulses("core.differs")[0] == int(rows[-1][0])
    lane, _ = titles[3].split(".")
    scopes = ["hidden0"] * 2 + [f"hidden0.{lane}"] * (len(titles) - 3)
    for row in rows:
        for scope, title, value in zip(scopes, titles[1:], row[1:], strict=True):
            (found,) = waves.at(f"core.{scope}.{title.rpartition('.')[2]}", [int(row[0])])
            assert str(found) == value
