"""The plan: the one seam between the compiler and everything that is built from its decisions.

Frozen, plain (numbers, strings, tuples), saved as JSON in the build folder. The hardware, the performance model, the
verifier and the reports are all constructed from it; none of them decides a width, a depth, a lane count or a rule
again. What the numbers *mean* in cycles is ``docs/timing.md``; what they mean in values is ``docs/semantics.md``.

The rooms: `ranges`, `memories` and `layout` are the vocabulary; `populations` says what is computed and `engines` who
computes it, with the `projections` that reach it; `residual` is what hardware keeps of a membrane; `network` is the
whole, and `codec` its file.
"""

from snnc.compiler.plan.codec import plan_from_json, plan_to_json
from snnc.compiler.plan.engines import EnginePlan
from snnc.compiler.plan.kinds import EngineKind
from snnc.compiler.plan.layout import KernelPlan, LayoutPlan
from snnc.compiler.plan.memories import LOAD_BITS, MemoryKind, MemoryPlan
from snnc.compiler.plan.network import PLAN_VERSION, Plan
from snnc.compiler.plan.populations import ExitPlan, InputPlan, PopulationPlan
from snnc.compiler.plan.projections import DigitPlan, ProjectionPlan, QueuePlan
from snnc.compiler.plan.ranges import Range, signed_bits, unsigned_bits
from snnc.compiler.plan.residual import ConstantField, SweepPass
from snnc.compiler.plan.walks import Walk

__all__ = [
    "LOAD_BITS",
    "PLAN_VERSION",
    "ConstantField",
    "DigitPlan",
    "EngineKind",
    "EnginePlan",
    "ExitPlan",
    "InputPlan",
    "KernelPlan",
    "LayoutPlan",
    "MemoryKind",
    "MemoryPlan",
    "Plan",
    "PopulationPlan",
    "ProjectionPlan",
    "QueuePlan",
    "Range",
    "SweepPass",
    "Walk",
    "plan_from_json",
    "plan_to_json",
    "signed_bits",
    "unsigned_bits",
]
