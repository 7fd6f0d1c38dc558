"""cocotb: a SoC of LiteX around the register block, from a Wishbone master at its bus."""

import json
import os
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

_vectors = json.loads(Path(os.environ["SNNC_VECTORS"]).read_text())
STATUS, MODEL, INPUT, LOGIT, RESULT, LOAD = range(_vectors["origin"], _vectors["origin"] + 24, 4)


@cocotb.test()
async def samples_through_the_bus(dut):
    for name in ("cyc", "stb", "we", "sel", "adr", "dat_w", "cti", "bte"):
        getattr(dut, f"bus_{name}").value = 0
    dut.sys_rst.value = 1
    Clock(dut.sys_clk, 2, "ns").start()
    for _ in range(5):
        await FallingEdge(dut.sys_clk)
    dut.sys_rst.value = 0

    async def access(address, value=None):
        """A read, or a write of `value`: what was read, and whether there was an error."""
        dut.bus_adr.value = address // 4
        dut.bus_we.value = value is not None
        dut.bus_dat_w.value = value or 0
        dut.bus_sel.value = 15
        dut.bus_cyc.value = dut.bus_stb.value = 1
        for _ in range(10_000):
            await FallingEdge(dut.sys_clk)
            if int(dut.bus_ack.value) or int(dut.bus_err.value):
                break
        else:
            raise AssertionError(f"no answer from {address:#x}")
        found = int(dut.bus_dat_r.value), int(dut.bus_err.value)
        dut.bus_cyc.value = dut.bus_stb.value = 0
        await FallingEdge(dut.sys_clk)
        return found

    assert await access(MODEL) == (_vectors["model"], 0)
    for word in _vectors["load"]:
        while not (await access(STATUS))[0] & 4:
            pass
        await access(LOAD, word)
    beats = list(_vectors["beats"])
    got: list[list[int]] = []
    while len(got) < len(_vectors["results"]):
        status, _ = await access(STATUS)
        if status & 2:
            (logit, _), (rest, _) = await access(LOGIT), await access(RESULT)
            signed = logit - (1 << 32) if logit >> 31 else logit
            got.append([signed, rest & 0xFFF, rest >> 12 & 0xFFF, rest >> 31])
        elif beats and status & 1:
            await access(INPUT, beats.pop(0))
    assert got == _vectors["results"], f"expected {_vectors['results']}, got {got}"
