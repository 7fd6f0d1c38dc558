"""The port protocol: random gaps and stalls must not change a value."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from snnc.compiler.build.folder import Build
from snnc.sim.cosimulation.patience import patience
from snnc.sim.cosimulation.ports import clocked_core, input_widths, pack_inputs, pack_results, result_widths
from snnc.sim.cosimulation.simulator import build_executable, run_bench
from snnc.sim.models import golden
from snnc.sim.models.stimulus import stimulus
from snnc.sim.models.timing.exact import predict

__all__ = ["vectors", "verify_protocol", "verify_vectors"]

_TOP = "snnc_protocol"
_BENCH = "snnc.sim.cosimulation.benches.protocol"


def vectors(build: Build, inputs: npt.NDArray[Any], *, time_steps: int, beat_cycles: int = 1) -> dict[str, Any]:
    """Input beats and expected result beats of some samples, as plain values for a cocotb bench.

    ``widths`` are those of the fields of the ports' payloads, lowest first; ``beats`` and ``results`` are the payloads;
    ``patience`` is how many cycles without a result show that the core hangs, where a beat takes `beat_cycles`.
    """
    plan = build.plan
    trace = golden.run(build.load_graph(), inputs, time_steps=time_steps)
    beats = stimulus(plan.input, inputs, time_steps=time_steps)
    prediction = predict(plan, beats, {name: layer.spikes for name, layer in trace.populations.items()})
    return {
        "widths": {"i": input_widths(plan), "o": result_widths(plan)},
        "beats": pack_inputs(plan, beats).tolist(),
        "results": pack_results(plan, trace.logits),
        "patience": patience(plan, beats, int(prediction.cycles.max()), beat_cycles=beat_cycles),
        "classes": trace.classes.tolist(),
    }


def verify_protocol(build: Build, inputs: npt.NDArray[Any], *, time_steps: int, seed: int = 0) -> None:
    """Run the handshake bench, once per mixture of gaps and stalls.

    Raises
    ------
    VerificationError
        A value changed, was lost or invented, or an offer was withdrawn or altered before it was taken.
    """
    verify_vectors(build, vectors(build, inputs, time_steps=time_steps), seed=seed)


def verify_vectors(build: Build, content: Mapping[str, Any], *, seed: int = 0) -> None:
    """The same with given beats and results, as `vectors` makes them: others may be put in.

    Of a result, the bits of its entry in ``masks`` count; without that, all.
    """
    executable = build_executable(build.core_verilog, {"protocol.v": clocked_core(_TOP, build.plan)}, _TOP)
    with tempfile.TemporaryDirectory(prefix="snnc-") as name:
        path = Path(name) / "vectors.json"
        path.write_text(json.dumps(content))
        run_bench(
            executable,
            _BENCH,
            cwd=build.path,
            plusargs=["+verilator+rand+reset+2", f"+verilator+seed+{seed + 1}"],
            environment={"SNNC_VECTORS": str(path), "SNNC_SEED": str(seed)},
        )
