"""cocotb: the register block behind a master of cocotbext-axi that pauses at random."""

import json
import os
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

_vectors = json.loads(Path(os.environ["SNNC_VECTORS"]).read_text())
STATUS, MODEL, INPUT, LOGIT, RESULT, LOAD = range(0, 24, 4)


def pauses(generator, share):
    while True:
        yield generator.random() < share


@cocotb.test()
async def samples_through_registers(dut):
    generator = random.Random(_vectors["seed"])
    dut.aresetn.value = 0
    Clock(dut.aclk, 2, "ns").start()
    master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.aclk, dut.aresetn, reset_active_level=False)
    write, read = master.write_if, master.read_if
    for channel in (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel):
        channel.set_pause_generator(pauses(generator, _vectors["pause"]))
    for _ in range(5):
        await RisingEdge(dut.aclk)
    dut.aresetn.value = 1

    async def get(address):
        found = await with_timeout(master.read(address, 4), 1, "ms")
        return int.from_bytes(found.data, "little"), found.resp

    async def put(address, value, size=4):
        return (await with_timeout(master.write(address, value.to_bytes(size, "little")), 1, "ms")).resp

    assert await get(MODEL) == (_vectors["model"], AxiResp.OKAY)
    # What cannot be done is an error, and not done.
    assert (await get(RESULT))[1] == AxiResp.SLVERR
    assert (await get(LOGIT))[1] == AxiResp.SLVERR
    assert (await get(LOAD))[1] == AxiResp.SLVERR
    assert await put(STATUS, 0) == AxiResp.SLVERR
    assert await put(INPUT, _vectors["beats"][0] & 0xFFFF, size=2) == AxiResp.SLVERR
    loads = list(_vectors["load"])
    if not loads:
        assert await put(LOAD, 0) == AxiResp.SLVERR
    for word in loads:
        while not (await get(STATUS))[0] & 4:
            pass
        assert await put(LOAD, word) == AxiResp.OKAY
    beats = list(_vectors["beats"])
    got: list[list[int]] = []
    while len(got) < len(_vectors["results"]):
        status, _ = await get(STATUS)
        if status & 2:
            logit, fine = await get(LOGIT)
            rest, also = await get(RESULT)
            assert fine == also == AxiResp.OKAY
            signed = logit - (1 << 32) if logit >> 31 else logit
            got.append([signed, rest & 0xFFF, rest >> 12 & 0xFFF, rest >> 31])
        elif beats and status & 1 and generator.random() < 0.9:
            assert await put(INPUT, beats.pop(0)) == AxiResp.OKAY
    assert got == _vectors["results"]
    assert not (await get(STATUS))[0] & 2
