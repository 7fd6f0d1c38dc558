"""`import snnc`: what it brings, and that it says no in one sentence."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import snnc
from snnc.compiler.errors import DataError, OptionError
from tests.foreign import integers, written
from tests.networks import random_chain

STUDENT = "examples/students/digits-64-32-10-int4.pt"


@pytest.fixture(scope="module")
def network(repository: Path) -> snnc.Network:
    return snnc.load(repository / STUDENT)


def test_the_page_is_true(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example of docs/python.md, in the order of the page."""
    monkeypatch.chdir(repository)
    monkeypatch.setenv("SNNC_DATA", "")
    failed, tried = doctest.testfile(
        str(repository / "docs" / "python.md"),
        module_relative=False,
        globs={"folder": tmp_path},
        optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE,
        encoding="utf-8",
    )
    assert tried > 15
    assert not failed


def test_an_import_brings_nothing_heavy() -> None:
    code = "import sys, snnc; print(sorted({'torch', 'amaranth', 'onnx', 'numpy', 'click'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_every_public_name_is_there() -> None:
    assert set(snnc.__all__) <= set(dir(snnc))
    for name in snnc.__all__:
        assert getattr(snnc, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        snnc.nonsense  # noqa: B018
    # The table of lazy names is the list of public ones.
    assert set(snnc._WHERE) == set(snnc.__all__)


def test_a_run_is_the_golden_model_s_in_pieces_or_whole(network: snnc.Network) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2500, 1, 8, 8), dtype=np.uint8)
    whole, few = network.run(images, record=False), network.run(images[1234:1240])
    assert not whole.spikes
    assert not whole.membranes
    assert np.array_equal(whole.logits[1234:1240], few.logits)
    assert np.array_equal(whole.classes[1234:1240], few.classes)
    # Spikes by the rule of docs/semantics.md section 2: a soft reset takes the threshold off.
    membranes, spikes = few.membranes["readout"], few.spikes["hidden0"]
    assert np.array_equal(membranes[:, -1, :, 0, 0], few.logits)
    assert spikes.dtype == np.bool_


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((3, 64)), r"float64 of the shape \(3, 64\).*uint8 pixels \(N, 1, 8, 8\)"),
        (np.zeros((3, 8, 8, 1), np.uint8), r"shape \(3, 8, 8, 1\)"),
        (np.zeros((3, 4, 1, 8, 8), np.uint8), r"shape \(3, 4, 1, 8, 8\)"),  # events, and it takes pixels
        (np.zeros((0, 1, 8, 8), np.uint8), "no sample"),
    ],
)
def test_an_array_that_does_not_fit(network: snnc.Network, array: np.ndarray, says: str) -> None:
    with pytest.raises(DataError, match=says):
        network.run(array)


def test_events_are_zeros_and_ones_of_enough_steps() -> None:
    graph = random_chain([6, 5, 3], time_steps=4)
    network = snnc.Network(path=Path("none.pt"), graph=graph)
    events = np.random.default_rng(1).integers(0, 2, (5, 7, 6, 1, 1), dtype=np.uint8)
    assert np.array_equal(network.run(events).logits, network.run(events[:, :4]).logits)
    with pytest.raises(DataError, match="have 3 steps, but 4"):
        network.run(events[:, :3])
    with pytest.raises(DataError, match="reach 2"):
        network.run(events * 2)


def test_options_that_cannot_be(network: snnc.Network, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"no device 'up6k'.*up5k"):
        network.compile(device="up6k", out=tmp_path / "b")
    with pytest.raises(OptionError, match="'fast' is none of latency"):
        network.compile(objective="fast", out=tmp_path / "b")
    with pytest.raises(OptionError, match=r"snnc\.train"):
        snnc.train("digits", out=tmp_path / "s.pt", speed=3)
    assert not list(tmp_path.iterdir())


def test_a_build_that_is_there_is_opened(network: snnc.Network, tmp_path: Path) -> None:
    build = network.compile(device="25k", out=tmp_path / "b", lanes=[8, 10])
    again = snnc.open_build(tmp_path / "b")
    assert again.plan == build.plan
    assert [engine.lanes for engine in again.plan.engines] == [8, 10]
    assert again.plan.target == "ecp5"
    assert "digits" in again.report
    with pytest.raises(OptionError, match="time_steps is 5"):
        again.verify(time_steps=5)


def test_a_file_made_elsewhere_is_read_with_what_it_does_not_say(tmp_path: Path) -> None:
    nir = pytest.importorskip("nir")
    file = written(
        tmp_path / "net.nir",
        {
            "input": nir.Input({"input": np.array([5])}),
            "fc": nir.Linear(integers(np.random.default_rng(0), 4, 5)),
            "lif": nir.LIF(**{name: np.ones(4) * value for name, value in LIF.items()}),
            "answer": nir.Linear(integers(np.random.default_rng(1), 3, 4)),
            "output": nir.Output({"output": np.array([3])}),
        },
        [("input", "fc"), ("fc", "lif"), ("lif", "answer"), ("answer", "output")],
    )
    with pytest.raises(OptionError, match="length of a time step"):
        snnc.load(file)
    network = snnc.load(file, dt=1, reset="soft", encoding="rate", time_steps=6, weight_bits=4)
    assert (network.time_steps, network.graph.source.encoding.value) == (6, "rate")
    assert [finding.verdict.value for finding in network.findings] == ["exact"] * 5
    build = network.compile(out=tmp_path / "b")
    assert build.plan.model_hash == network.hash
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    assert "reset soft" in manifest["source"]
    for options, says in (
        ({"reset": "never"}, r"reset is 'never'; possible are soft, hard, late"),
        ({"dt": "long"}, "dt is 'long'; a value of the type float"),
        ({"speed": 3}, "no option 'speed'.*known are dt"),
    ):
        with pytest.raises(OptionError, match=says):
            snnc.load(file, **options)


LIF = {"tau": 4, "r": 4, "v_leak": 0, "v_threshold": 1, "v_reset": 0}


def test_our_own_files_say_everything(repository: Path) -> None:
    with pytest.raises(OptionError, match="'dt' belongs to networks made elsewhere"):
        snnc.load(repository / STUDENT, dt=1)


def test_a_module_is_read_by_one_call(tmp_path: Path) -> None:
    """The neuron is one of SpikingJelly by its name; the library is not needed."""
    torch = pytest.importorskip("torch")
    from tests.importers import ROWS, network, stub

    row = ROWS["SpikingJelly IF, soft"]
    net = torch.nn.Sequential(*network(row, 0, stub(row)), torch.nn.Linear(32, 10).double())
    found = snnc.from_spikingjelly(net, torch.zeros(1, 24).double(), encoding="direct", bits=4, time_steps=3)
    assert found.path is None
    assert [finding.verdict.value for finding in found.findings] == ["exact"] * 5
    assert found.input_shape == (24, 1, 1)
    images = np.random.default_rng(0).integers(0, 256, (5, 24, 1, 1), dtype=np.uint8)
    assert found.run(images).logits.shape == (5, 10)
    build = found.compile(device="25k", out=tmp_path / "b")
    assert build.plan.model_hash == found.hash
    with pytest.raises(OptionError, match="no option 'speed'"):
        snnc.from_spikingjelly(net, torch.zeros(1, 24).double(), speed=3)


def test_what_a_notebook_shows(network: snnc.Network, tmp_path: Path) -> None:
    shown = network._repr_html_()
    assert all(f'<td style="text-align: left">{layer.name}</td>' in shown for layer in network.graph.populations)
    build = network.compile(out=tmp_path / "build")
    assert "Verification" not in build._repr_html_()
    verdict = build.verify(samples=2)
    assert f"{verdict.spikes:,} of {verdict.spikes:,}" in verdict._repr_html_()
    assert "Verification" in build._repr_html_()
    assert all("<script" not in one._repr_html_() for one in (network, build, verdict))
