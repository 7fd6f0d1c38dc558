"""What the passes of a sweep make of a residual, against the neuron's equations."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import pytest
from amaranth.hdl import Module, Signal, Value, signed

from snnc.compiler.ir import Reset
from snnc.compiler.plan import ConstantField, EnginePlan, MemoryKind, SweepPass
from snnc.rtl.beats import Marker, OperationKind, operation
from snnc.rtl.neurons import answers, at_pass, ends_sample, swept
from tests.rtl.benches import evaluate
from tests.rtl.plans import Neuron, engine, layout

BITS = 10

NEURONS = {
    "soft": Neuron(threshold=9, bias=-2),
    "hard": Neuron(threshold=5, bias=3, reset=Reset.HARD),
    "floor": Neuron(threshold=12, bias=-4, floor=-7),
    "hard floor": Neuron(threshold=12, bias=2, floor=-3, reset=Reset.HARD),
    "floor above": Neuron(threshold=6, bias=1, floor=2, reset=Reset.HARD),
    "leak": Neuron(threshold=8, bias=1, leak_shift=2),
    "hard leak": Neuron(threshold=8, bias=-1, leak_shift=1, reset=Reset.HARD),
    "leak by all": Neuron(threshold=8, bias=-1, leak_shift=BITS + 3),
    "leak and floor": Neuron(threshold=7, bias=2, leak_shift=3, floor=-10),
    "readout": Neuron(bias=-3, reset=None),
    "leaky readout": Neuron(bias=-3, reset=None, leak_shift=2),
    "readout of this step": Neuron(bias=5, reset=None, leak_shift=0),
}


def plan_of(neuron: Neuron) -> EnginePlan:
    return engine(
        layout(1),
        readout=neuron.reset is None,
        reset=neuron.reset or Reset.SOFT,
        leak_shift=neuron.leak_shift,
        floor=neuron.floor is not None,
        residual_bits=BITS,
        membrane=MemoryKind.REGISTERS,
    )


@pytest.mark.parametrize("name", NEURONS)
def test_a_sweep_is_one_step_of_the_neuron(name: str) -> None:
    neuron = NEURONS[name]
    plan, constants = plan_of(neuron), neuron.constants()
    entering = Signal(signed(BITS))

    def build(m: Module) -> Mapping[str, Value]:
        """All passes, one behind the other."""
        residual, spike = entering, None
        for k in range(len(plan.passes)):
            taken = [int(k == other) for other in range(len(plan.passes))]
            of_neuron = {field: constants[field] for field in ConstantField if field in constants}
            kept, added, positive = swept(plan, residual, [Value.cast(item) for item in taken], of_neuron)
            spike = positive if spike is None else spike
            residual = Signal(signed(BITS), name=f"after{k}")
            m.d.comb += residual.eq(kept + added)
        assert spike is not None
        return {"residual": residual, "spike": spike}

    cases = list(itertools.product(range(-40, 41), (-25, -9, -1, 0, 1, 7, 22)))
    found = evaluate(
        build,
        {"entering": entering},
        [{"entering": neuron.residual(membrane) + current} for membrane, current in cases],
    )
    for (membrane, current), item in zip(cases, found, strict=True):
        fired, after = neuron.step(membrane, current)
        assert item["residual"] == neuron.residual(after), (membrane, current)
        if neuron.reset is not None:
            assert item["spike"] == fired


@pytest.mark.parametrize("leak_shift", [0, 1, 3, BITS, BITS + 5])
def test_a_leak_keeps_what_a_leaky_readout_begins_with(leak_shift: int) -> None:
    neuron = Neuron(reset=None, leak_shift=leak_shift)
    plan, residual = plan_of(neuron), Signal(signed(BITS))
    at_work = [Value.cast(int(sweep_pass is SweepPass.LEAK)) for sweep_pass in plan.passes]

    def build(m: Module) -> Mapping[str, Value]:
        kept, added, _ = swept(plan, residual, at_work, neuron.constants())
        return {"after": (kept + added)[:BITS].as_signed()}

    assert (
        evaluate(build, {"residual": residual}, [{"residual": -1}])
        == [{"after": neuron.residual(0)}]
        == [{"after": -1}]
    )


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["readout", "leaky readout"])
def test_logits_are_handed_out_where_a_word_holds_its_membranes(name: str, stream: bool) -> None:
    plan = plan_of(NEURONS[name])
    plan = dataclasses.replace(plan, population=dataclasses.replace(plan.population, stream=stream))
    op: Any = Signal(operation(plan))
    cases = [
        {"kind": kind.value, "marker": marker.value, "sweep_pass": sweep_pass}
        for kind in OperationKind
        for marker in Marker
        for sweep_pass in range(len(plan.passes))
    ]
    fields = {"kind": Value.cast(op.kind), "marker": Value.cast(op.marker), "sweep_pass": op.sweep_pass}
    found = evaluate(lambda m: {"answers": answers(plan, op)}, fields, cases)
    hands_out = {Marker.SAMPLE.value, *([Marker.ANSWER.value] if stream else [])}
    for case, item in zip(cases, found, strict=True):
        sweeps = case["kind"] == OperationKind.SWEEP.value and case["sweep_pass"] == 0
        assert item["answers"] == (sweeps and case["marker"] in hands_out)


@pytest.mark.parametrize("name", ["soft", "leak and floor", "readout"])
def test_an_operation_of_no_pass_keeps_the_residual(name: str) -> None:
    plan, constants = plan_of(NEURONS[name]), NEURONS[name].constants()
    residual = Signal(signed(BITS))
    found = evaluate(
        lambda m: {"kept": swept(plan, residual, [Value.cast(0)] * len(plan.passes), constants)[0]},
        {"residual": residual},
        [{"residual": value} for value in (-20, -1, 0, 1, 20)],
    )
    assert [item["kept"] for item in found] == [-20, -1, 0, 1, 20]


@pytest.mark.parametrize("name", ["soft", "floor", "leak and floor", "readout"])
def test_the_last_pass_of_a_samples_sweep_is_its_end(name: str) -> None:
    plan = plan_of(NEURONS[name])
    op: Any = Signal(operation(plan))
    cases = [
        {"kind": kind.value, "marker": marker.value, "sweep_pass": sweep_pass}
        for kind in OperationKind
        for marker in (Marker.NONE, Marker.STEP, Marker.SAMPLE)
        for sweep_pass in range(len(plan.passes))
    ]
    found = evaluate(
        lambda m: {
            "ends": ends_sample(plan, op),
            **{f"at{k}": at_pass(plan, op.sweep_pass, k) for k in range(len(plan.passes))},
        },
        {"kind": Value.cast(op.kind), "marker": Value.cast(op.marker), "sweep_pass": op.sweep_pass},
        cases,
    )
    for case, item in zip(cases, found, strict=True):
        last = case["sweep_pass"] == len(plan.passes) - 1
        sweeps = case["kind"] == OperationKind.SWEEP.value and case["marker"] == Marker.SAMPLE.value
        assert item["ends"] == (sweeps and last)
        assert [item[f"at{k}"] for k in range(len(plan.passes))] == [
            int(case["sweep_pass"] == k) for k in range(len(plan.passes))
        ]
