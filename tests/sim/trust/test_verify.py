"""Hardware against models, in Verilator. Each network is another corner of the plan."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnc.compiler.build.folder import Build
from snnc.compiler.commands.verify import random_inputs
from snnc.compiler.errors import VerificationError
from snnc.compiler.ir import Encoding, Exit, Graph, Initial, Reset
from snnc.compiler.plan import MemoryKind
from snnc.compiler.plan.residual import Residual
from snnc.rtl.core import Core
from snnc.sim.cosimulation.harness import Capture, EngineCapture
from snnc.sim.models import golden
from snnc.sim.models.stimulus import stimulus
from snnc.sim.models.timing import exact as performance
from snnc.sim.trust import protocol, verify
from snnc.sim.trust.protocol import verify_protocol
from snnc.sim.trust.verify import compare, verify_build
from tests.networks import Conv, Full, Pool, build_graph, integer_chain, random_chain, spatial_chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Corner:
    """A network, its lanes, and how dense its input is. Its seed is one for which it is not silent."""

    graph: dict[str, Any]
    lanes: tuple[int, ...]
    density: float = 0.3
    seed: int = 0
    spram: bool = False
    protocol: bool = False
    exit: Exit | None = None

    def make(self, *, seed: int) -> Graph:
        graph = (spatial_chain if "layers" in self.graph else random_chain)(**self.graph, seed=seed)
        return dataclasses.replace(graph, exit=self.exit)


CORNERS = {
    "padded lanes, three words, half membranes": Corner(
        graph={"sizes": (24, 20, 6), "initial": Initial.HALF}, lanes=(8, 6), protocol=True
    ),
    "direct, hard reset, membranes in block RAM": Corner(
        graph={
            "sizes": (40, 24, 10),
            "encoding": Encoding.DIRECT,
            "value_bits": 8,
            "reset": Reset.HARD,
            "initial": Initial.HALF,
        },
        lanes=(4, 4),
        protocol=True,
        seed=1,
    ),
    "direct straight into the readout": Corner(
        graph={"sizes": (30, 10), "encoding": Encoding.DIRECT, "time_steps": 3}, lanes=(4,), seed=2
    ),
    "deep, one lane, fraction bits": Corner(
        graph={"sizes": (16, 33, 17, 9, 5), "shift": 1, "reset": Reset.HARD, "bits": 5}, lanes=(16, 1, 8, 5), seed=3
    ),
    "banked weights": Corner(graph={"sizes": (2100, 4, 3), "time_steps": 2}, lanes=(2, 3), density=0.2, seed=4),
    "one word, every input in every step": Corner(
        graph={"sizes": (20, 8, 3), "bits": 2, "time_steps": 10}, lanes=(8, 3), density=1.0, seed=5
    ),
    "convolutions, strides, several groups of lanes, padded lanes": Corner(
        graph={
            "shape": (2, 6, 7),
            "layers": [Conv(channels=6), Conv(channels=8, stride=(2, 2)), Full(shape=(5, 1, 1))],
        },
        lanes=(4, 4, 5),
        protocol=True,
        seed=6,
    ),
    "convolution groups, positions that reach nothing, hard reset, fraction bits": Corner(
        graph={
            "shape": (3, 7, 5),
            "layers": [
                Conv(channels=6, kernel=(2, 3), stride=(3, 2), padding=(1, 1), groups=3),
                Conv(channels=6, kernel=(1, 1), groups=2),
                Full(shape=(7, 1, 1)),
            ],
            "reset": Reset.HARD,
            "shift": 1,
        },
        lanes=(2, 4, 3),
        density=0.2,
        seed=7,
    ),
    "dilation, pooling in front of a convolution and of the readout, half membranes": Corner(
        graph={
            "shape": (2, 8, 8),
            "layers": [
                Conv(channels=5, dilation=(2, 1), stride=(1, 2)),
                Conv(channels=4, pool=2),
                Full(shape=(3, 1, 1), pool=2),
            ],
            "initial": Initial.HALF,
        },
        lanes=(3, 4, 3),
        seed=8,
    ),
    "one word per position, each event waits for the one before; rate": Corner(
        graph={
            "shape": (1, 6, 6),
            "layers": [Conv(channels=4, kernel=(5, 5)), Conv(channels=4, stride=(2, 2)), Full(shape=(3, 1, 1))],
            "encoding": Encoding.RATE,
        },
        lanes=(4, 4, 3),
        seed=9,
    ),
    "early exit, two words of logits": Corner(
        graph={"sizes": (24, 20, 6), "initial": Initial.HALF},
        lanes=(8, 3),
        protocol=True,
        exit=Exit(margin=12, steps=(1, 2, 3, 4, 5)),
    ),
    "early exit from pixels straight into the readout": Corner(
        graph={"sizes": (30, 10), "encoding": Encoding.DIRECT, "time_steps": 3},
        lanes=(4,),
        seed=2,
        protocol=True,
        exit=Exit(margin=60, steps=(1, 2)),
    ),
    "early exit, an image gathered, membranes in block RAM, asked after the first step alone": Corner(
        graph={
            "shape": (1, 8, 8),
            "layers": [Conv(channels=6), Conv(channels=8, stride=(2, 2)), Full(shape=(5, 1, 1))],
            "encoding": Encoding.DIRECT,
        },
        lanes=(3, 4, 5),
        seed=1,
        protocol=True,
        exit=Exit(margin=8, steps=(1,)),
    ),
    "weights in SPRAM": Corner(
        graph={"sizes": (40, 24, 6), "encoding": Encoding.DIRECT}, lanes=(8, 6), spram=True, protocol=True, seed=10
    ),
    "a dense layer with rows and columns, a single position": Corner(
        graph={
            "shape": (2, 3, 3),
            "layers": [
                Full(shape=(3, 3, 2)),
                Conv(channels=4, kernel=(3, 2), padding=(0, 0)),
                Conv(channels=3, kernel=(1, 1)),
                Full(shape=(3, 1, 1)),
            ],
        },
        lanes=(2, 4, 2, 3),
        density=0.5,
        seed=11,
    ),
    "banked SPRAM": Corner(
        graph={"sizes": (8200, 5, 3), "time_steps": 2}, lanes=(2, 3), density=0.05, seed=7, spram=True
    ),
    "an image gathered, padded lanes, two groups, stored spikes": Corner(
        graph={
            "shape": (2, 6, 7),
            "layers": [Conv(channels=6, stride=(1, 2)), Conv(channels=5, stride=(2, 2)), Full(shape=(5, 1, 1))],
            "encoding": Encoding.DIRECT,
        },
        lanes=(4, 5, 5),
        protocol=True,
        seed=13,
    ),
    "max pooling, windows that overlap, sums of windows": Corner(
        graph={
            "shape": (2, 8, 8),
            "layers": [
                Conv(channels=6),
                Pool(),
                Conv(channels=5, padding=(0, 0)),
                Pool(kernel=(2, 1), stride=(1, 1), largest=6),
                Full(shape=(4, 1, 1)),
            ],
            "encoding": Encoding.DIRECT,
        },
        lanes=(4, 4, 5, 3, 4),
        density=0.3,
        seed=1,
    ),
    "an image gathered, one step, hard reset, fraction bits, half membranes": Corner(
        graph={
            "shape": (1, 9, 9),
            "layers": [Conv(channels=6, kernel=(5, 5), stride=(2, 2)), Full(shape=(5, 1, 1), pool=5)],
            "encoding": Encoding.DIRECT,
            "reset": Reset.HARD,
            "shift": 1,
            "initial": Initial.HALF,
            "time_steps": 1,
        },
        lanes=(3, 5),
        density=0.4,
        seed=14,
    ),
}


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Build]:
    folder = tmp_path_factory.mktemp("builds")
    return {
        name: build_graph(corner.make(seed=corner.seed), folder / str(number), lanes=corner.lanes, spram=corner.spram)
        for number, (name, corner) in enumerate(CORNERS.items())
    }


def _inputs(build: Build, density: float, samples: int = 40) -> np.ndarray:
    return random_inputs(build.plan, samples, time_steps=build.plan.time_steps, density=density, seed=7)


@pytest.mark.parametrize("name", CORNERS)
def test_hardware_equals_models(builds: dict[str, Build], name: str) -> None:
    build, corner = builds[name], CORNERS[name]
    inputs = _inputs(build, corner.density)
    verdict = verify_build(build, inputs)
    assert verdict.samples == 40
    # A silent network would prove nothing.
    assert all(0.05 < rate < 0.9 for rate in verdict.firing_rates.values()), verdict.firing_rates
    if corner.protocol:
        few = golden.take(build.plan.input.encoding, inputs, slice(0, 3))
        verify_protocol(build, few, time_steps=build.plan.time_steps)


def test_exits_are_taken_and_not(builds: dict[str, Build]) -> None:
    for name, corner in CORNERS.items():
        if corner.exit is not None:
            verdict = verify_build(builds[name], _inputs(builds[name], corner.density))
            assert (verdict.steps.least, verdict.steps.most) == (corner.exit.steps[0], verdict.time_steps), name
            assert verdict.membranes < 40 * verdict.time_steps * sum(e.neurons for e in builds[name].plan.engines)


@pytest.mark.parametrize("spared", ["Engine", "ImageEngine", "Queue", "SpikeSerialiser", "OneSample"])
def test_what_a_cancel_leaves_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spared: str) -> None:
    """One kind of unit is not reset, or the sample's rest not dropped."""
    corner = CORNERS["early exit, an image gathered, membranes in block RAM, asked after the first step alone"]
    resets = Core._cancelled

    def some(core: Core, component: Any) -> Any:
        return component if type(component).__name__ == spared else resets(core, component)

    monkeypatch.setattr(Core, "_cancelled", some)
    if spared == "OneSample":
        monkeypatch.setattr(Core, "_one_sample", lambda core, m, engines, beats: beats)
    build = build_graph(corner.make(seed=corner.seed), tmp_path / "broken", lanes=corner.lanes)
    with pytest.raises(VerificationError):
        verify_build(build, _inputs(build, corner.density))


@pytest.mark.parametrize(("layer", "memory"), [("hidden1", "membranes"), ("hidden0", "image")])
def test_a_memory_that_a_cancel_leaves_is_found(tmp_path: Path, layer: str, memory: str) -> None:
    """Every register is reset, but one engine's memory is given what a sample begins with after a true reset alone."""
    corner = CORNERS["early exit, an image gathered, membranes in block RAM, asked after the first step alone"]
    build = build_graph(corner.make(seed=corner.seed), tmp_path / "broken", lanes=corner.lanes)
    core = build.path / "rtl" / "core.v"
    before, module = core.read_text().split(f"module \\snnc_core.engine_{layer} ", maxsplit=1)
    # The first reset is over by then.
    late = "reg [3:0] age = 0;\n  always @(posedge cancelled_clk) if (!age[3]) age <= age + 1;\n  "
    broken, count = re.subn(
        r"always @\(posedge cancelled_clk\)", rf"{late}always @(posedge cancelled_clk)", module, count=1
    )
    broken, more = re.subn(r"clearing <= (\w+);", r"clearing <= \1 & (clearing | !age[3]);", broken, count=1)
    count *= more
    assert count == 1, memory
    core.write_text(f"{before}module \\snnc_core.engine_{layer} {broken}")
    with pytest.raises(VerificationError):
        verify_build(build, _inputs(build, corner.density))


def test_a_readout_as_wide_as_the_bench_records(tmp_path: Path) -> None:
    graph = integer_chain([[[1, -1, 2], [3, 1, -2]]], [], [[2**30, -(2**30)]], time_steps=1)
    build = build_graph(graph, tmp_path / "build")
    assert build.plan.readout.residual_bits == 32
    assert verify_build(build, _inputs(build, 0.5, samples=3)).samples == 3


@pytest.mark.parametrize(("target", "device"), [("ice40", "hx8k"), ("ecp5", "25k")])
@pytest.mark.parametrize(("words", "position"), [(3, 2), (16, 14), (16, 15)])
def test_a_first_event_for_a_word_cleared_last(
    tmp_path: Path, target: str, device: str, words: int, position: int
) -> None:
    """Right after the reset: one comes when the last word is cleared, the others wait for it."""
    graph = spatial_chain((1, 1, words), [Conv(channels=4, kernel=(1, 1)), Full(shape=(3, 1, 1))], time_steps=2, seed=3)
    build = build_graph(graph, tmp_path / "build", lanes=(4, 3), target=target, device=device)
    assert (build.plan.engines[0].waits, build.plan.engines[0].forwards) == (target == "ice40", target == "ecp5")
    inputs = np.zeros((2, 1, words), np.int64)
    inputs[:, :, position] = 1
    verify_build(build, inputs)


@pytest.mark.parametrize(
    "corner",
    ["padded lanes, three words, half membranes", "an image gathered, padded lanes, two groups, stored spikes"],
)
def test_fewer_steps_than_compiled_for(builds: dict[str, Build], corner: str) -> None:
    build = builds[corner]
    inputs = random_inputs(build.plan, 20, time_steps=2, density=0.3, seed=1)
    assert verify_build(build, inputs, time_steps=2).time_steps == 2


def test_corners_are_covered(builds: dict[str, Build]) -> None:
    engines = [engine for build in builds.values() for engine in build.plan.engines]
    assert {engine.membrane.kind for engine in engines} == {MemoryKind.REGISTERS, MemoryKind.EBR}
    assert {engine.projections[0].weights.kind for engine in engines} == {
        MemoryKind.EBR,
        MemoryKind.LUT,
        MemoryKind.SPRAM,
    }
    assert {engine.constants.kind for engine in engines} == {MemoryKind.EBR, MemoryKind.LUT}
    assert {engine.pipeline for engine in engines} >= {1, 2}
    banked = {weights.kind for engine in engines if (weights := engine.projections[0].weights).banks > 1}
    assert banked == {MemoryKind.EBR, MemoryKind.SPRAM}
    assert any(len(build.plan.loaded) > 1 for build in builds.values())
    assert any(not engine.population.fires and engine.words > 1 for engine in engines)
    assert any(engine.neurons % engine.lanes for engine in engines)


def _flip_lowest_bit(path: Path, line: int) -> None:
    lines = path.read_text().splitlines()
    lines[line] = f"{int(lines[line], 16) ^ 1:0{len(lines[line])}x}"
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("image", "layer"),
    [("hidden0.weights", "hidden0"), ("hidden0.constants", "hidden0"), ("readout.weights", "readout")],
)
def test_a_flipped_bit_is_found_and_named(builds: dict[str, Build], tmp_path: Path, image: str, layer: str) -> None:
    corner = "padded lanes, three words, half membranes"
    broken = build_graph(
        random_chain(**CORNERS[corner].graph, seed=0), tmp_path / "broken", lanes=CORNERS[corner].lanes
    )
    _flip_lowest_bit(broken.path / "images" / f"{image}.hex", 0)
    with pytest.raises(
        VerificationError, match=rf"sample \d+, layer '{layer}', step \d+, neuron 0: expected -?\d+, got"
    ):
        verify_build(broken, _inputs(broken, 0.5))


def test_a_flipped_bit_of_a_load_is_found(tmp_path: Path) -> None:
    corner = CORNERS["weights in SPRAM"]
    broken = build_graph(random_chain(**corner.graph, seed=0), tmp_path / "broken", lanes=corner.lanes, spram=True)
    memory, readout = broken.plan.loaded
    first_of_readout = memory.depth * memory.chunks
    _flip_lowest_bit(broken.path / "images" / "load.hex", first_of_readout + 2 * readout.chunks)
    with pytest.raises(VerificationError, match=r"layer 'readout', step \d+, neuron 0: expected -?\d+, got"):
        verify_build(broken, _inputs(broken, 0.5))


def test_a_wrong_prediction_is_found(builds: dict[str, Build], monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*arguments: Any, **options: Any) -> performance.Prediction:
        found = performance.predict(*arguments, **options)
        cycles = found.cycles.copy()
        cycles[3] += 1
        return dataclasses.replace(found, cycles=cycles)

    monkeypatch.setattr(verify, "predict", late)
    build = builds["one word, every input in every step"]
    with pytest.raises(VerificationError, match=r"Number of cycles of sample 3: expected \d+, got \d+"):
        verify_build(build, _inputs(build, 1.0))


def test_batches_side_by_side_are_the_whole(builds: dict[str, Build], monkeypatch: pytest.MonkeyPatch) -> None:
    build = builds["padded lanes, three words, half membranes"]
    inputs = _inputs(build, 0.3)
    whole = verify_build(build, inputs)
    monkeypatch.setattr(verify, "_batch", lambda *_: 12)
    seen: list[int] = []
    pieces = verify_build(build, inputs, progress=seen.append)
    assert seen == [12, 12, 12, 4]
    assert dataclasses.replace(pieces, seconds=0.0) == dataclasses.replace(whole, seconds=0.0)

    predict = performance.predict

    def late(plan: Any, beats: Any, spikes: Any, **options: Any) -> Any:
        right = predict(plan, beats, spikes, **options)
        return right if len(beats) == 12 else dataclasses.replace(right, cycles=right.cycles + 1)

    monkeypatch.setattr(verify, "predict", late)
    with pytest.raises(VerificationError, match="Number of cycles of sample 36"):
        verify_build(build, inputs)


def test_a_wrong_result_fails_the_protocol_bench(builds: dict[str, Build], monkeypatch: pytest.MonkeyPatch) -> None:
    build = builds["padded lanes, three words, half membranes"]
    inputs = _inputs(build, 0.3)[:, :3]
    right = protocol.vectors(build, inputs, time_steps=build.plan.time_steps)
    right["results"][7] ^= 1
    monkeypatch.setattr(protocol, "vectors", lambda *_, **__: right)
    with pytest.raises(VerificationError, match=r"'gaps_and_stalls.*failed: .*result 7: expected 0x[0-9a-f]+, got"):
        verify_protocol(build, inputs, time_steps=build.plan.time_steps)


def _perfect(build: Build) -> tuple[golden.Trace, performance.Prediction, Capture, dict[str, Any]]:
    graph, plan = build.load_graph(), build.plan
    inputs = _inputs(build, 0.3, samples=5)
    trace = golden.run(graph, inputs, time_steps=plan.time_steps)
    beats = stimulus(plan.input, inputs, time_steps=plan.time_steps)
    prediction = performance.predict(plan, beats, {name: layer.spikes for name, layer in trace.populations.items()})
    between = {layer.name: np.repeat(Residual.of(layer).back(), layer.size // layer.channels) for layer in graph.layers}
    engines = {
        engine.name: EngineCapture(
            spikes=None if engine.name == "readout" else trace.populations[engine.name].spikes.copy(),
            residuals=trace.populations[engine.name].membranes - between[engine.name],
            operations=engine.operations.copy(),
            swept=None,
            steps=np.arange(plan.time_steps),
            first=engine.first_execute,
            last=engine.last_execute,
        )
        for engine in prediction.engines
    }
    capture = Capture(
        logits=trace.logits.copy(),
        classes=trace.classes.copy(),
        steps=trace.steps.copy(),
        cycles=prediction.cycles.copy(),
        engines=engines,
    )
    return trace, prediction, capture, between


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("spikes", "Spike of sample 2, layer 'hidden0', step 1, neuron 4: expected"),
        ("residuals", "Membrane of sample 2, layer 'hidden0', step 1, neuron 4: expected"),
        ("operations", "Operations in 'hidden0' of sample 2: expected"),
        ("logits", "Logit of sample 2, neuron 4: expected"),
        ("classes", "Class of sample 2: expected"),
        ("steps", "Number of steps of sample 2: expected"),
        ("cycles", "Number of cycles of sample 2: expected"),
    ],
)
def test_every_comparison_can_fail(builds: dict[str, Build], place: str, message: str) -> None:
    build = builds["padded lanes, three words, half membranes"]
    trace, prediction, capture, between = _perfect(build)
    graph, plan = build.load_graph(), build.plan
    assert compare(graph, plan, trace, prediction, capture, between) is None
    match place:
        case "spikes":
            spikes = capture.engines["hidden0"].spikes
            assert spikes is not None
            spikes[1, 2, 4] ^= True
            spikes[0, 3, 0] ^= True  # a later sample, although an earlier step
        case "residuals":
            capture.engines["hidden0"].residuals[1, 2, 4] += 1
            capture.engines["readout"].residuals[1, 2, 0] += 1  # a later layer
        case "operations":
            capture.engines["hidden0"].operations[2] += 1
        case "logits":
            capture.logits[2, 4] += 1
        case "classes":
            capture.classes[2] += 1
        case "steps":
            capture.steps[2] -= 1
        case "cycles":
            capture.cycles[2] += 1
    assert str(compare(graph, plan, trace, prediction, capture, between)).startswith(message)
