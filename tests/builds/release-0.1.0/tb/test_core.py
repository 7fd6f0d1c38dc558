"""A cocotb bench of `random-6-4-3-seed0`: sends samples through the core and checks its logits. Start it with ``run.py``.

The core's ports are two streams: a beat passes at a rising clock edge at which `valid` and `ready` are both high.

======================  ====================================================================
input, `i__payload`     from the lowest bit
======================  ====================================================================
address ( 3 bits)       the input neuron
event (1 bit)           whether this beat carries an event at all
marker (2 bits)         0 none; 1 this beat ends a time step; 2 it ends the last step of a sample
======================  ====================================================================

======================  ====================================================================
output, `o__payload`    from the lowest bit; one beat per class
======================  ====================================================================
logit ( 7 bits)         in two's complement
index ( 2 bits)         the class
best ( 2 bits)          the class with the largest logit so far
last (1 bit)            this is the last class: `best` is the answer
======================  ====================================================================
"""

import json
import os

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly


def fields(result):
    """A result beat's logit, index, best and last."""
    logit = result & 0x7f
    if logit >> 6:
        logit -= 1 << 7
    rest = result >> 7
    return logit, rest & 3, rest >> 2 & 3, rest >> 4


async def reset(dut):
    dut.rst.value = 1
    dut.i__valid.value = 0
    dut.o__ready.value = 0
    Clock(dut.clk, 10, unit="ns").start()
    for _ in range(3):
        await FallingEdge(dut.clk)
    dut.rst.value = 0


async def send(dut, beats):
    """Offer one beat after the other. Inputs change at falling edges, and settle before the next rising one."""
    for beat in beats:
        dut.i__payload.value = beat
        dut.i__valid.value = 1
        taken = False
        while not taken:
            await ReadOnly()
            taken = bool(dut.i__ready.value)
            await FallingEdge(dut.clk)
    dut.i__valid.value = 0


async def receive(dut, count):
    """Take `count` result beats, and count the cycles."""
    results = []
    cycles = 0
    dut.o__ready.value = 1
    while len(results) < count:
        await ReadOnly()
        if dut.o__valid.value:
            results.append(int(dut.o__payload.value))
        await FallingEdge(dut.clk)
        cycles += 1
        assert cycles < 10_000_000, "the core does not answer"
    return results, cycles


@cocotb.test()
async def logits_are_those_of_the_golden_model(dut):
    with open(os.environ["SNNC_VECTORS"]) as file:
        vectors = json.load(file)
    await reset(dut)
    cocotb.start_soon(send(dut, vectors["beats"]))
    results, cycles = await receive(dut, len(vectors["results"]))
    for got, expected in zip(results, vectors["results"], strict=True):
        assert fields(got) == fields(expected), f"expected {fields(expected)}, got {fields(got)}"
    dut._log.info("%d samples in %d cycles", len(vectors["classes"]), cycles)
