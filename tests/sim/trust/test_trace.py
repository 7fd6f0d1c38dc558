"""What `snnc verify --trace` shows, read by the reader of a viewer (Surfer's), against the models."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from snnc.compiler import cli
from snnc.compiler.build.folder import Build
from snnc.compiler.commands.verify import random_inputs, tracing
from snnc.compiler.errors import MissingError, OptionError, VerificationError
from snnc.compiler.ir import Encoding, Exit, Initial
from snnc.sim.models import golden
from snnc.sim.models.stimulus import stimulus
from snnc.sim.models.timing.exact import predict
from snnc.sim.trust import trace
from snnc.sim.trust.trace import Traced, write_trace
from snnc.sim.trust.verify import verify_build
from tests.networks import Conv, Full, build_graph, random_chain, spatial_chain
from tests.waves import Waves

STEPS = 4


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Build:
    graph = random_chain(sizes=(24, 20, 6), initial=Initial.HALF, time_steps=STEPS, seed=0)
    return build_graph(graph, tmp_path_factory.mktemp("events") / "build", lanes=(8, 6))


@pytest.fixture(scope="module")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """An engine that sweeps all steps of a word at once, and one with rows, columns and padded lanes."""
    graph = spatial_chain(
        (2, 6, 7),
        [Conv(channels=6, stride=(1, 2)), Conv(channels=5, stride=(2, 2)), Full(shape=(5, 1, 1))],
        encoding=Encoding.DIRECT,
        time_steps=STEPS,
        seed=13,
    )
    return build_graph(graph, tmp_path_factory.mktemp("pixels") / "build", lanes=(4, 5, 5))


@pytest.mark.parametrize(
    ("which", "suffix", "steps"), [("events", ".vcd", 4), ("events", ".fst", 4), ("pixels", ".vcd", 3)]
)
def test_the_golden_model_s_spikes_and_membranes_are_there_when_they_are_due(
    request: pytest.FixtureRequest, tmp_path: Path, which: str, suffix: str, steps: int
) -> None:
    build: Build = request.getfixturevalue(which)
    plan, graph, samples = build.plan, build.load_graph(), 3
    inputs = random_inputs(plan, samples, time_steps=steps, density=0.3, seed=7)
    traced = write_trace(build, inputs, tmp_path / f"trace{suffix}", time_steps=steps)
    assert traced == Traced(path=traced.path, samples=samples, cycles=traced.cycles, differs=None, layer=None)
    model = golden.run(graph, inputs, time_steps=steps)
    beats = stimulus(plan.input, inputs, time_steps=steps)
    prediction = predict(plan, beats, {name: layer.spikes for name, layer in model.populations.items()})

    waves = Waves(traced.path)
    taken = _taken(waves, "in")
    assert len(taken) == beats.beats
    began, ended = taken[beats.offsets[:-1]], _taken(waves, "out")[plan.readout.neurons - 1 :: plan.readout.neurons]
    assert (ended - began + 1).tolist() == prediction.cycles.tolist()
    assert waves.at("core.out.best_class", ended) == model.classes.tolist()
    logits = np.array(waves.at("core.out.logit", _taken(waves, "out"))).reshape(samples, -1)
    np.testing.assert_array_equal(logits, model.logits)

    for engine, due in zip(plan.engines, prediction.engines, strict=True):
        scope = f"core.{engine.name}"
        busy = waves.pulses(f"{scope}.operation")
        assert set(due.first_execute + began) <= set(busy)
        swept = np.array([at for at in busy if waves.at(f"{scope}.operation", [at])[0] == engine.passes[0].value])
        layer = model.populations[engine.name]
        seen = np.zeros((steps, samples, engine.neurons), np.int64)
        for at in swept:
            (sample,), (step,) = waves.at(f"{scope}.sample", [at]), waves.at(f"{scope}.step", [at])
            if step >= steps:  # an engine that knows no fewer than it was built for
                continue
            for lane in range(engine.lanes):
                inside = f"{scope}.lane{lane}"
                (neuron,) = waves.at(f"{inside}.neuron", [at])
                (membrane,) = waves.at(f"{inside}.membrane", [at])
                if neuron == -1:  # a lane that is padded in this word
                    continue
                seen[step, sample, neuron] += 1
                assert membrane == layer.membranes[step, sample, neuron]
                assert waves.at(f"{inside}.membrane_golden", [at]) == [membrane]
                if engine.population.fires:
                    assert waves.at(f"{inside}.spike", [at]) == [layer.spikes[step, sample, neuron]]
        assert (seen == 1).all()
        assert layer.membranes.any()


def test_queues_fill_and_are_empty_again(events: Build, tmp_path: Path) -> None:
    inputs = random_inputs(events.plan, 2, time_steps=STEPS, density=0.5, seed=0)
    traced = write_trace(events, inputs, tmp_path / "trace.vcd", time_steps=STEPS)
    waves = Waves(traced.path)
    for engine in events.plan.engines:
        fill = waves.at(f"core.{engine.name}.queue_fill", np.arange(traced.cycles))
        assert fill[0] == fill[-1] == 0
        assert 0 < max(fill) <= engine.main.queue.depth
        assert min(fill) == 0
    assert not {name for name in waves.names if "_0" in name or "$" in name}  # none of Yosys's nets


def test_what_cannot_be_written_is_refused_before_any_work(
    events: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*options: str) -> str:
        assert cli.run(["verify", str(events.path), "--trace", *options]) == 1
        captured = capsys.readouterr()
        assert len(captured.err.splitlines()) == 1
        return captured.err

    assert "must end in .vcd or .fst" in refused(str(tmp_path / "trace.txt"))
    assert "there is no folder" in refused(str(tmp_path / "nowhere" / "trace.vcd"))
    (tmp_path / "folder.vcd").mkdir()
    assert "it is a folder" in refused(str(tmp_path / "folder.vcd"))
    absurd = refused(str(tmp_path / "trace.vcd"), "--samples", "1000000000")
    assert "A trace of 1,000,000,000 samples is more than a person can look at" in absurd
    monkeypatch.setattr(trace, "record", lambda *_, **__: pytest.fail("it was simulated"))
    monkeypatch.setattr(trace, "_MOST", 10_000)
    assert "give --samples 1." in refused(str(tmp_path / "trace.vcd"))
    monkeypatch.setattr(trace, "_MOST", 100)
    assert "give fewer --time-steps." in refused(str(tmp_path / "trace.vcd"), "--samples", "1")
    assert not list(tmp_path.glob("*trace*"))


def test_a_missing_library_is_named(events: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingError, match=r"pylibfst, which is not installed: pip install 'snnc\[waves\]'"):
        trace.check_trace(tmp_path / "trace.fst", 1)
    trace.check_trace(tmp_path / "trace.vcd", 1)


def test_too_many_samples_of_an_array_are_refused(events: Build, tmp_path: Path) -> None:
    inputs = np.zeros((STEPS, 1001, 24), np.bool_)
    with pytest.raises(OptionError, match="1,001 samples"):
        write_trace(events, inputs, tmp_path / "trace.vcd", time_steps=STEPS)


def test_a_build_with_an_early_exit_is_refused(tmp_path: Path) -> None:
    graph = random_chain(sizes=(12, 10, 4), time_steps=STEPS, seed=0)
    graph = dataclasses.replace(graph, exit=Exit(margin=3, steps=(1,)))
    build = build_graph(graph, tmp_path / "build")
    inputs = random_inputs(build.plan, 1, time_steps=STEPS, density=0.4, seed=0)
    with pytest.raises(OptionError, match="has an early exit"):
        write_trace(build, inputs, tmp_path / "trace.vcd", time_steps=STEPS)
    assert not (tmp_path / "trace.vcd").exists()


def test_a_core_that_hangs_is_traced_to_its_end(tmp_path: Path) -> None:
    build = build_graph(random_chain(sizes=(12, 10, 4), time_steps=STEPS, seed=0), tmp_path / "build")
    core = build.path / "rtl" / "core.v"
    text = core.read_text()
    assert ".o__ready(o__ready)" in text
    core.write_text(text.replace(".o__ready(o__ready)", ".o__ready(1'b0)", 1))  # the readout's: nobody takes a result
    inputs = random_inputs(build.plan, 2, time_steps=4, density=0.4, seed=0)
    traced = write_trace(build, inputs, tmp_path / "trace.vcd", time_steps=4)
    waves = Waves(traced.path)
    assert traced.cycles > 10_000
    assert waves.at("core.hidden0.sample", [traced.cycles - 1]) == [0]
    assert waves.at("core.out.valid", [traced.cycles - 1]) == [1]


def test_a_difference_is_marked_where_verify_finds_it(tmp_path: Path) -> None:
    build = build_graph(random_chain(sizes=(12, 10, 4), time_steps=STEPS, seed=0), tmp_path / "build")
    image = build.path / "images" / "readout.weights.hex"
    words = image.read_text().split()
    image.write_text("\n".join(f"{int(word, 16) ^ 1:0{len(word)}x}" for word in words) + "\n")
    inputs = random_inputs(build.plan, 2, time_steps=4, density=0.5, seed=0)
    with (
        pytest.raises(
            VerificationError,
            match=r"layer 'readout', step \d+, neuron 0: .* first difference is at \d+ ns, in 'readout'",
        ) as found,
        tracing(build, inputs, tmp_path / "trace.vcd", time_steps=4, seed=0),
    ):
        verify_build(build, inputs)
    waves = Waves(tmp_path / "trace.vcd")
    (time, step, expected, got) = (
        int(re.search(pattern, str(found.value))[1])  # type: ignore[index]
        for pattern in (r"at (\d+) ns", r"step (\d+)", r"expected (-?\d+)", r"got (-?\d+)")
    )
    assert waves.pulses("core.differs")[0] == waves.pulses("core.readout.differs")[0] == time
    assert not len(waves.pulses("core.hidden0.differs"))
    assert waves.at("core.readout.step", [time]) == [step]
    assert waves.at("core.readout.lane0.membrane", [time]) == [got]
    assert waves.at("core.readout.lane0.membrane_golden", [time]) == [expected]


def _taken(waves: Waves, stream: str) -> np.ndarray:
    """The cycles of a stream's handshakes."""
    valid = waves.pulses(f"core.{stream}.valid")
    return valid[np.array(waves.at(f"core.{stream}.ready", valid)) == 1]
