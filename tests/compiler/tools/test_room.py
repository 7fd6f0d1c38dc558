"""A full disk: tools that take it for success, and what is left of their files."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import subprocess
import tempfile

import numpy as np
import pytest

from snnc.compiler.errors import ToolError
from snnc.compiler.targets import load_target, nextpnr
from snnc.compiler.tools import YOSYS, cache_folder, run_tool
from snnc.sim.cosimulation import simulator
from snnc.sim.models.stimulus import from_spikes
from tests.networks import build_graph, random_chain

# Ends with success, as Yosys, nextpnr and icepack do.
HALF = """
import os, sys
folder = os.environ["TMPDIR"] if "{where}" == "TMPDIR" else "."
try:
    with open(os.path.join(folder, "out.json"), "wb", buffering=0) as file:
        for _ in range(64):
            file.write(bytes(65536))
except OSError as error:
    print(error)
sys.exit({status})
"""


def half(where: str, status: int = 0):
    return dataclasses.replace(YOSYS, launch=HALF.format(where=where, status=status))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", place], capture_output=True).returncode:
        pytest.skip("file systems can be mounted by root alone")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_half_a_file_is_no_result(small_disk):
    result = small_disk / "out.json"
    with pytest.raises(ToolError, match=r"Yosys had no room: the disk of '.*small' is full \(No space left"):
        run_tool(half("."), [], cwd=small_disk, log=small_disk / "log", produces=[result])
    assert not result.exists()


@pytest.mark.parametrize("status", [0, 1])
def test_temporary_files_that_found_no_room(status, small_disk, tmp_path, monkeypatch):
    """Whatever the tool says of it: the place is named, and the variable."""
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    with pytest.raises(ToolError, match=r"had no room: the disk of '.*small/snnc-.*' is full.*in TMPDIR"):
        run_tool(half("TMPDIR", status), [], cwd=tmp_path, log=tmp_path / "log")


def test_a_cut_netlist_is_one_sentence(tmp_path, monkeypatch):
    """Where the disk has room again when we look: the file itself tells."""
    cut = "import os\nopen('synth/top.json.part', 'w').write('{\"modules\": {\"top\"')"
    monkeypatch.setattr(nextpnr, "YOSYS", dataclasses.replace(YOSYS, launch=cut))
    target = load_target("ice40")
    (tmp_path / "a.v").write_text("module top; endmodule\n")
    folder = tmp_path / "synth"
    folder.mkdir()
    (folder / "top.json").write_text(json.dumps("good"))
    with pytest.raises(ToolError, match=r"Yosys wrote half of top\.json, which is what a full disk does"):
        target.synthesise([tmp_path / "a.v"], top="top", device=target.device(), folder=folder, base=tmp_path)
    assert json.loads((folder / "top.json").read_text()) == "good"
    assert not list(folder.glob("*.part"))


def test_an_empty_file_is_no_result(tmp_path):
    empty = dataclasses.replace(YOSYS, launch="open('out.json', 'w')")
    with pytest.raises(ToolError, match=r"ended without writing out\.json"):
        run_tool(empty, [], cwd=tmp_path, log=tmp_path / "log", produces=[tmp_path / "out.json"])


def test_what_was_begun_is_removed_after_any_failure(tmp_path):
    fails = dataclasses.replace(YOSYS, launch="import sys; open('out.json', 'w').write('x'); sys.exit(1)")
    with pytest.raises(ToolError, match="Yosys failed"):
        run_tool(fails, [], cwd=tmp_path, log=tmp_path / "log", produces=[tmp_path / "out.json"])
    assert not (tmp_path / "out.json").exists()


def test_a_simulation_without_room_is_no_word_about_the_hardware(small_disk, tmp_path, monkeypatch):
    """The core's record is cut, which used to read as words that the hardware lost."""
    build = build_graph(random_chain(sizes=(12, 10, 4), seed=0), tmp_path / "build")

    def fill(*_, **__):
        with contextlib.suppress(OSError), (small_disk / "much").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 14))

    monkeypatch.setattr(simulator, "prepare", lambda *_, **__: None)
    monkeypatch.setattr(simulator, "run_bench", fill)
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    spikes = from_spikes(np.ones((4, 1, 12), dtype=np.int64))
    with pytest.raises(ToolError, match="The simulation had no room"):
        simulator.simulate(build, spikes, longest=100)


@pytest.mark.parametrize("variable", ["HOME", "SNNC_CACHE", "YOWASP_CACHE_DIR"])
def test_a_cache_that_cannot_be_written_is_named(variable, tmp_path, monkeypatch):
    """One sentence, with the variable that helps, in the place of the tool's traceback."""
    placer = next(tool for tool in load_target("ice40").tools if tool.title == "nextpnr-ice40")
    for name in ("YOWASP_CACHE_DIR", "SNNC_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv(variable, str(blocked / "below"))
    helps = "YOWASP_CACHE_DIR" if variable == "YOWASP_CACHE_DIR" else "SNNC_CACHE"
    with pytest.raises(ToolError) as caught:
        run_tool(placer, ["--version"], cwd=tmp_path, log=tmp_path / "log")
    message = str(caught.value)
    assert re.fullmatch(
        rf"nextpnr-ice40 cannot write its cache '{blocked}/.*' \(Not a directory\); "
        rf"name a folder that can be written in {helps}\.",
        message,
    ), message


def test_all_caches_are_where_snnc_cache_says(tmp_path, monkeypatch):
    """A home that cannot be written is no obstacle then."""
    placer = next(tool for tool in load_target("ice40").tools if tool.title == "nextpnr-ice40")
    assert placer.environment is not None
    monkeypatch.delenv("YOWASP_CACHE_DIR", raising=False)
    monkeypatch.delenv("SNNC_CACHE", raising=False)
    assert placer.environment() == {}
    monkeypatch.setenv("SNNC_CACHE", str(tmp_path))
    assert placer.environment() == {"YOWASP_CACHE_DIR": str(cache_folder() / "yowasp")}
    assert cache_folder() == tmp_path
    monkeypatch.setenv("YOWASP_CACHE_DIR", "/elsewhere")
    assert placer.environment() == {}
