"""cocotb: plain pins driven by hand, with random pauses."""

import json
import os
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

_vectors = json.loads(Path(os.environ["SNNC_VECTORS"]).read_text())
_CYCLES = 100_000


@cocotb.test()
async def samples_through_pins(dut):
    generator = random.Random(_vectors["seed"])
    loads, beats, got = list(_vectors["load"]), list(_vectors["beats"]), []
    for name in ("valid", "event", "step_end", "sample_end", "address", *(["load_valid"] if loads else [])):
        getattr(dut, name).value = 0
    dut.rst.value = 1
    Clock(dut.clk, 2, "ns").start()
    for cycle in range(_CYCLES):
        # In the middle of a cycle: what is high now passes at its end.
        await FallingEdge(dut.clk)
        dut.rst.value = cycle < 5
        if cycle > 5 and int(dut.logit_valid.value):
            got.append([dut.logit.value.to_signed(), int(dut.logit_class.value)])
        if cycle > 5 and int(dut.answered.value):
            got[-1].append(int(dut.answer.value))
        if len(got) == len(_vectors["results"]) and len(got[-1]) == 3:
            break
        if loads:
            dut.load.value = loads[0]
            dut.load_valid.value = cycle > 5
            if cycle > 5 and int(dut.load_ready.value):
                loads.pop(0)
            continue
        if _vectors["load"]:
            dut.load_valid.value = 0
        offers = bool(beats) and cycle > 5 and generator.random() >= _vectors["pause"]
        dut.valid.value = offers
        if offers:
            for name, value in beats[0].items():
                getattr(dut, name).value = value
            await cocotb.triggers.ReadOnly()
            if int(dut.ready.value):
                beats.pop(0)
    wanted = _vectors["results"]
    assert got == wanted, f"expected {wanted}, got {got}"
