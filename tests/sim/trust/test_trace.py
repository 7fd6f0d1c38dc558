"""What `snnc verify --trace` shows, read by the reader of a viewer (Surfer's), against the models."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnc.compiler import cli
from snnc.compiler.build.folder import Build
from snnc.compiler.commands.verify import random_inputs
from snnc.compiler.errors import MissingError, OptionError
from snnc.compiler.ir import Encoding, Initial
from snnc.sim.models import golden
from snnc.sim.models.stimulus import stimulus
from snnc.sim.models.timing.exact import predict
from snnc.sim.trust import trace
from snnc.sim.trust.trace import Traced, write_trace
from tests.networks import Conv, Full, build_graph, random_chain, spatial_chain

STEPS = 4


class Waves:
    """A file as a viewer has it."""

    def __init__(self, path: Path) -> None:
        from pywellen import Waveform

        self._signals = {var.full_name: var for var in Waveform(str(path)).all_vars()}
        self.names = set(self._signals)

    def at(self, name: str, times: Iterable[int]) -> list[Any]:
        """What the signal is in these cycles; None where it is not known."""
        variable = self._signals[name]
        return [self._read(variable, variable.signal.value_at(int(time))) for time in times]

    def pulses(self, name: str) -> np.ndarray:
        """The cycles in which a bit, or a text, is not 0 or empty."""
        signal = list(self._signals[name].tv)
        return np.array(
            [
                time
                for (start, value), (end, _) in zip(signal, [*signal[1:], (signal[-1][0], None)], strict=True)
                for time in range(start, end)
                if value not in (0, "")
            ]
        )

    @staticmethod
    def _read(variable, value):
        if value is None or (isinstance(value, str) and variable.var_type != "String"):
            return None
        if variable.var_type == "Integer" and value >> (variable.bitwidth - 1):
            return value - (1 << variable.bitwidth)
        return value


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
    beats = stimulus(plan.input.encoding, inputs, time_steps=steps)
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


def _taken(waves: Waves, stream: str) -> np.ndarray:
    """The cycles of a stream's handshakes."""
    valid = waves.pulses(f"core.{stream}.valid")
    return valid[np.array(waves.at(f"core.{stream}.ready", valid)) == 1]
