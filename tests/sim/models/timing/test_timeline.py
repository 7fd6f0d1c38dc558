"""What every engine does in each cycle: nothing is left out, nothing counted twice, and the work is the operations."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.compiler.design import Engines
from snnc.compiler.plan import Plan
from snnc.sim.models import golden
from snnc.sim.models.stimulus import stimulus
from snnc.sim.models.timing.exact import predict
from snnc.sim.models.timing.timeline import Record, State, tracks
from tests.networks import compile_graph
from tests.sim.random_gathering import gathering_case
from tests.sim.random_spatial import BANKED, random_case


def recorded(plan: Plan, graph, inputs, steps):
    trace = golden.run(graph, inputs, time_steps=steps)
    spikes = {name: found.spikes for name, found in trace.populations.items()}
    records = {engine.name: Record() for engine in plan.engines}
    beats = stimulus(plan.input, inputs, time_steps=steps)
    return predict(plan, beats, spikes, steps=trace.steps, records=records), records, trace


def spatial(seed: int):
    case = random_case(seed)
    target, device = BANKED
    design = compile_graph(case.graph, lanes=case.lanes, column_banks=case.column_banks, target=target, device=device)
    return design, case.inputs, case.graph.time_steps


def gathering(seed: int):
    case = gathering_case(seed)
    design = compile_graph(
        case.graph, lanes=case.lanes, column_banks=case.units, target="ecp5", device="85k", engines=Engines.GATHER
    )
    return design, case.inputs, case.time_steps


@pytest.mark.parametrize("seed", [0, 1, 4, 5, 10])
@pytest.mark.parametrize("case", [spatial, gathering])
def test_every_cycle_is_in_one_state(case, seed):
    design, inputs, steps = case(seed)
    plan, graph = design.complete_plan, design.graph
    inputs = golden.take(graph.source.encoding, inputs, slice(0, 1))
    prediction, records, trace = recorded(plan, graph, inputs, steps)
    cycles = int(prediction.cycles[0])
    whole = int(trace.steps[0]) == steps
    for engine, expected in zip(plan.engines, prediction.engines, strict=True):
        # An engine may go on when its sample is over: with what nobody hears.
        longest = max(cycles, int(expected.last_execute[0]) + 1)
        each = [records[engine.name].states(unit, longest) for unit in range(engine.units)]
        assert all((states.sum(axis=1) == 1).all() for states in each)
        working = sum(int(states[:, 0].sum()) for states in each)
        if whole:
            assert working == int(expected.operations[0])
            busy = np.flatnonzero(np.sum(each, axis=0)[:, list(State).index(State.DONE)] < engine.units)
            assert busy[-1] == int(expected.last_execute[0]) - engine.pipeline
    units = {engine.name: engine.units for engine in plan.engines}
    for most in (1, 7, 10**6):
        assert all(sum(track.totals.values()) == cycles for track in tracks(records, units, cycles=cycles, most=most))
