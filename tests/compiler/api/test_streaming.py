"""`Network.stream`: a network that hears events one step after the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import snnc
from snnc.compiler.errors import DataError, FitError, OptionError, UnsupportedError
from snnc.compiler.ir import Encoding
from snnc.compiler.ir.model import model_to_bytes
from snnc.sim.models import golden
from tests.networks import random_chain
from tests.streams import streaming

STEPS = 6
CHAIN = streaming(random_chain((24, 9, 3), time_steps=STEPS))
EVENTS = np.random.default_rng(0).integers(0, 2, (STEPS, 24), dtype=np.uint8)


def network() -> snnc.Network:
    return snnc.Network(path=None, graph=CHAIN)


def test_up_to_the_first_answer_it_is_a_sample() -> None:
    heard = network().stream()
    trace = golden.run(CHAIN, EVENTS[:, np.newaxis], time_steps=STEPS)
    for step, events in enumerate(EVENTS):
        heard.feed(events.reshape(24, 1, 1))
        hidden = trace.populations["hidden0"]
        assert np.array_equal(heard.spikes["hidden0"].reshape(-1), hidden.spikes[step, 0])
        assert np.array_equal(heard.membranes["hidden0"].reshape(-1), hidden.membranes[step, 0])
        assert np.array_equal(heard.logits, trace.populations["readout"].membranes[step, 0])
    assert np.array_equal(heard.answer(), trace.logits[0])
    assert not heard.logits.any()


def test_only_the_readout_starts_again() -> None:
    """The second half is what it is in a run of both halves: state is kept; the logits are those of the half alone."""
    heard = network().stream()
    heard.feed(EVENTS[:3])
    first = heard.answer()
    heard.feed(EVENTS[3:])
    trace = golden.run(CHAIN, EVENTS[:, np.newaxis], time_steps=STEPS)
    assert np.array_equal(heard.membranes["hidden0"].reshape(-1), trace.populations["hidden0"].membranes[-1, 0])
    assert np.array_equal(first + heard.answer(), trace.logits[0])


def test_pieces_make_the_whole_with_delays(tmp_path: Path) -> None:
    from snnc.compiler.formats.random_network import RandomNetwork, random_graph

    graph = streaming(random_graph(RandomNetwork(architecture="24-8t4-6R-3", encoding=Encoding.EVENTS, time_steps=64)))
    (tmp_path / "model.npz").write_bytes(model_to_bytes(graph))
    events = np.random.default_rng(1).integers(0, 2, (64, 24), dtype=np.uint8)
    whole = golden.run(graph, events[:, np.newaxis], time_steps=64)
    heard = snnc.load(tmp_path / "model.npz").stream()
    for start, end in ((0, 1), (1, 2), (2, 7), (7, 64)):
        heard.feed(events[start:end])
        assert np.array_equal(heard.spikes["hidden1"].reshape(-1), whole.populations["hidden1"].spikes[end - 1, 0])
    assert np.array_equal(heard.answer(), whole.logits[0])


def test_so_many_steps_without_an_answer_have_no_widths() -> None:
    heard = network().stream()
    heard.feed(EVENTS)
    with pytest.raises(
        OptionError, match="There would be 7 steps without an answer, but the widths of 'chain' are proven"
    ):
        heard.feed(EVENTS[0])
    heard.answer()
    heard.feed(EVENTS[0])


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.zeros((25,), np.uint8), r"shape \(25,\)"),
        (np.zeros((24,), np.int64), "is int64"),
        (np.full((24,), 2, np.uint8), "reach from 2 to 2; an address has one in a step, or none"),
    ],
)
def test_what_is_no_step_is_refused(x: np.ndarray, said: str) -> None:
    with pytest.raises(DataError, match=said):
        network().stream().feed(x)


def test_a_network_without_widths_or_without_events_is_refused() -> None:
    endless = random_chain((24, 9, 3), time_steps=STEPS)
    with pytest.raises(FitError, match="Layer 'hidden0' has no widths for a stream without an end"):
        snnc.Network(path=None, graph=endless).stream()
    images = random_chain((24, 9, 3), encoding=Encoding.DIRECT)
    with pytest.raises(UnsupportedError, match=r"takes images \(direct encoding\), which are samples"):
        snnc.Network(path=None, graph=images).stream()


@pytest.mark.heavy
def test_it_is_what_hardware_gives(tmp_path: Path) -> None:
    (tmp_path / "model.npz").write_bytes(model_to_bytes(random_chain((24, 9, 3), time_steps=STEPS)))
    with pytest.raises(FitError, match="no widths for a stream"):
        snnc.load(tmp_path / "model.npz").compile(out=tmp_path / "no", stream=True)
    (tmp_path / "model.npz").write_bytes(model_to_bytes(CHAIN))
    build = snnc.load(tmp_path / "model.npz").compile(out=tmp_path / "build", lanes=[4, 3])
    events = np.random.default_rng(1).integers(0, 2, (500, 24), dtype=np.uint8)
    verdict = build.verify_stream(events, every=4)
    assert (verdict.steps, verdict.answers) == (500, 125)
    assert "a stream of 500 steps" in build.report
    heard, classes = snnc.load(tmp_path / "model.npz").stream(), []
    for start in range(0, 500, 4):
        heard.feed(events[start : start + 4])
        classes.append(int(np.argmax(heard.answer())))
    assert verdict.classes == tuple(classes)
