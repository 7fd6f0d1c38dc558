"""A point is what `snnc compile` would build: the same plan, the same cycles."""

from __future__ import annotations

import dataclasses
import shlex

import numpy as np
import pytest
from click.testing import CliRunner

from snnc.compiler.build.folder import open_build
from snnc.compiler.cli import cli
from snnc.compiler.design import Engines, Objective
from snnc.compiler.explore.findings import chosen_exit, measured, planned, prepare
from snnc.compiler.explore.grid import AskedExit, Data, Grid, Keys
from snnc.compiler.lanes.area import total_cells
from snnc.compiler.targets import find_device
from snnc.sim.evaluation.energy import load_costs
from snnc.sim.models import golden
from snnc.sim.models.inputs import encode, load_samples
from snnc.sim.models.stimulus import stimulus
from snnc.sim.models.timing.exact import predict


@pytest.fixture
def student(repository):
    return repository / "examples" / "students" / "digits-64-32-10-int4.pt"


def data_of(student, count=40):
    from snnc.compiler.pipeline import integer_network

    samples = load_samples(integer_network(student), "digits", data=None, samples=count, part="validation")
    return Data(name="digits", path=None, samples=samples, timed=5, costs=load_costs("fp32"))


def training_of(student, count=10_000):
    from snnc.compiler.pipeline import integer_network

    return load_samples(integer_network(student), "digits", data=None, samples=count, part="train")


def asked(agreement, *steps):
    return AskedExit(agreement=agreement, steps=steps, dataset="digits", data=None)


def grid_of(student, **axes):
    everything = {
        "students": {student: [2]},
        "weight_bits": [3],
        "devices": [find_device("ice40")],
        "objectives": [Objective.LATENCY],
        "lanes": [],
        "engines": [Engines.SCATTER],
    }
    return Grid(**{**everything, **axes})


@pytest.mark.parametrize("objective", list(Objective))
def test_the_command_builds_the_plan_of_the_point(student, tmp_path, objective):
    data = data_of(student)
    (point,) = grid_of(student, objectives=[objective]).points
    prepare(data.samples.first(data.timed), {})
    found = planned(point)
    _, *arguments = shlex.split(point.command)
    arguments[-1] = str(tmp_path / "build")
    assert CliRunner().invoke(cli, arguments, catch_exceptions=False).exit_code == 0
    build = open_build(tmp_path / "build")
    assert found["cells"] == total_cells(build.plan)
    assert found["blocks"] == build.plan.blocks
    assert [layer["lanes"] for layer in found["layers"]] == [engine.width for engine in build.plan.engines]
    graph = build.load_graph()
    inputs = encode(graph.source, data.samples.images[:5], time_steps=2, events=False)
    trace = golden.run(graph, inputs, time_steps=2)
    spikes = {name: one.spikes for name, one in trace.populations.items()}
    cycles = predict(build.plan, stimulus(build.plan.input, inputs, time_steps=2), spikes).cycles
    assert found["cycles"] == float(cycles.mean())
    assert found["most_cycles"] == int(cycles.max())


def test_the_commands_build_the_plan_of_a_point_with_an_early_exit(student, tmp_path, monkeypatch):
    """Two of them: a file with the exit, chosen for so many steps and bits, and its build."""
    monkeypatch.chdir(tmp_path)
    data = dataclasses.replace(data_of(student), training=training_of(student))
    (point,) = grid_of(student, students={student: [3]}, exits=[asked(99.5)]).points
    chosen = {point.variant: chosen_exit(point.variant, data)}
    prepare(data.samples.first(data.timed), chosen)
    found, network = planned(point), measured(point.variant, data, chosen)
    for command in point.command.split(" && "):
        _, *arguments = shlex.split(command)
        assert CliRunner().invoke(cli, arguments, catch_exceptions=False).exit_code == 0
    build = open_build(tmp_path / arguments[-1])
    graph = build.load_graph()
    assert graph.exit is not None
    inputs = encode(graph.source, data.samples.images, time_steps=3, events=False)
    trace = golden.run(graph, inputs, time_steps=3)

    def ended(steps: int) -> float:
        return float(np.mean(trace.steps == steps))

    assert chosen[point.variant] == {"margin": graph.exit.margin, "steps": [1, 2]} | {
        "ended": {"1": pytest.approx(ended(1)), "2": pytest.approx(ended(2))}
    }
    assert found["cells"] == total_cells(build.plan)
    assert network["accuracy"] == float(np.mean(trace.classes == data.samples.labels))
    inputs = inputs[:, : data.timed] if inputs.ndim == 5 else inputs[: data.timed]
    trace = golden.run(graph, inputs, time_steps=3)
    spikes = {name: one.spikes for name, one in trace.populations.items()}
    given = stimulus(build.plan.input, inputs, time_steps=3)
    assert found["cycles"] == float(predict(build.plan, given, spikes, steps=trace.steps).cycles.mean())


def test_an_exit_is_asked_for_where_there_is_a_step_to_leave_out(student):
    variants = grid_of(student, students={student: [1, 2, 4]}, exits=[None, asked(99), asked(99, 2)]).variants
    texts = [(one.time_steps, one.exit.text if one.exit else "") for one in variants]
    assert texts == [(1, ""), (2, ""), (2, "99"), (4, ""), (4, "99"), (4, "99@2")]


def test_an_exit_that_cannot_be_is_a_sentence(student):
    data = dataclasses.replace(data_of(student), training=training_of(student, 30))
    (point,) = grid_of(student, exits=[asked(99, 1)]).points
    chosen = {point.variant: {"refused": "No margin"}}
    prepare(data.samples.first(1), chosen)
    assert measured(point.variant, data, chosen) == planned(point) == {"refused": "No margin"}
    wrong = dataclasses.replace(point.variant, exit=asked(99, 2))
    assert "can end early after steps 1 to 1" in chosen_exit(wrong, data)["refused"]


def test_accuracy_is_that_of_the_integers(student):
    from snnc.compiler.pipeline import integer_network

    data = data_of(student)
    (variant,) = grid_of(student).variants
    graph = integer_network(student, time_steps=2, weight_bits=3)
    inputs = encode(graph.source, data.samples.images, time_steps=2, events=False)
    right = golden.run(graph, inputs, time_steps=2).classes == data.samples.labels
    found = measured(variant, data, {})
    assert found["accuracy"] == float(np.mean(right))
    assert found["weight_bits"] == 3


def test_what_cannot_be_is_a_sentence(student):
    data = data_of(student)
    (variant,) = grid_of(student, students={student: [2**20]}).variants
    assert "--time-steps is 1048576" in measured(variant, data, {})["refused"]
    prepare(data.samples.first(1), {})
    (point,) = grid_of(student, objectives=[], lanes=[((999, 1), (10, 1))]).points
    assert "--lanes gives 999" in planned(point)["refused"]


def test_a_key_changes_with_everything_that_its_result_depends_on(student):
    data = data_of(student)
    (point,) = grid_of(student).points
    keys = Keys(grid_of(student), data)
    assert keys.of_point(point) == Keys(grid_of(student), data_of(student)).of_point(point)
    others = [
        *grid_of(student, students={student: [3]}).points,
        *grid_of(student, weight_bits=[None]).points,
        *grid_of(student, devices=[find_device("ice40", "hx8k")]).points,
        *grid_of(student, objectives=[Objective.AREA]).points,
        *grid_of(student, objectives=[], lanes=[((8, 1), (10, 1))]).points,
        *grid_of(student, engines=[Engines.AUTO]).points,
        *grid_of(student, exits=[asked(99), asked(98), asked(98, 1)]).points,
    ]
    assert len({keys.of_point(one) for one in (point, *others)}) == 1 + len(others)
    fewer = Keys(grid_of(student), data_of(student, count=4))
    assert fewer.of_point(point) != keys.of_point(point)
    assert fewer.of_variant(point.variant) != keys.of_variant(point.variant)
