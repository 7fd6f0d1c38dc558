"""``--dataset`` and ``--data``: the same in every command that has them."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import click
import numpy as np
import pytest

import snnc
from snnc.compiler import cli
from snnc.compiler.commands.datasets import dataset_of
from snnc.compiler.errors import OptionError
from snnc.compiler.ir import Encoding
from snnc.distill.config import defaults_for
from snnc.distill.data import DATASETS, chosen, load

COMMANDS = (
    ("evaluate", "evaluate"),
    ("activity", "activity_command"),
    ("early_exit", "early_exit"),
    ("run", "run_command"),
    ("verify", "verify"),
    ("compile", "compile_command"),
    ("distill", "distill"),
    ("quantise", "quantise_command"),
    ("compare", "compare_command"),
)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Events of three classes, ``(N, T, C)``; each class has addresses of its own."""
    generator, labels = np.random.default_rng(0), np.arange(120) % 3
    rates = np.where(np.arange(12) // 4 == labels[:, np.newaxis], 0.5, 0.1)
    events = (generator.random((120, 9, 12)) < rates[:, np.newaxis]).astype(np.uint8)
    path = tmp_path / "own.npz"
    np.savez(path, x_train=events[:90], y_train=labels[:90], x_test=events[90:], y_test=labels[90:])
    return path


@pytest.mark.parametrize(("module", "name"), COMMANDS)
def test_every_command_lists_every_data_set(module: str, name: str) -> None:
    command = getattr(importlib.import_module(f"snnc.compiler.commands.{module}"), name)
    options = {option.opts[-1]: option for option in command.params if isinstance(option, click.Option)}
    said = f"{options['--dataset'].help} {getattr(options['--dataset'].type, 'choices', ())}"
    assert [dataset for dataset in DATASETS if dataset not in said] == []
    assert ".npz" in str(options["--data"].help)


def test_a_file_of_ones_own_says_which_data_set_it_is(own: Path, tmp_path: Path) -> None:
    assert chosen(None, own) == chosen("npz", own) == dataset_of(None, own) == "npz"
    assert chosen(None, None) is None
    assert chosen("digits", tmp_path) == "digits"
    with pytest.raises(OptionError, match="is a file of your own, but --dataset says mnist: leave --dataset out"):
        chosen("mnist", own)
    with pytest.raises(click.UsageError, match="--data needs --dataset: which of the data sets in that folder"):
        dataset_of(None, tmp_path)


def test_steps_shape_and_encoding_come_from_the_file(own: Path) -> None:
    defaults = defaults_for(load("npz", own))
    assert (defaults.time_steps, defaults.encoding, defaults.architecture) == (9, Encoding.EVENTS, "12-32-3")


@pytest.mark.heavy
def test_the_whole_way_with_data_alone(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    student, build, data = tmp_path / "own.pt", tmp_path / "build", ["--data", str(own)]
    fast = ["--teacher-epochs", "0", "--twin-epochs", "2", "--epochs", "4", "--loss", "cross-entropy"]
    assert cli.run(["distill", *data, *fast, "-o", str(student)]) == 0
    graph = snnc.load(student).graph
    assert (graph.time_steps, graph.input.shape, graph.source.encoding) == (9, (12, 1, 1), Encoding.EVENTS)
    noise = ["--noise", "all", "--noise-samples", "4"]
    assert cli.run(["evaluate", str(student), *data, *noise, "-o", str(tmp_path / "evaluation")]) == 0
    assert "--noise all leaves out gaussian, " in capsys.readouterr().err
    assert cli.run(["compile", str(student), *data, "--lanes", "8,3", "-o", str(build)]) == 0
    assert cli.run(["verify", str(build), *data]) == 0
    assert "Equal: 30 samples, " in capsys.readouterr().out


def test_a_device_without_its_spram(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["compile", "--random", "784-128-10", "--no-spram", "--print-after", "bound"]) == 1
    assert re.search(r"needs 1\d\d EBR \(it has 30\)", capsys.readouterr().err)
