"""cocotb: the component between a source and a sink of cocotbext-axi that pause at random."""

import json
import os
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, with_timeout
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

_vectors = json.loads(Path(os.environ["SNNC_VECTORS"]).read_text())


def pauses(generator, share):
    while True:
        yield generator.random() < share


async def stable(dut):
    """What is offered stays until it is taken, outside of a reset."""
    before = None
    while True:
        await RisingEdge(dut.aclk)
        offered = int(dut.m_axis_tvalid.value) and (int(dut.m_axis_tdata.value), int(dut.m_axis_tlast.value))
        if int(dut.aresetn.value) and before is not None:
            assert offered == before, "an offer was withdrawn or changed"
        before = offered if int(dut.aresetn.value) and offered and not int(dut.m_axis_tready.value) else None


@cocotb.test()
async def samples_in_results_out(dut):
    generator = random.Random(_vectors["seed"])
    reset = {"reset": dut.aresetn, "reset_active_level": False}
    dut.aresetn.value = 0
    # Not made inside the design as in our own benches: what cocotbext-axi reads at an edge must be from before it.
    Clock(dut.aclk, 2, "ns").start()
    source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk, **reset, byte_lanes=1)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, **reset, byte_lanes=1)
    for _ in range(5):
        await RisingEdge(dut.aclk)
    dut.aresetn.value = 1
    cocotb.start_soon(stable(dut))
    source.set_pause_generator(pauses(generator, _vectors["gap"]))
    sink.set_pause_generator(pauses(generator, _vectors["stall"]))
    for sample in _vectors["samples"]:
        await source.send(AxiStreamFrame(sample))
    for number, wanted in enumerate(_vectors["results"]):
        frame = await with_timeout(sink.recv(), 1, "ms")
        assert list(frame.tdata) == wanted, f"sample {number}: expected {wanted}, got {list(frame.tdata)}"
    assert sink.empty()
