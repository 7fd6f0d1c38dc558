"""The estimate against the exact prediction, of which it is the mean in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.compiler.ir import Encoding
from snnc.compiler.plan import Plan
from snnc.sim.models.stimulus import stimulus
from snnc.sim.models.timing.estimate import Activity, assumed, estimate, measured
from snnc.sim.models.timing.exact import Prediction, predict
from tests.sim.plans import make_plan


def random_run(plan: Plan, *, density: float, firing: float, time_steps: int, batch: int = 200) -> Prediction:
    generator = np.random.default_rng(0)
    addresses = plan.input.layout.neurons
    if plan.input.encoding is Encoding.DIRECT:
        pixels = generator.integers(1, 2**plan.input.value_bits, size=(batch, addresses))
        inputs: np.ndarray = pixels * (generator.random(pixels.shape) < density)
    else:
        inputs = generator.random((time_steps, batch, addresses)) < density
    spikes = {
        engine.name: generator.random((time_steps, batch, engine.neurons)) < firing for engine in plan.engines[:-1]
    }
    return predict(plan, stimulus(plan.input.encoding, inputs, time_steps=time_steps), spikes)


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
    prediction = random_run(plan, density=0.15, firing=firing, time_steps=time_steps)
    for activity in (
        measured(plan, prediction, time_steps=time_steps),
        assumed(plan, density=0.15, firing=firing, time_steps=time_steps),
    ):
        estimated = estimate(plan, activity)
        assert estimated.cycles == pytest.approx(prediction.cycles.mean(), rel=0.07)
        assert estimated.achieved == estimated.bound / estimated.cycles
        for engine in prediction.engines:
            assert estimated.operations[engine.name] == pytest.approx(engine.operations.mean(), rel=0.07)
    exact = estimate(plan, measured(plan, prediction, time_steps=time_steps))
    assert exact.busiest == prediction.busiest.name
    assert exact.bound == pytest.approx(prediction.busiest.operations.mean())


@pytest.mark.parametrize("encoding", [Encoding.DIRECT, Encoding.EVENTS])
@pytest.mark.parametrize("time_steps", [1, 4])
def test_one_engine_is_exact(encoding: Encoding, time_steps: int) -> None:
    plan = make_plan([50, 30], [8], encoding=encoding, pipelines=[3])
    prediction = random_run(plan, density=0.3, firing=0, time_steps=time_steps)
    estimated = estimate(plan, measured(plan, prediction, time_steps=time_steps))
    assert estimated.cycles == pytest.approx(prediction.cycles.mean())


def test_assumed_activity() -> None:
    events = make_plan([200, 40, 10], [8, 10], time_steps=7)
    assert assumed(events, density=0.1, firing=0.5) == Activity(events={"input": 20, "engine0": 20}, time_steps=7)
    direct = make_plan([200, 40, 10], [8, 10], encoding=Encoding.DIRECT, bits=2)
    activity = assumed(direct, density=0.1, firing=0.5, time_steps=3)
    assert activity.events["input"] == pytest.approx(20 * (1 + 1 + 2) / 3)  # 1 = 1, 2 = 2, 3 = 4 - 1
    assert activity.time_steps == 3
