"""cocotb: the core's two ports with random gaps before inputs and random stalls of outputs."""

import json
import os
import random
from pathlib import Path

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge

RESET_AT = 13
"""Cycles after which the load of a core with SPRAM is interrupted."""
ROUNDS, RESETS = 5, 8
"""How often samples are computed after so many resets in the middle of them."""

_vectors = json.loads(Path(os.environ["SNNC_VECTORS"]).read_text())


async def _start(dut):  # type: ignore[no-untyped-def]
    dut.i__valid.value = 0
    dut.i__payload.value = 0
    dut.o__ready.value = 0
    dut.rst.value = 1
    for _ in range(3):
        await RisingEdge(dut.clk)
    await FallingEdge(dut.clk)
    dut.rst.value = 0
    if not dut.loaded.value:
        # Nothing passes before the core is loaded, and a reset in the middle of that starts it again.
        dut.i__valid.value = 1
        for _ in range(RESET_AT):
            await ReadOnly()
            assert not dut.i__ready.value, "the core takes inputs before it is loaded"
            await FallingEdge(dut.clk)
        assert not dut.loaded.value, "the core was loaded before the reset"
        await _reset(dut)


async def _reset(dut):  # type: ignore[no-untyped-def]
    """A reset of a single cycle, after which nothing comes out, and the load that may follow it."""
    dut.i__valid.value = 0
    dut.rst.value = 1
    await FallingEdge(dut.clk)
    dut.rst.value = 0
    await ReadOnly()
    assert not dut.o__valid.value, "the core offers a result after a reset"
    await FallingEdge(dut.clk)
    if not dut.loaded.value:
        await RisingEdge(dut.loaded)
        await FallingEdge(dut.clk)


async def _send(dut, beats, gap, generator):  # type: ignore[no-untyped-def]
    """Offer each beat until it is taken, after a random pause.

    Values change at falling edges; what the ports show once that has settled is what the next rising edge samples.
    """
    for beat in beats:
        while generator.random() < gap:
            await FallingEdge(dut.clk)
        dut.i__payload.value = beat
        dut.i__valid.value = 1
        taken = False
        while not taken:
            await ReadOnly()
            taken = bool(dut.i__ready.value)
            await FallingEdge(dut.clk)
        dut.i__valid.value = 0


async def _receive(dut, expected, stall, generator):  # type: ignore[no-untyped-def]
    waited, patience = 0, _vectors["patience"]
    offered = None
    # Of what a broken sample gives only some bits are known.
    masks = _vectors.get("masks") or [-1] * len(expected)
    for position, (result, mask) in enumerate(zip(expected, masks, strict=True)):
        while True:
            await FallingEdge(dut.clk)
            take = generator.random() >= stall
            dut.o__ready.value = int(take)
            await ReadOnly()
            valid = bool(dut.o__valid.value)
            payload = int(dut.o__payload.value) if valid else None
            if offered is not None:
                assert payload == offered, f"result {position} changed while it waited: {offered:#x} to {payload}"
            offered = None
            if valid and take:
                assert (payload ^ result) & mask == 0, f"result {position}: expected {result:#x}, got {payload:#x}"
                waited = 0
                break
            offered = payload
            waited += 1
            assert waited < patience, f"no result {position} within {patience} cycles"
    await FallingEdge(dut.clk)
    dut.o__ready.value = 1
    for _ in range(100):
        await FallingEdge(dut.clk)
        await ReadOnly()
        assert not dut.o__valid.value, "the core gave more results than there were"


@cocotb.test()
@cocotb.parametrize(gap=[0.0, 0.3, 0.9], stall=[0.0, 0.5, 0.9])
async def gaps_and_stalls(dut, gap, stall):  # type: ignore[no-untyped-def]
    """Samples follow each other without a pause of the bench's own."""
    seed = os.environ.get("SNNC_SEED", "0")
    await _start(dut)
    await FallingEdge(dut.clk)
    cocotb.start_soon(_send(dut, _vectors["beats"], gap, random.Random(f"{seed} send")))
    await _receive(dut, _vectors["results"], stall, random.Random(f"{seed} receive"))


@cocotb.test()
async def resets_in_the_middle(dut):  # type: ignore[no-untyped-def]
    """A reset of a single cycle drops what is inside, and nothing of it comes out: all is as after the first one."""
    generator = random.Random(os.environ.get("SNNC_SEED", "0"))
    await _start(dut)
    for _ in range(ROUNDS):
        for _ in range(RESETS if dut.loaded.value else 1):
            sending = cocotb.start_soon(_send(dut, _vectors["beats"], generator.choice([0.0, 0.5]), generator))
            for _ in range(generator.randrange(1, 200)):
                dut.o__ready.value = generator.random() < 0.5
                await FallingEdge(dut.clk)
            sending.cancel()
            await _reset(dut)
        cocotb.start_soon(_send(dut, _vectors["beats"], 0.0, generator))
        await _receive(dut, _vectors["results"], 0.0, generator)
        await FallingEdge(dut.clk)
