"""Streams without an end, in Verilator: every spike, membrane, logit and cycle of each answer."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import snnc
from snnc.compiler.errors import FitError, OptionError, VerificationError
from snnc.compiler.formats.random_network import RandomNetwork, random_graph
from snnc.compiler.ir import Encoding, Graph, IntegrateAndFire, Readout, Reset
from snnc.sim.models.stepper import Stepper
from snnc.sim.models.stimulus import Marker, asking, from_spikes
from snnc.sim.trust.streams import answer_steps, verify_stream
from snnc.sim.trust.verify import verify_build
from tests.networks import build_graph, random_chain
from tests.streams import streaming


def drawn(architecture: str, *, time_steps: int = 40, seed: int = 0) -> Graph:
    network = RandomNetwork(
        architecture=architecture,
        encoding=Encoding.EVENTS,
        weight_bits=4,
        time_steps=time_steps,
        density=0.2,
        seed=seed,
    )
    return random_graph(network)


def spikes(graph: Graph, steps: int, *, density: float = 0.2, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).random((steps, graph.input.size)) < density


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("architecture", "lanes", "hard"),
    [
        ("12-8-5", (4, 5), True),
        ("12-16R-5", (4, 2), False),
        ("12-8t4-6R-5", (4, 4, 3, 5), False),
        ("2x6x6-4c3s2-6r3-5", None, True),
    ],
)
def test_a_stream_is_the_golden_stepper(
    architecture: str, lanes: tuple[int, ...] | None, hard: bool, tmp_path: Path
) -> None:
    graph = streaming(drawn(architecture), hard=hard)
    build = build_graph(graph, tmp_path / "build", lanes=lanes)
    verdict = verify_stream(build, spikes(graph, 3000), every=7)
    assert (verdict.steps, verdict.answers, verdict.predicted) == (3000, 429, 429)
    assert len(set(verdict.classes)) > 1


@pytest.mark.heavy
@pytest.mark.parametrize(("lanes", "leak"), [((4, 5), 3), ((4, 2), 1), ((4, 1), 0)])
def test_a_leaky_readout_goes_on_over_its_answers(lanes: tuple[int, ...], leak: int, tmp_path: Path) -> None:
    graph = streaming(drawn("12-16-5"), hard=True)
    readout = dataclasses.replace(graph.readout, neuron=Readout(leak_shift=leak))
    graph = dataclasses.replace(graph, populations=(*graph.populations[:-1], readout))
    build = build_graph(graph, tmp_path / "build", lanes=lanes)
    events = spikes(graph, 1500)
    # As often as one likes: there is nothing that overflows.
    for every in (1, 7, 3 * graph.time_steps):
        verdict = verify_stream(build, events, every=every)
        assert (verdict.steps, verdict.answers) == (1500, -(-1500 // every))
        assert len(set(verdict.classes)) > 1 or every > 1
    asked = Stepper(graph).run(events, np.arange(1, 1501) % 7 == 0)
    assert (asked.logits == Stepper(graph).run(events).membranes["readout"][6::7]).all()
    samples = np.stack([events[:40], events[40:80]], axis=1)
    assert verify_build(build, samples, seed=0).samples == 2


@pytest.mark.heavy
def test_samples_of_a_network_for_streams_are_what_they_were(tmp_path: Path) -> None:
    graph = streaming(random_chain((24, 9, 3), time_steps=7))
    build = build_graph(graph, tmp_path / "build", lanes=(4, 3))
    inputs = np.random.default_rng(0).random((7, 12, 24)) < 0.2
    assert verify_build(build, inputs, seed=0).samples == 12


@pytest.mark.nightly
def test_a_million_steps(tmp_path: Path) -> None:
    """The state is never cleared, and the readout starts again with every answer."""
    graph = streaming(drawn("12-32R-7", time_steps=64), leak=4)
    build = build_graph(graph, tmp_path / "build", lanes=(8, 7))
    verdict = verify_stream(build, spikes(graph, 1_000_000), every=25)
    assert (verdict.steps, verdict.answers) == (1_000_000, 40_000)


@pytest.mark.heavy
def test_a_difference_is_found_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = streaming(random_chain((24, 9, 3), time_steps=7))
    build = build_graph(graph, tmp_path / "build", lanes=(4, 3))
    events = spikes(graph, 300)
    other = build.load_graph()
    layers = tuple(
        dataclasses.replace(layer, bias=layer.bias + 1) if isinstance(layer.neuron, Readout) else layer
        for layer in other.populations
    )
    changed = dataclasses.replace(other, populations=layers)
    monkeypatch.setattr(type(build), "load_graph", lambda _: changed)
    with pytest.raises(VerificationError, match=r"Membrane of sample 0, layer 'readout', step 0, neuron 0"):
        verify_stream(build, events, every=5)


def test_a_build_for_samples_is_refused(tmp_path: Path) -> None:
    graph = random_chain((24, 9, 3), time_steps=7)
    build = build_graph(graph, tmp_path / "build", lanes=(4, 3))
    with pytest.raises(OptionError, match="takes samples with an end; compile the network with --stream"):
        verify_stream(build, spikes(graph, 30))


def test_answers_further_apart_than_the_widths_allow_are_refused(tmp_path: Path) -> None:
    graph = streaming(random_chain((24, 9, 3), time_steps=7))
    build = build_graph(graph, tmp_path / "build", lanes=(4, 3))
    with pytest.raises(OptionError, match=r"every 8 steps is none of the 1 to 7 .* compile with --time-steps 8"):
        verify_stream(build, spikes(graph, 30), every=8)


def test_a_skip_that_a_sample_holds_may_be_too_short_for_a_stream(tmp_path: Path) -> None:
    graph = streaming(drawn("2x6x6-4c3s2-6r3-5", time_steps=4), hard=True)
    with pytest.raises(FitError, match=r"steps ahead of .* Compile with --time-steps \d+\."):
        build_graph(graph, tmp_path / "build")


@pytest.mark.heavy
def test_of_a_long_stream_the_first_answers_are_predicted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = streaming(random_chain((24, 9, 3), time_steps=7))
    build = build_graph(graph, tmp_path / "build", lanes=(4, 3))
    monkeypatch.setattr("snnc.sim.trust.streams._PREDICTED", 100)
    verdict = verify_stream(build, spikes(graph, 300), every=5)
    assert (verdict.answers, verdict.predicted) == (60, 19)


def test_answers_ride_on_the_last_event_of_their_step() -> None:
    events = np.array([[1, 1], [0, 0], [0, 1], [1, 0]], np.bool_)
    stream = asking(from_spikes(events[:, np.newaxis]), answer_steps(4, 2))
    assert stream.marker.tolist() == [Marker.NONE, Marker.STEP, Marker.ANSWER, Marker.STEP, Marker.SAMPLE]
    assert stream.answers == {2}


def test_the_end_of_a_stream_is_no_answer_in_its_middle() -> None:
    assert answer_steps(10, 5) == (5,)
    with pytest.raises(ValueError, match="answers must be within the stream"):
        asking(from_spikes(np.zeros((4, 1, 2), np.bool_)), {4})


def test_networks_made_for_streams_here_are_bounded() -> None:
    for hard in (True, False):
        for layer in streaming(random_chain((24, 9, 3)), hard=hard).layers[:-1]:
            assert isinstance(layer.neuron, IntegrateAndFire)
            assert layer.neuron.reset is (Reset.HARD if hard else Reset.SOFT)


@pytest.mark.nightly
@pytest.mark.parametrize("person", [8, 9, 10])
def test_a_whole_recording_of_each_test_person(person: int, tmp_path: Path, data_folder: Path | None) -> None:
    """A decision every half second, of a network that was trained on windows of other people."""
    from snnc.distill.data.watch import watch_recordings

    if data_folder is None or not (data_folder / "watch" / "watch.npz").exists():
        pytest.skip("SNNC_DATA does not hold the recordings")
    network = snnc.train(
        "watch",
        data=data_folder,
        architecture="12-32R-7",
        leak_shift=4,
        epochs=3,
        teacher_epochs=0,
        loss="cross-entropy",
        out=tmp_path / "watch.pt",
    )
    recording = next(one for one in watch_recordings(data_folder) if one.person == person)
    build = network.compile(out=tmp_path / "build", stream=True)
    verdict = build.verify_stream(recording.events, every=25)
    assert verdict.steps == len(recording.events) > 1000
    assert verdict.answers == -(-verdict.steps // 25)
