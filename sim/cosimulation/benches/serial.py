"""cocotb: the serial shell, fed and read as fast as it goes."""

import json
import os
from pathlib import Path

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge

_bits = json.loads(Path(os.environ["SNNC_BITS"]).read_text())


@cocotb.test()
async def bits_in_bits_out(dut):  # type: ignore[no-untyped-def]
    """Values change at falling edges; what then shows is what the next rising edge samples."""
    inputs, expected, width = _bits["inputs"], _bits["results"], _bits["result_bits"]
    patience = _bits["patience"]
    dut.rst.value = 1
    dut.i__valid.value = 0
    dut.o__ready.value = 0
    for _ in range(3):
        await FallingEdge(dut.clk)
    dut.rst.value = 0
    if not dut.loaded.value:
        await RisingEdge(dut.loaded)
        await FallingEdge(dut.clk)
    dut.o__ready.value = 1
    sent = got = waited = 0
    while got < len(expected):
        dut.i__valid.value = int(sent < len(inputs))
        dut.i__payload.value = int(inputs[sent]) if sent < len(inputs) else 0
        await ReadOnly()
        if sent < len(inputs) and dut.i__ready.value:
            sent += 1
        waited += 1
        if dut.o__valid.value:
            bit = str(int(dut.o__payload.value))
            assert bit == expected[got], (
                f"bit {got % width} of result {got // width}: expected {expected[got]}, got {bit}"
            )
            got += 1
            waited = 0
        assert waited < patience, f"no result {got // width} within {patience} cycles"
        await FallingEdge(dut.clk)
