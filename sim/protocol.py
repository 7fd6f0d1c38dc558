"""The port protocol: random gaps and stalls must not change a value."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from snnc.compiler.artefacts import Build
from snnc.compiler.ir import Encoding
from snnc.compiler.plan import unsigned_bits
from snnc.sim import golden
from snnc.sim.cosimulation import build_executable, run_bench
from snnc.sim.stimulus import Stimulus, stimulus

__all__ = ["vectors", "verify_protocol"]

_TOP = "snnc_protocol"
_WRAPPER = """\
`timescale 1ns/1ps
module snnc_protocol (
    output reg clk, input wire rst,
    input wire i__valid, output wire i__ready, input wire [{input_bits}-1:0] i__payload,
    output wire o__valid, input wire o__ready, output wire [{output_bits}-1:0] o__payload
);
    initial clk = 0;
    always #1 clk = ~clk;
    snnc_core core (
        .clk(clk), .rst(rst), .i__valid(i__valid), .i__ready(i__ready), .i__payload(i__payload),
        .o__valid(o__valid), .o__ready(o__ready), .o__payload(o__payload)
    );
endmodule
"""
_BENCH = "snnc.sim.benches.protocol"


def vectors(build: Build, inputs: npt.NDArray[Any], *, time_steps: int) -> dict[str, Any]:
    """Input beats and expected result beats of some samples, as plain values for a cocotb bench.

    ``widths`` are those of the fields of the ports' payloads, lowest first; ``beats`` and ``results`` are the payloads.
    """
    plan = build.plan
    trace = golden.run(build.load_graph(), inputs, time_steps=time_steps)
    beats = stimulus(plan.input.encoding, inputs, time_steps=time_steps)
    logit, index = plan.readout.residual_bits, unsigned_bits(plan.readout.neurons - 1)
    results = []
    for logits in trace.logits.tolist():
        for k, value in enumerate(logits):
            best = int(np.argmax(logits[: k + 1]))
            last = k == len(logits) - 1
            results.append((value & (1 << logit) - 1) | k << logit | best << logit + index | last << logit + 2 * index)
    direct = plan.input.encoding is Encoding.DIRECT
    return {
        "widths": {
            "i": {
                "address": unsigned_bits(plan.input.addresses - 1),
                "event": 1,
                "marker": 2,
                **({"value": plan.input.value_bits} if direct else {}),
            },
            "o": {"logit": logit, "index": index, "best": index, "last": 1},
        },
        "beats": _payloads(build, beats),
        "results": results,
        "classes": trace.classes.tolist(),
    }


def _payloads(build: Build, beats: Stimulus) -> list[int]:
    address = unsigned_bits(build.plan.input.addresses - 1)
    direct = build.plan.input.encoding is Encoding.DIRECT
    return [
        a | e << address | m << address + 1 | (v << address + 3 if direct else 0)
        for a, e, m, v in zip(
            beats.address.tolist(), beats.event.tolist(), beats.marker.tolist(), beats.value.tolist(), strict=True
        )
    ]


def verify_protocol(build: Build, inputs: npt.NDArray[Any], *, time_steps: int, seed: int = 0) -> None:
    """Run the handshake bench, once per mixture of gaps and stalls.

    Raises
    ------
    VerificationError
        A value changed, was lost or invented, or an offer was withdrawn or altered before it was taken.
    """
    sources = tuple(path for path in build.verilog if path.name != "shell.v")
    content = vectors(build, inputs, time_steps=time_steps)
    widths = {
        f"{port}put_bits": sum(fields.values())
        for port, fields in zip(("in", "out"), content["widths"].values(), strict=True)
    }
    executable = build_executable(sources, {"protocol.v": _WRAPPER.format(**widths)}, _TOP)
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
