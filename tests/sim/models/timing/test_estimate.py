"""The estimate against the exact prediction, of which it is the mean in closed form."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from snnc.compiler.design import Engines, Options
from snnc.compiler.formats import RandomNetwork
from snnc.compiler.formats.random_network import random_graph
from snnc.compiler.ir import ActivityRecord, Encoding, Exit, IntegrateAndFire
from snnc.compiler.pipeline import passes_before, run_passes
from snnc.compiler.plan import Plan, QueuePlan
from snnc.sim.models import golden
from snnc.sim.models.activity import ActivityTally
from snnc.sim.models.stimulus import stimulus
from snnc.sim.models.timing.digits import digit_count, mean_digits
from snnc.sim.models.timing.estimate import Activity, assumed, estimate, expected, recorded
from snnc.sim.models.timing.exact import Prediction, predict
from snnc.sim.models.timing.means import SourceActivity
from tests.compiler.networks import design_of
from tests.sim.plans import make_plan

DIRECT = Encoding.DIRECT


def random_run(
    plan: Plan, *, density: float, firing: float, time_steps: int, batch: int = 200
) -> tuple[Prediction, Activity]:
    """What samples of a chain take, and the mean of their activity."""
    generator = np.random.default_rng(0)
    addresses, direct = plan.input.layout.neurons, plan.input.encoding is DIRECT
    if direct:
        pixels = generator.integers(1, 2**plan.input.value_bits, size=(batch, addresses))
        inputs: np.ndarray = pixels * (generator.random(pixels.shape) < density)
    else:
        inputs = generator.random((time_steps, batch, addresses)) < density
    spikes = {
        engine.name: generator.random((time_steps, batch, engine.neurons)) < firing for engine in plan.engines[:-1]
    }
    sources = {name: SourceActivity(steps=tuple(sent.sum(axis=2).mean(axis=1))) for name, sent in spikes.items()}
    if direct:
        digits = float(digit_count(inputs).sum(axis=1).mean())
        sources["input"] = SourceActivity(steps=(digits,), pixels=float((inputs != 0).sum(axis=1).mean()))
    else:
        sources["input"] = SourceActivity(steps=tuple(inputs.sum(axis=2).mean(axis=1)))
    prediction = predict(plan, stimulus(plan.input, inputs, time_steps=time_steps), spikes)
    return prediction, Activity(sources=sources, time_steps=time_steps)


@pytest.mark.parametrize("encoding", [Encoding.DIRECT, Encoding.EVENTS])
@pytest.mark.parametrize("depth", [2, 4, 64])
@pytest.mark.parametrize(
    ("sizes", "lanes"),
    [
        ([64, 32, 10], [16, 10]),
        ([784, 32, 10], [16, 10]),
        ([64, 64, 64, 10], [4, 8, 2]),
        ([40, 60, 50, 60, 20], [8, 5, 20, 5]),
        ([100, 128, 10], [2, 1]),
    ],
)
@pytest.mark.parametrize(("firing", "time_steps"), [(0.1, 8), (0.3, 3)])
def test_estimate_is_near_the_mean(
    encoding: Encoding, depth: int, sizes: list[int], lanes: list[int], firing: float, time_steps: int
) -> None:
    plan = make_plan(sizes, lanes, encoding=encoding, depths=[depth] * len(lanes), pipelines=[2] + [1] * len(lanes))
    prediction, activity = random_run(plan, density=0.15, firing=firing, time_steps=time_steps)
    estimated = estimate(plan, activity)
    assert estimated.cycles == pytest.approx(prediction.cycles.mean(), rel=0.07)
    assert estimated.achieved == estimated.bound / estimated.cycles
    for engine in prediction.engines:
        assert estimated.operations[engine.name] == pytest.approx(engine.operations.mean(), rel=1e-9)
    assert estimated.busiest == prediction.busiest.name


@pytest.mark.parametrize("encoding", [Encoding.DIRECT, Encoding.EVENTS])
@pytest.mark.parametrize("time_steps", [1, 4])
def test_one_engine_is_exact(encoding: Encoding, time_steps: int) -> None:
    plan = make_plan([50, 30], [8], encoding=encoding, pipelines=[3])
    prediction, activity = random_run(plan, density=0.3, firing=0, time_steps=time_steps)
    assert estimate(plan, activity).cycles == pytest.approx(prediction.cycles.mean())


def test_assumed_activity() -> None:
    graph = random_graph(RandomNetwork(architecture="200-40-10", time_steps=7))
    activity = assumed(graph, density=0.1, firing=0.5)
    assert activity.events == pytest.approx({"input": 20, "hidden0": 20})
    assert activity.time_steps == 7
    direct = random_graph(RandomNetwork(architecture="200-40-10", encoding=DIRECT, value_bits=2, time_steps=3))
    image = assumed(direct, density=0.1).sources["input"]
    assert image.at(0) == pytest.approx(20 * (1 + 1 + 2) / 3)  # 1 = 1, 2 = 2, 3 = 4 - 1
    assert image.pixels == pytest.approx(20)
    assert mean_digits(2) == pytest.approx(4 / 3)


def uneven_inputs(encoding: Encoding, *, steps: int, samples: int) -> np.ndarray:
    """Images of 12 x 12, or spikes, with nothing at the borders, and more of both towards the middle."""
    generator = np.random.default_rng(3)
    axis = np.maximum(0, np.sin(np.linspace(-0.6, np.pi + 0.6, 12)))
    bright = np.broadcast_to(np.outer(axis, axis), (2, 12, 12)).reshape(-1)
    if encoding is DIRECT:
        return generator.integers(1, 16, (samples, 288)) * (generator.random((samples, 288)) < bright)
    return generator.random((steps, samples, 288)) < bright * np.linspace(0.05, 0.6, steps)[:, None, None]


@pytest.mark.parametrize(("target", "device"), [("ice40", "hx8k"), ("ecp5", "45k")])  # digits, and products
@pytest.mark.parametrize("encoding", [Encoding.DIRECT, Encoding.EVENTS])
def test_what_was_measured_gives_the_cycles(encoding: Encoding, target: str, device: str) -> None:
    network = RandomNetwork(architecture="2x12x12-12c3-16c3s2-10", encoding=encoding, time_steps=5)
    graph = dataclasses.replace(random_graph(network), activity=None)
    inputs = uneven_inputs(encoding, steps=5, samples=60)
    trace = golden.run(graph, inputs, time_steps=5)
    spikes = {layer.name: trace.populations[layer.name].spikes for layer in graph.layers[:-1]}
    tally = ActivityTally(graph, "made for a test")
    tally.add(inputs, spikes)
    graph = dataclasses.replace(graph, activity=tally.record())
    plan = run_passes(design_of(graph, target=target, device=device), passes_before("emit")).complete_plan
    prediction = predict(plan, stimulus(plan.input, inputs, time_steps=5), spikes)
    found = estimate(plan, expected(graph))
    assert found.cycles == pytest.approx(prediction.cycles.mean(), rel=0.05)
    for engine in prediction.engines[1:]:
        assert found.operations[engine.name] == pytest.approx(engine.operations.mean() / engine.units, rel=1e-3)
    typical = estimate(plan, assumed(graph)).operations["hidden1"]
    assert abs(typical / found.operations["hidden1"] - 1) > 0.1


@pytest.mark.parametrize("lanes", [(40, 10), (20, 10), (8, 10), (3, 4)])
@pytest.mark.parametrize(("density", "time_steps"), [(0.3, 4), (0.02, 10)])
def test_a_list_of_pixels_is_gone_through_by_every_word(
    lanes: tuple[int, int], density: float, time_steps: int
) -> None:
    network = RandomNetwork(architecture="1x12x12-40-10", encoding=DIRECT, time_steps=time_steps)
    graph = dataclasses.replace(random_graph(network), activity=None)
    generator = np.random.default_rng(6)
    inputs = generator.integers(1, 16, (80, 144)) * (generator.random((80, 144)) < density)
    trace = golden.run(graph, inputs, time_steps=time_steps)
    spikes = {layer.name: trace.populations[layer.name].spikes for layer in graph.layers[:-1]}
    tally = ActivityTally(graph, "made for a test")
    tally.add(inputs, spikes)
    graph = dataclasses.replace(graph, activity=tally.record())
    design = design_of(graph, device="up5k", options=Options(lanes=lanes, engines=Engines.GATHER))
    plan = run_passes(design, passes_before("emit")).complete_plan
    assert plan.engines[0].kind.kind == "pixel_list"
    prediction = predict(plan, stimulus(plan.input, inputs, time_steps=time_steps), spikes)
    found = estimate(plan, expected(graph))
    assert found.cycles == pytest.approx(prediction.cycles.mean(), rel=0.03)
    assert found.operations["hidden0"] == pytest.approx(prediction.engines[0].operations.mean(), rel=0.01)


@pytest.mark.parametrize(
    "architecture", ["3x32x1-16t3x2-10", "3x32x1-8c5x1s2x1-10", "2x8x8-8c3-10", "2x8x8-a2-8c3s2-10"]
)
def test_sweeps_and_events_are_kept_apart_where_an_engine_forwards(architecture: str) -> None:
    graph = dataclasses.replace(random_graph(RandomNetwork(architecture=architecture, time_steps=12)), activity=None)
    inputs = np.random.default_rng(4).random((12, 60, graph.input.size)) < 0.05
    trace = golden.run(graph, inputs, time_steps=12)
    spikes = {layer.name: trace.populations[layer.name].spikes for layer in graph.layers[:-1]}
    tally = ActivityTally(graph, "made for a test")
    tally.add(inputs, spikes)
    graph = dataclasses.replace(graph, activity=tally.record())
    design = run_passes(design_of(graph, target="ecp5", device="25k"), passes_before("emit"))
    plan = design.complete_plan
    assert plan.engines[0].forwards
    relayed = {engine.name: inputs for engine in plan.engines[:-1] if engine.name not in spikes}
    prediction = predict(plan, stimulus(plan.input, inputs, time_steps=12), {**spikes, **relayed})
    assert estimate(plan, expected(design.graph)).cycles == pytest.approx(prediction.cycles.mean(), rel=0.02)


@pytest.mark.parametrize(("lanes", "density"), [((2, 3, 10), 0.05), ((4, 4, 10), 0.15)])
def test_a_source_that_waits_in_its_first_pass_has_the_others_before_it(lanes: tuple[int, ...], density: float) -> None:
    """Leaky neurons behind a queue of few words: the source's sweep waits for the walks behind it, then leaks."""
    graph = dataclasses.replace(
        random_graph(RandomNetwork(architecture="2x16x16-6c3-8c3s2-10", time_steps=8)), activity=None
    )
    leaky = [
        dataclasses.replace(layer, neuron=dataclasses.replace(layer.neuron, leak_shift=3))
        if isinstance(layer.neuron, IntegrateAndFire)
        else layer
        for layer in graph.populations
    ]
    graph = dataclasses.replace(graph, populations=tuple(leaky))
    inputs = np.random.default_rng(5).random((8, 40, graph.input.size)) < density
    trace = golden.run(graph, inputs, time_steps=8)
    spikes = {layer.name: trace.populations[layer.name].spikes for layer in graph.layers[:-1]}
    tally = ActivityTally(graph, "made for a test")
    tally.add(inputs, spikes)
    graph = dataclasses.replace(graph, activity=tally.record())
    options = Options(lanes=lanes, column_banks=(1, 1, 1))
    plan = run_passes(design_of(graph, device="up5k", options=options), passes_before("emit")).complete_plan
    first, second, readout = plan.engines
    assert len(first.passes) > 1
    few = dataclasses.replace(second.main, queue=QueuePlan(depth=4, latency=1))
    plan = dataclasses.replace(plan, engines=(first, dataclasses.replace(second, projections=(few,)), readout))
    prediction = predict(plan, stimulus(plan.input, inputs, time_steps=8), spikes)
    assert estimate(plan, expected(graph)).cycles == pytest.approx(prediction.cycles.mean(), rel=0.02)


def test_samples_that_are_loud_in_turn_take_longer_than_their_mean() -> None:
    """Taps behind a relayed input: engines wait for each other in quiet steps, and for their own work in loud ones."""
    network = RandomNetwork(architecture="48-16t3x2-16t3-10", time_steps=24)
    graph = dataclasses.replace(random_graph(network), activity=None)
    generator = np.random.default_rng(4)
    begins, loud = generator.integers(0, 20, 60), generator.random(60) * 0.8
    now = np.arange(24)[:, None]
    rates = np.where((now >= begins) & (now < begins + 8), loud, 0.01)[..., None]
    inputs = generator.random((24, 60, 48)) < rates
    trace = golden.run(graph, inputs, time_steps=24)
    spikes = {layer.name: trace.populations[layer.name].spikes for layer in graph.layers[:-1]}
    tally = ActivityTally(graph, "made for a test")
    tally.add(inputs, spikes)
    record = tally.record()
    graph = dataclasses.replace(graph, activity=record)
    design = run_passes(design_of(graph, target="ecp5", device="45k"), passes_before("emit"))
    plan, lowered = design.complete_plan, design.graph
    prediction = predict(plan, stimulus(plan.input, inputs, time_steps=24), {**spikes, plan.engines[0].name: inputs})
    found = estimate(plan, expected(lowered))
    assert found.cycles == pytest.approx(prediction.cycles.mean(), rel=0.05)
    alone = dataclasses.replace(expected(lowered), typical=())
    assert estimate(plan, alone).cycles < 0.97 * found.cycles
    assert estimate(plan, alone).operations == found.operations


@pytest.mark.parametrize(("target", "device"), [("ice40", "hx8k"), ("ecp5", "45k")])
@pytest.mark.parametrize("lanes", [None, (12, 8, 6, 5), (6, 4, 4, 5)])  # narrow words are often blank
def test_words_that_gather_follow_each_other_by_rows(target: str, device: str, lanes: tuple[int, ...] | None) -> None:
    network = RandomNetwork(architecture="2x12x12-12c3-16c3s2-12c3-5", encoding=DIRECT, time_steps=4)
    graph = random_graph(network)
    inputs = uneven_inputs(DIRECT, steps=4, samples=40)
    trace = golden.run(graph, inputs, time_steps=4)
    spikes = {layer.name: trace.populations[layer.name].spikes for layer in graph.layers[:-1]}
    tally = ActivityTally(graph, "made for a test")
    tally.add(inputs, spikes)
    graph = dataclasses.replace(graph, activity=tally.record())
    design = design_of(graph, target=target, device=device)
    design = dataclasses.replace(design, options=Options(engines=Engines.GATHER, lanes=lanes))
    plan = run_passes(design, passes_before("emit")).complete_plan
    assert [engine.kind.kind for engine in plan.engines] == ["image", "gather", "gather", "scatter"]
    assert (plan.engines[1].units > 1) == (lanes is None)
    prediction = predict(plan, stimulus(plan.input, inputs, time_steps=4), spikes)
    found = estimate(plan, expected(graph))
    assert found.cycles == pytest.approx(prediction.cycles.mean(), rel=0.05)
    for engine in prediction.engines[1:]:
        assert found.operations[engine.name] == pytest.approx(engine.operations.mean() / engine.units, rel=1e-3)


@pytest.mark.parametrize(("target", "device"), [("ice40", "hx8k"), ("ecp5", "45k")])  # digits, and products
def test_kernel_rows_without_a_pixel_take_a_slot(target: str, device: str) -> None:
    """Strokes, as pictures have them: pixels that are not 0 lie side by side."""
    graph = random_graph(RandomNetwork(architecture="1x16x16-6c5s2-5", encoding=DIRECT, time_steps=1))
    generator = np.random.default_rng(8)
    images = np.zeros((60, 16, 16), dtype=np.int64)
    for image in images:
        for row in generator.choice(16, 6, replace=False):
            start = int(generator.integers(0, 10))
            image[row, start : start + int(generator.integers(3, 7))] = generator.integers(1, 16)
    inputs = images.reshape(60, -1)
    trace = golden.run(graph, inputs, time_steps=1)
    spikes = {layer.name: trace.populations[layer.name].spikes for layer in graph.layers[:-1]}
    tally = ActivityTally(graph, "made for a test")
    tally.add(inputs, spikes)
    graph = dataclasses.replace(graph, activity=tally.record())
    cycles = {}
    for engines in (Engines.SCATTER, Engines.GATHER):
        options = Options(engines=engines, lanes=(6, 5))
        design = run_passes(design_of(graph, target=target, device=device, options=options), passes_before("emit"))
        plan = design.complete_plan
        found = predict(plan, stimulus(plan.input, inputs, time_steps=1), spikes).cycles.mean()
        assert estimate(plan, expected(graph)).cycles == pytest.approx(found, rel=0.05)
        cycles[engines] = found
    assert cycles[Engines.GATHER] < 0.6 * cycles[Engines.SCATTER]


def test_steps_that_were_not_measured_are_as_the_last_one() -> None:
    graph = random_graph(RandomNetwork(architecture="20-8-10", time_steps=6))
    record = ActivityRecord(
        data="", samples=1, events={"input": np.array([[[2.0]], [[4.0]]]), "hidden0": np.array([[[1.0]], [[3.0]]])}
    )
    source = recorded(record, graph).sources["hidden0"]
    assert [source.at(t) for t in range(4)] == [1, 3, 3, 3]
    assert recorded(record, graph).time_steps == 6


@pytest.mark.parametrize(("target", "device"), [("ice40", "hx8k"), ("ecp5", "45k")])
@pytest.mark.parametrize("engines", [Engines.GATHER, Engines.SCATTER])
@pytest.mark.parametrize("asked", [(1,), (1, 2)])
def test_samples_that_end_early_count_as_many_as_do(
    target: str, device: str, engines: Engines, asked: tuple[int, ...]
) -> None:
    """And where nobody noted how many do, all take all steps."""
    network = RandomNetwork(architecture="2x12x12-12c3-16c3s2-12c3-5", encoding=DIRECT, time_steps=4)
    graph = random_graph(network)
    inputs = uneven_inputs(DIRECT, steps=4, samples=60)
    logits = golden.run(graph, inputs, time_steps=1).logits
    margins = np.sort(logits, axis=1)
    margin = int(np.median(margins[:, -1] - margins[:, -2])) + 1
    graph = dataclasses.replace(graph, exit=Exit(margin=margin, steps=asked), activity=None)
    trace = golden.run(graph, inputs, time_steps=4)
    assert 10 < np.count_nonzero(trace.steps == 1) < 50
    spikes = {layer.name: trace.populations[layer.name].spikes for layer in graph.layers[:-1]}
    tally = ActivityTally(graph, "made for a test")
    tally.add(inputs, spikes, trace.steps)
    graph = dataclasses.replace(graph, activity=tally.record())
    design = dataclasses.replace(design_of(graph, target=target, device=device), options=Options(engines=engines))
    design = run_passes(design, passes_before("emit"))
    plan = design.complete_plan
    cycles = predict(plan, stimulus(plan.input, inputs, time_steps=4), spikes, steps=trace.steps).cycles
    known = expected(design.graph)
    assert estimate(plan, known).cycles == pytest.approx(cycles.mean(), rel=0.1)
    unknown = estimate(plan, dataclasses.replace(known, exits={}))
    assert unknown.cycles > 1.1 * cycles.mean()
    if engines is Engines.GATHER:  # the image is gathered once, in however many attempts
        image = plan.engines[0].name
        assert estimate(plan, known).operations[image] == pytest.approx(unknown.operations[image])
