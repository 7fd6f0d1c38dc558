"""What a sweep does to one neuron."""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Const, Mux

from snnc.compiler.ir.neurons import Reset
from snnc.compiler.plan import ConstantField, EnginePlan, SweepPass

__all__ = ["at_pass", "swept"]


def at_pass(plan: EnginePlan, sweep_pass: Any, index: int) -> Any:
    """Whether an operation's `sweep_pass` is the one at `index`; an engine's only pass always is."""
    return sweep_pass == index if len(plan.passes) > 1 else Const(1, 1)


def swept(
    plan: EnginePlan, residual: Any, sweep_pass: Any, constants: Mapping[ConstantField, Any]
) -> tuple[Any, Any, Any]:
    """Whether the pass keeps a neuron's residual or takes 0 in its place, what it adds, and whether the neuron spikes.

    `constants` are the neuron's.
    """
    positive = ~residual[-1]
    keeps: Any = Const(1, 1)
    added: Any = None
    for index, which in enumerate(plan.passes):
        kept: Any = Const(1, 1)
        match which:
            case SweepPass.FIRE:
                term = Mux(positive, constants[ConstantField.FIRED], constants[ConstantField.SILENT])
                if plan.reset is Reset.HARD:
                    kept = ~positive
            case SweepPass.FLOOR:
                term, kept = constants[ConstantField.FLOOR], positive
            case SweepPass.LEAK:
                # The complement is one less than the negative; the constant of the next pass makes up for it.
                assert plan.leak_shift is not None
                term = ~(residual >> min(plan.leak_shift, plan.residual_bits))
            case SweepPass.BIAS:
                term = constants[ConstantField.BIAS]
        at_work = at_pass(plan, sweep_pass, index)
        added = term if added is None else Mux(at_work, term, added)
        keeps = keeps & (kept | ~at_work)
    return keeps, added, positive
