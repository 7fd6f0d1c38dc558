"""What a sweep does to one neuron."""

from collections.abc import Mapping, Sequence

from amaranth.hdl import Const, Mux, Signal, Value, ValueLike, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from snnc.compiler.ir.neurons import Reset
from snnc.compiler.plan import ConstantField, EnginePlan, SweepPass
from snnc.rtl.beats import Marker, Operation, OperationKind

__all__ = [
    "answers",
    "at_pass",
    "constant_members",
    "constants_of",
    "ends_sample",
    "goes_on",
    "leaky_readout",
    "swept",
    "zeroed",
]


def leaky_readout(plan: EnginePlan) -> bool:
    """Whether it hands out logits before the last pass of a sweep, which is its leak."""
    return not plan.population.fires and plan.leak_shift is not None


def goes_on(plan: EnginePlan) -> bool:
    """Whether it is a readout that an answer in the middle of a stream leaves as it is."""
    return plan.population.stream and leaky_readout(plan)


def at_pass(plan: EnginePlan, sweep_pass: Value, index: int) -> Value:
    """Whether an operation's `sweep_pass` is the one at `index`; an engine's only pass always is."""
    return sweep_pass == index if len(plan.passes) > 1 else Const(1, 1)


def ends_sample(plan: EnginePlan, operation: Operation) -> Value:
    """Whether an operation is the last that a sample has for its word."""
    sweeps = (operation.kind == OperationKind.SWEEP) & (operation.marker == Marker.SAMPLE)
    return sweeps & at_pass(plan, operation.sweep_pass, len(plan.passes) - 1)


def answers(plan: EnginePlan, operation: Operation) -> Value:
    """Whether an operation is the last before a readout's logits are handed out, for its word."""
    if leaky_readout(plan):
        marker = operation.marker
        hands_out = (marker == Marker.SAMPLE) | ((marker == Marker.ANSWER) & goes_on(plan))
        settles = at_pass(plan, operation.sweep_pass, plan.membrane_pass)
        return (operation.kind == OperationKind.SWEEP) & settles & hands_out
    last = ends_sample(plan, operation)
    if not plan.population.stream:
        return last
    return last | ((operation.kind == OperationKind.SWEEP) & (operation.marker == Marker.ANSWER))


def swept(
    plan: EnginePlan, residual: Value, at_work: Sequence[Value], constants: Mapping[ConstantField, ValueLike]
) -> tuple[Value, ValueLike, Value]:
    """The two terms of the sum that a neuron's residual becomes, and whether the neuron spikes.

    `at_work` says of each pass whether it is the one that is taken; with none of them the first term is the residual.
    `constants` are the neuron's.
    """
    positive = ~residual[-1]
    kept, added = residual, None
    for which, taken in zip(plan.passes, at_work, strict=True):
        match which:
            case SweepPass.FIRE:
                term = Mux(positive, constants[ConstantField.FIRED], constants[ConstantField.SILENT])
                if plan.reset is Reset.HARD:
                    kept = Mux(taken & positive, 0, kept)
            case SweepPass.FLOOR:
                term = constants[ConstantField.FLOOR]
                kept = Mux(taken & ~positive, 0, kept)
            case SweepPass.LEAK:
                # The complement is one less than the negative; the constant of the next pass makes up for it.
                assert plan.leak_shift is not None
                term = ~(residual >> min(plan.leak_shift, plan.residual_bits))
            case SweepPass.BIAS:
                term = constants[ConstantField.BIAS]
        added = term if added is None else Mux(taken, term, added)
    return kept, added, positive


def zeroed(plan: EnginePlan, residual: Value, at_work: Sequence[Value]) -> Value:
    """Whether the first term of the sum that `swept` gives is 0 in the place of the residual."""
    found: Value = Const(0, 1)
    for which, taken in zip(plan.passes, at_work, strict=True):
        if which is SweepPass.FIRE and plan.reset is Reset.HARD:
            found = found | (taken & ~residual[-1])
        if which is SweepPass.FLOOR:
            found = found | (taken & residual[-1])
    return found


def constant_members(plan: EnginePlan) -> dict[str, wiring.Member]:
    """Ports of a neuron's constants, each named as its `ConstantField` is; those that the population has."""
    return {field.value: In(signed(plan.residual_bits)) for field in plan.constant_fields}


def constants_of(unit: wiring.Component, plan: EnginePlan) -> Mapping[ConstantField, Signal]:
    """The signals of a component's `constant_members`."""
    return {field: getattr(unit, field.value) for field in plan.constant_fields}
