"""`snnc encoder`, as its user meets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from snnc.compiler import cli
from snnc.compiler.build.folder import Build
from snnc.compiler.ir import Encoding
from tests.networks import build_graph, random_chain
from tests.streams import streaming


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    graph = streaming(random_chain((8, 9, 3), time_steps=25))
    return build_graph(graph, tmp_path_factory.mktemp("encoder") / "build", lanes=(4, 3))


def test_an_encoder_is_written(build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "encoder.v"
    arguments = ["--thresholds", "20,30,90,900", "--bits", "14", "--every", "25", "-o", str(file)]
    assert cli.run(["encoder", str(build.path), *arguments]) == 0
    assert "4 channels of 14 bits, 8 addresses, an answer every 25 steps" in capsys.readouterr().out
    assert "module snnc_send_on_delta(" in file.read_text().replace("\\", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--thresholds", "20,30"], "gives 2, which make 4 addresses, up and down, but"),
        (["--thresholds", "20,30,0,1"], "is not a list of numbers from 1 to 2^32 - 1"),
        (["--thresholds", "20,30,x,1"], "is not a list of numbers"),
        (["--thresholds", "20,30,90,900", "--every", "26"], "proven for 25 steps between two answers; compile with"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    build: Build, tmp_path: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["encoder", str(build.path), *arguments, "-o", str(tmp_path / "no.v")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not (tmp_path / "no.v").exists()


def test_a_core_of_images_has_no_encoder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = build_graph(random_chain((8, 9, 3), encoding=Encoding.DIRECT), tmp_path / "build", lanes=(4, 3))
    assert cli.run(["encoder", str(images.path), "--thresholds", "1,2,3,4", "-o", str(tmp_path / "no.v")]) == 1
    assert "takes no events of channels alone" in capsys.readouterr().err
