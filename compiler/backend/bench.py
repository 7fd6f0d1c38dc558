"""The bench in ``tb/``: a small cocotb test that the user may edit, and the script that runs it."""

from __future__ import annotations

from collections.abc import Mapping

from snnc.compiler.build.templates import render
from snnc.compiler.ir import Encoding
from snnc.compiler.plan import Plan, unsigned_bits

__all__ = ["bench_files"]


def bench_files(plan: Plan) -> Mapping[str, str]:
    """Texts by file name, relative to the build folder."""
    facts = {
        "plan": plan,
        "direct": plan.input.encoding is Encoding.DIRECT,
        "address_bits": plan.input.layout.address_bits,
        "pixels": plan.input.layout.lanes,
        "logit_bits": plan.readout.residual_bits,
        "index_bits": unsigned_bits(plan.readout.neurons - 1),
    }
    return {
        "tb/run.py": render(__package__, "bench_run.py.j2", facts),
        "tb/test_core.py": render(__package__, "bench_core.py.j2", facts),
    }
