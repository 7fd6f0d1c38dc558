"""One way from data to input: every command draws the same, in any batches, over any number of steps."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnc.compiler.build.folder import Build
from snnc.compiler.commands.verify import dataset_inputs
from snnc.compiler.errors import DataError
from snnc.compiler.ir import Encoding, Graph, InputSource
from snnc.distill.exactness import integer_inputs
from snnc.sim.models.inputs import encode, encoded_batches, load_samples
from tests.networks import random_chain

SHAPE = (2, 3, 2)
STEPS = 5
COUNT = 7


def network(encoding: Encoding, bits: int) -> Graph:
    return random_chain((12, 3), encoding=encoding, value_bits=bits, time_steps=STEPS)


def saved(path: Path, samples: npt.NDArray[np.uint8]) -> Path:
    labels = np.arange(len(samples)) % 3
    np.savez(path, x_train=samples, y_train=labels, x_test=samples, y_test=labels, classes=np.array(["a", "b", "c"]))
    return path


def data(seed: int, *, events: bool) -> npt.NDArray[np.uint8]:
    generator = np.random.default_rng(seed)
    if events:
        return generator.integers(0, 2, (COUNT, STEPS + 1, *SHAPE), dtype=np.uint8)
    return generator.integers(0, 256, (COUNT, *SHAPE), dtype=np.uint8)


def of_verify(graph: Graph, path: Path, **options: Any) -> npt.NDArray[Any]:
    build = cast(Build, SimpleNamespace(load_graph=lambda: graph))
    inputs, labels = dataset_inputs(build, "npz", **({"data": path, "samples": None, "time_steps": STEPS} | options))
    assert labels.tolist() == [sample % 3 for sample in range(len(labels))]
    return inputs


KINDS = [(Encoding.DIRECT, False), (Encoding.RATE, False), (Encoding.EVENTS, False), (Encoding.EVENTS, True)]


@pytest.mark.parametrize(("encoding", "events"), KINDS)
@given(seed=st.integers(0, 2**16), bits=st.integers(1, 8), batch=st.integers(1, COUNT), steps=st.integers(1, STEPS))
def test_verify_evaluate_and_distill_take_the_same(tmp_path_factory, encoding, events, seed, bits, batch, steps):
    bits = 1 if encoding is Encoding.EVENTS else bits
    graph = network(encoding, bits)
    samples = data(seed, events=events)
    path = saved(tmp_path_factory.mktemp("data") / "own.npz", samples)
    direct = encoding is Encoding.DIRECT

    verified = of_verify(graph, path)
    tests = load_samples(graph, "npz", data=path)
    pieces = [inputs for _, inputs in encoded_batches(graph, tests, time_steps=steps, batch=batch)]
    evaluated = np.concatenate(pieces, axis=0 if direct else 1)
    assert np.array_equal(evaluated, verified if direct else verified[:steps])

    checkpoint = {"input": {"bits": bits, "encoding": encoding.value}, "time_steps": STEPS}
    trained = integer_inputs(checkpoint, tests.images, events=events)
    assert trained.shape == (STEPS, COUNT, *SHAPE)
    assert np.array_equal(trained.reshape(STEPS, COUNT, -1), np.broadcast_to(verified, (STEPS, COUNT, 12)))
    later = integer_inputs(checkpoint, tests.images[1:], events=events, first=1)
    assert np.array_equal(later, trained[:, 1:])


def test_events_are_the_first_bins_of_a_recording(tmp_path):
    samples = data(3, events=True)
    inputs = of_verify(network(Encoding.EVENTS, 1), saved(tmp_path / "own.npz", samples))
    assert np.array_equal(inputs, samples[:, :STEPS].reshape(COUNT, STEPS, 12).swapaxes(0, 1))


def test_pixels_become_events_as_often_as_they_are_bright():
    pixels = np.tile(np.array([0, 64, 255], np.uint8), (400, 1)).reshape(400, 1, 1, 3)
    source = InputSource(encoding=Encoding.EVENTS, bits=1)
    spikes = encode(source, pixels, time_steps=20, events=False)
    rates = spikes.mean(axis=(0, 1))
    assert rates[0] == 0
    assert rates[2] == 1
    assert abs(rates[1] - 64 / 255) < 0.02  # 8000 draws: four standard deviations
    again, other = (encode(source, pixels, time_steps=20, events=False, seed=seed) for seed in (0, 1))
    assert np.array_equal(spikes, again)
    assert not np.array_equal(spikes, other)
    # No two samples share their draws.
    assert not np.array_equal(spikes[:, 0], spikes[:, 1])


@pytest.mark.parametrize(
    ("encoding", "shape", "classes", "said"),
    [
        (Encoding.DIRECT, (1, 3, 3), 3, "have the shape 1x3x3, but the network"),
        (Encoding.DIRECT, SHAPE, 4, "has 4 classes, but the network"),
        (Encoding.DIRECT, (STEPS, *SHAPE), 3, "are events, but the network"),
        (Encoding.EVENTS, (STEPS - 1, *SHAPE), 3, "have 4 time steps, but the network runs for 5; give --time-steps 4"),
    ],
)
def test_one_sentence_says_what_does_not_fit(tmp_path, encoding, shape, classes, said):
    labels = np.arange(8) % classes
    samples = np.zeros((8, *shape), np.uint8)
    np.savez(tmp_path / "own.npz", x_train=samples, y_train=labels, x_test=samples, y_test=labels)
    graph = network(encoding, 1)
    for loaded in (
        lambda: load_samples(graph, "npz", data=tmp_path / "own.npz"),
        lambda: of_verify(graph, tmp_path / "own.npz"),
    ):
        with pytest.raises(DataError) as error:
            loaded()
        assert said in str(error.value)


def test_a_shorter_run_takes_shorter_recordings(tmp_path):
    path = saved(tmp_path / "own.npz", data(0, events=True)[:, : STEPS - 1])
    assert of_verify(network(Encoding.EVENTS, 1), path, time_steps=STEPS - 1, samples=4).shape == (STEPS - 1, 4, 12)


def test_large_samples_make_small_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = network(Encoding.EVENTS, 1)
    tests = load_samples(graph, "npz", data=saved(tmp_path / "own.npz", data(0, events=True)))
    whole = [inputs for _, inputs in encoded_batches(graph, tests, time_steps=STEPS, batch=COUNT)]
    monkeypatch.setattr("snnc.sim.models.inputs._SPIKES", 3 * STEPS * 12 + 5)
    parts = [inputs for _, inputs in encoded_batches(graph, tests, time_steps=STEPS, batch=COUNT)]
    assert max(part.shape[1] for part in parts) == 3
    assert np.array_equal(np.concatenate(parts, axis=1), whole[0])
