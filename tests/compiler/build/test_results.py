"""Results of commands in a build: they stay until whole new ones take their place."""

from __future__ import annotations

import json
import threading

import pytest

from snnc.compiler.backend import emit
from snnc.compiler.build.folder import open_build, write_build
from snnc.compiler.build.report import Section, update_report
from snnc.compiler.build.results import RESULT, RESULT_VERSION, results_folder, write_result
from snnc.compiler.errors import BuildError, ToolError
from tests.compiler.networks import random_design

DESIGN = random_design((12, 6, 3))
FILES = emit(DESIGN).files


@pytest.fixture
def build(tmp_path):
    write_build(tmp_path / "build", FILES, source="a test")
    return open_build(tmp_path / "build")


def section(value: int, title: str = "Synthesis") -> Section:
    return Section(title=title, summary=f"Number {value}.", facts={"value": value})


def titles(build) -> list[str]:
    return [entry["title"] for entry in json.loads((build.path / "report.json").read_text())["sections"]]


@pytest.fixture
def done(build):
    with results_folder(build, "synth", section="Synthesis") as folder:
        write_result(build, folder, section(1))
    return build


def interrupted(build, error) -> None:
    with results_folder(build, "synth", section="Synthesis"):
        raise error


def test_an_interrupt_leaves_the_earlier_result(done):
    with pytest.raises(KeyboardInterrupt):
        interrupted(done, KeyboardInterrupt)
    assert json.loads((done.path / "synth" / RESULT).read_text()) == {"version": RESULT_VERSION, "value": 1}
    assert titles(done) == ["Synthesis"]


def test_a_failure_takes_back_the_result_and_its_section(done):
    with pytest.raises(ToolError):
        interrupted(done, ToolError("no such luck"))
    assert not (done.path / "synth" / RESULT).exists()
    assert titles(done) == []
    assert "Number 1." not in (done.path / "report.md").read_text()


def test_two_at_once_in_one_folder(build):
    with results_folder(build, "synth", section="Synthesis"):
        with (
            pytest.raises(BuildError, match="Another 'snnc synth' is at work in"),
            results_folder(build, "synth", section="Synthesis"),
        ):
            pytest.fail("the second one began to work")
        with results_folder(build, "verify", section="Verification"):
            pass
    with results_folder(build, "synth", section="Synthesis"):
        pass


def test_a_folder_that_cannot_be_made_is_named(build):
    (build.path / "verify").write_text("in the way\n")
    with (
        pytest.raises(BuildError, match=r"verify' cannot be written: File exists"),
        results_folder(build, "verify", section="Verification"),
    ):
        pytest.fail("there is no folder")


def test_a_build_that_was_replaced_gets_no_result(build):
    with results_folder(build, "synth", section="Synthesis") as folder:
        other = emit(random_design((12, 5, 3))).files
        for name, data in other.items():
            (build.path / name).write_bytes(data)
        with pytest.raises(BuildError, match="was changed while"):
            write_result(build, folder, section(1))
    assert not (folder / RESULT).exists()


def test_sections_that_are_added_at_once_are_all_there(build):
    """Two commands may end in the same moment: neither section is lost, no file is half of each."""
    names = [f"Section {number}" for number in range(8)]
    threads = [
        threading.Thread(target=update_report, args=(build.path, section(number, name)))
        for number, name in enumerate(names)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(titles(build)) == names
