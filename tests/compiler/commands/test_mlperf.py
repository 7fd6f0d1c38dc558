"""`snnc mlperf`, and what `snnc build --protocol mlperf-tiny` refuses."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from snnc.compiler import cli
from snnc.compiler.boards import find_board
from snnc.compiler.build.folder import open_build
from snnc.compiler.commands.board_top import model_name
from snnc.compiler.commands.build import _check_protocol
from snnc.compiler.errors import OptionError
from snnc.compiler.ir import Encoding
from snnc.rtl.tops import MLPERF, UART
from tests.networks import build_graph, random_chain


@pytest.fixture(scope="module")
def built(repository, tmp_path_factory):
    """The digits' build as `snnc build` leaves it, without a bitstream that anything could run."""
    path = tmp_path_factory.mktemp("mlperf") / "digits"
    assert cli.run(["compile", str(repository / "examples/students/digits-64-32-10-int4.pt"), "-o", str(path)]) == 0
    folder = path / "board"
    folder.mkdir()
    (folder / "a.bin").write_text("bitstream")
    return path


def made(path, protocol):
    facts = {
        "board": "icebreaker",
        "baud": 115_200,
        "protocol": protocol,
        "bitstream": "board/a.bin",
        "sha256": hashlib.sha256(b"bitstream").hexdigest(),
        "model_hash": open_build(path).model_hash,
    }
    (path / "board" / "result.json").write_text(json.dumps(facts))


def test_samples_labels_and_scripts_are_written(built, tmp_path, capsys):
    made(built, "mlperf-tiny")
    command = ["mlperf", str(built), "--dataset", "digits", "--samples", "7", "-o", str(tmp_path / "runner")]
    for _ in range(2):  # its own folder is written again
        assert cli.run(command) == 0
    assert "7 samples of 64 bytes" in capsys.readouterr().out
    folder = tmp_path / "runner" / "datasets" / "digits-64-32-10-int4"
    rows = [line.split(",") for line in (folder / "y_labels.csv").read_text().splitlines()]
    assert [name for name, *_ in rows] == [f"{number:05d}.bin" for number in range(7)]
    assert {classes for _, classes, _ in rows} == {"10"}
    assert {int(label) for *_, label in rows} <= set(range(10))
    pixels = np.frombuffer((folder / "00000.bin").read_bytes(), dtype=np.uint8)
    assert (len(pixels), int(pixels.max())) == (64, 15)
    assert "infer 1 0" in (tmp_path / "runner" / "tests_accuracy.yaml").read_text()
    assert "loop 5" in (tmp_path / "runner" / "tests_performance.yaml").read_text()
    assert "baud: 115200" in (tmp_path / "runner" / "devices.yaml").read_text()
    assert sorted(path.name for path in (tmp_path / "runner").iterdir()) == [
        "datasets",
        "devices.yaml",
        "tests_accuracy.yaml",
        "tests_performance.yaml",
    ]


def test_another_folder_and_another_protocol_are_refused(built, tmp_path, capsys):
    made(built, "mlperf-tiny")
    (tmp_path / "mine").mkdir()
    assert cli.run(["mlperf", str(built), "--dataset", "digits", "-o", str(tmp_path / "mine")]) == 1
    assert "no folder of this command" in capsys.readouterr().err
    made(built, "frames")
    assert cli.run(["mlperf", str(built), "--dataset", "digits", "-o", str(tmp_path / "new")]) == 1
    assert "build it with --protocol mlperf-tiny" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_weights_that_no_command_loads_are_refused(tmp_path):
    graph = random_chain((40, 24, 10), encoding=Encoding.DIRECT, seed=4)
    build = build_graph(graph, tmp_path / "build", lanes=(4, 4), spram=True)
    with pytest.raises(OptionError, match=r"UPduino.*no flash for them"):
        _check_protocol(find_board("upduino3"), MLPERF, build.plan)
    _check_protocol(find_board("upduino3"), UART, build.plan)
    _check_protocol(find_board("icebreaker"), MLPERF, build.plan)


def test_a_model_is_called_what_any_line_can_carry(built, monkeypatch):
    build = open_build(built)
    assert model_name(build) == "digits-64-32-10-int4"
    monkeypatch.setitem(build.manifest, "source", "students/a b]ü%.pt")
    assert model_name(build) == "a-b---"
    monkeypatch.setitem(build.manifest, "source", "")
    assert model_name(build) == "model"
