"""The core's two ports as simulation sees them: where the fields of a payload lie, and a module that makes the clock.

The layouts are those of ``docs/core.md``, stated here once more on purpose: a bench must not take them from the
hardware that it checks.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import Encoding
from snnc.compiler.plan import LOAD_BITS, Plan, unsigned_bits
from snnc.rtl.tops import CORE, SHELL
from snnc.sim.cosimulation.loading import load_core, load_shell
from snnc.sim.models.stimulus import Stimulus

__all__ = [
    "clocked_core",
    "clocked_shell",
    "input_widths",
    "offsets",
    "pack_inputs",
    "pack_results",
    "result_widths",
    "serial_input_bits",
]

Widths: TypeAlias = dict[str, int]
"""Bits of each field, from the lowest field on."""

_CLOCKED = """\
`timescale 1ns/1ps
module {top} (
    output reg clk, input wire rst,
    input wire i__valid, output wire i__ready, input wire [{input_bits}-1:0] i__payload,
    output wire o__valid, input wire o__ready, output wire [{output_bits}-1:0] o__payload,
    output wire loaded
);
    initial clk = 0;
    always #1 clk = ~clk;
    wire ready;
{statements}    wire valid = {valid};
    wire [{input_bits}-1:0] payload = {payload};
    assign i__ready = {ready};
    {module} inner (
        .clk(clk), .rst(rst), .i__valid(valid), .i__ready(ready), .i__payload(payload),
        .o__valid(o__valid), .o__ready(o__ready), .o__payload(o__payload){ports}
    );
endmodule
{driver}"""

# Where the input of the clocked module comes from.
_FROM_BENCH = {"valid": "i__valid", "payload": "i__payload", "ready": "ready"}
_FROM_DRIVER = {
    "valid": "loaded ? i__valid : load_valid",
    "payload": "loaded ? i__payload : load_payload",
    "ready": "loaded & ready",
}


def input_widths(plan: Plan) -> Widths:
    """Fields of an input beat."""
    widths = {"address": unsigned_bits(int(_address(plan, plan.input.layout.neurons - 1))), "event": 1, "marker": 2}
    if plan.input.encoding is Encoding.DIRECT:
        widths["value"] = plan.input.beat_value_bits
    return widths


def result_widths(plan: Plan) -> Widths:
    """Fields of a result beat."""
    index = unsigned_bits(plan.readout.neurons - 1)
    return {"logit": plan.readout.residual_bits, "index": index, "best": index, "last": 1}


def offsets(widths: Widths) -> Widths:
    """The lowest bit of each field."""
    lowest, found = 0, {}
    for name, width in widths.items():
        found[name] = lowest
        lowest += width
    return found


def pack_inputs(plan: Plan, stimulus: Stimulus) -> npt.NDArray[np.uint64]:
    """The payload of every input beat, shape ``(beat,)``."""
    payloads = np.zeros(stimulus.beats, dtype=np.uint64)
    for name, lowest in offsets(input_widths(plan)).items():
        field = getattr(stimulus, name)
        field = _address(plan, field) if name == "address" else field
        payloads |= field.astype(np.uint64) << np.uint64(lowest)
    return payloads


def pack_results(plan: Plan, logits: npt.NDArray[Any]) -> list[int]:
    """The payload of every result beat, for logits ``(batch, class)``."""
    widths = result_widths(plan)
    at = offsets(widths)
    payloads = []
    for row in logits.tolist():
        for k, value in enumerate(row):
            best = int(np.argmax(row[: k + 1]))
            last = k == len(row) - 1
            low = value & (1 << widths["logit"]) - 1
            payloads.append(low | k << at["index"] | best << at["best"] | last << at["last"])
    return payloads


def _address(plan: Plan, neuron: Any) -> Any:
    """The port's address of a neuron (or of an array of them): the bit fields ``{row, column, channel}``.

    Where a beat brings several channels, the last field counts beats of a position.
    """
    layout = plan.input.layout
    channel, position = np.divmod(neuron, layout.rows * layout.columns)
    row, column = np.divmod(position, layout.columns)
    column_at = (layout.channels // layout.lanes - 1).bit_length()
    row_at = column_at + (layout.columns - 1).bit_length()
    return (row << row_at) + (column << column_at) + channel // layout.lanes


def serial_input_bits(plan: Plan) -> int:
    """Bits of a beat that goes into the serial shell: where the core is loaded, as long as the longer of both kinds."""
    width = sum(input_widths(plan).values())
    return max(width, LOAD_BITS) if plan.loaded else width


def clocked_core(top: str, plan: Plan) -> str:
    """Verilog of a module `top` that clocks and loads the core, and hands its two other streams to a bench.

    Its output ``loaded`` rises when the core can take samples.
    """
    loading = load_core(plan, gaps=True)
    return _CLOCKED.format(
        top=top,
        module=CORE,
        input_bits=sum(input_widths(plan).values()),
        output_bits=sum(result_widths(plan).values()),
        statements=loading.statements,
        ports=loading.ports,
        driver=loading.module,
        **_FROM_BENCH,
    )


def clocked_shell(top: str, plan: Plan) -> str:
    """The same of the serial shell, which is loaded through its input."""
    loading = load_shell(plan, beat_bits=serial_input_bits(plan))
    return _CLOCKED.format(
        top=top,
        module=SHELL.module,
        input_bits=1,
        output_bits=1,
        statements=loading.statements,
        ports=loading.ports,
        driver=loading.module,
        **(_FROM_DRIVER if plan.loaded else _FROM_BENCH),
    )
