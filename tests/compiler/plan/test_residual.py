"""The residual against the membrane that it stands for, step by step in plain integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnc.compiler.ir import Initial, IntegrateAndFire, Population
from snnc.compiler.plan.residual import (
    ConstantField,
    Residual,
    SweepPass,
    constant_fields_of,
    membrane_pass_of,
    passes_of,
)


@st.composite
def neurons(draw: st.DrawFn) -> tuple[Residual, bool]:
    """A neuron, and whether its reset is soft."""
    threshold = draw(st.integers(1, 40))
    floor = draw(st.none() | st.integers(-20, 0))
    leak = draw(st.none() | st.integers(0, 5))
    soft = draw(st.booleans())
    subtracted = draw(st.none() | st.integers(1, 60)) if soft else None
    residual = Residual(
        bias=np.array([draw(st.integers(-10, 10))]),
        threshold=np.array([threshold]),
        floor=None if floor is None else np.array([floor]),
        initial=np.array([draw(st.sampled_from([0, threshold >> 1]))]),
        leak_shift=leak,
        subtracted=None if subtracted is None else np.array([subtracted]),
    )
    return residual, soft


@given(neurons(), st.lists(st.integers(-60, 60), min_size=1, max_size=8))
def test_passes_of_a_sweep_do_what_the_membrane_does(neuron: tuple[Residual, bool], currents: list[int]) -> None:
    residual, soft = neuron
    assert residual.threshold is not None
    constants = {field: int(values[0]) for field, values in residual.constants().items()}
    passes = passes_of(fires=True, floor=residual.floor is not None, leaks=residual.leak_shift is not None)
    membrane, x = int(residual.initial[0]), constants[ConstantField.INITIAL]
    for current in currents:
        leak = residual.leak_shift
        drive = (membrane if leak is None else membrane - (membrane >> leak)) + int(residual.bias[0]) + current
        x += current
        assert (x >= 0) == (drive >= residual.threshold[0])
        taken = residual.threshold if residual.subtracted is None else residual.subtracted
        reset = (drive - int(taken[0]) if soft else 0) if x >= 0 else drive
        membrane = reset if residual.floor is None else max(reset, int(residual.floor[0]))
        held = [x]
        for which in passes:
            match which:
                case SweepPass.FIRE:
                    kept = 0 if x >= 0 and not soft else x
                    x = kept + constants[ConstantField.FIRED if x >= 0 else ConstantField.SILENT]
                case SweepPass.FLOOR:
                    x = max(x, 0) + constants[ConstantField.FLOOR]
                case SweepPass.LEAK:
                    assert leak is not None
                    x = x - (x >> leak) - 1
                case SweepPass.BIAS:
                    x += constants[ConstantField.BIAS]
            held.append(x)
        recorded = held[1 + membrane_pass_of(passes)]
        assert recorded + int(residual.back()[0]) == membrane
        said = residual.held(before=np.array([drive]), unclamped=np.array([reset]), after=np.array([membrane]))
        assert set(held) <= {int(values[0]) for values in said}


def test_a_readout_keeps_its_membrane() -> None:
    readout = Residual(bias=np.array([3]), threshold=None, floor=None, initial=np.array([0]), leak_shift=None)
    assert passes_of(fires=False, floor=False, leaks=False) == (SweepPass.BIAS,)
    assert {field: values.tolist() for field, values in readout.constants().items()} == {ConstantField.BIAS: [3]}
    assert readout.back().tolist() == [0]


def test_neurons_that_are_added_never_fire() -> None:
    one = Residual(bias=np.array([3]), threshold=np.array([7]), floor=None, initial=np.array([0]), leak_shift=None)
    initial = one.padded(3).constants()[ConstantField.INITIAL]
    assert initial.tolist() == [-4, -1, -1]
    longer = Residual(
        bias=np.array([3]),
        threshold=np.array([7]),
        floor=np.array([-5]),
        initial=np.array([2]),
        leak_shift=None,
        subtracted=np.array([9]),
    ).padded(2)
    assert longer.threshold is not None
    assert longer.floor is not None
    assert longer.subtracted is not None
    assert longer.bias.tolist() == [3, 0]
    assert longer.threshold.tolist() == [7, 1]
    assert longer.floor.tolist() == [-5, 0]
    assert longer.initial.tolist() == [2, 0]
    assert longer.subtracted.tolist() == [9, 1]


@pytest.mark.parametrize("initial", [False, True])
def test_fields_follow_the_passes(initial: bool) -> None:
    passes = passes_of(fires=True, floor=True, leaks=True)
    fields = constant_fields_of(passes, initial=initial)
    assert fields == tuple(ConstantField)[: 4 + initial]


@pytest.mark.parametrize(("initial", "begins"), [(Initial.HALF, [3, 4]), (Initial.ZERO, [0, 0])])
def test_a_population_begins_where_its_neurons_do(initial: Initial, begins: list[int]) -> None:
    neuron = IntegrateAndFire(threshold=np.array([7, 8]), initial=initial, floor=np.array([-3, -4]))
    population = Population(name="hidden", shape=(2, 1, 1), bias=np.array([1, 2]), neuron=neuron)
    residual = Residual.of(population)
    assert residual.initial.tolist() == begins
    assert residual.bias.tolist() == [1, 2]
    assert residual.floor is not None
    assert residual.floor.tolist() == [-3, -4]
