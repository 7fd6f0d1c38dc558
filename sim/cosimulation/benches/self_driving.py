"""cocotb: wait for the self-driving bench. No Python runs while it does."""

import cocotb
from cocotb.triggers import RisingEdge


@cocotb.test()
async def drive(dut):  # type: ignore[no-untyped-def]
    """The bench clocks, resets and feeds the core by itself."""
    await RisingEdge(dut.done)
    assert dut.stuck.value == 0, "the core took no input and ended no sample for a long time"
