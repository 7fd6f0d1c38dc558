"""Cycles of the students that ship against the bound that their chip's memories set.

    SNNC_DATA=DIR python -m benchmarks.bandwidth [--samples 100]

A synaptic operation needs its weight, and a pixel one for each of its signed digits. If all block RAMs and SPRAMs of a
chip were full of weights, and each gave its widest word in every cycle, a sample could not take fewer cycles than

    sum over layers of operations * weight bits  /  bits that all memories give in a cycle

Both sides are exact for the first samples of the test set: operations by the golden model, cycles by the exact model of
``docs/timing.md``, which `snnc verify` holds against the hardware. The table is printed and written to
``build/benchmarks/bandwidth.md``. An engine that multiplies reads a pixel's weight once,
which this bound does not know.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.planned import SHIPPED, Row, first_samples, lanes_of, mean_cycles, planned, publish
from snnc.compiler.design import Options
from snnc.compiler.ir import Encoding, Graph, Pooling
from snnc.compiler.targets import Device
from snnc.sim.models import golden
from snnc.sim.models.synapses import fan_out
from snnc.sim.models.timing.digits import digit_count


def bits_a_cycle(device: Device) -> int:
    """What all memories of a chip give in a cycle, through one port each."""
    block = max(width for _, width in device.block_ram_modes) * device.block_rams
    return block + device.spram_mode[1] * device.spram_blocks


def operations(graph: Graph, inputs: np.ndarray, trace: golden.Trace) -> tuple[float, float]:
    """Synaptic operations of a mean sample, a pixel's by its digits, and the bits of the weights that they need."""
    count = needed = 0.0
    for projection, found in zip(graph.projections, trace.synaptic_operations, strict=True):
        source, target = graph.population(projection.source), graph.population(projection.target)
        each = found.astype(float)
        if projection.source == graph.input.name and graph.source.encoding is Encoding.DIRECT:
            each = digit_count(inputs[0]) @ fan_out(projection, source.shape, target.shape)
        # Sums over windows and skip connections have constants, and read no memory.
        width = 0 if isinstance(projection, Pooling) else projection.bits or 0
        count += float(each.mean())
        needed += width * float(each.mean())
    return count, needed


def measure(row: Row, samples: int) -> tuple[str, ...]:
    """Its line of the table."""
    design = planned(row, Options())
    device, plan = design.device, design.complete_plan
    inputs, trace = first_samples(row, design.graph, samples)
    count, needed = operations(design.graph, inputs, trace)
    cycles = mean_cycles(plan, inputs, trace)
    bound = needed / bits_a_cycle(device)
    return (
        row.student,
        device.name,
        lanes_of(plan),
        f"{count:,.0f}",
        f"{bits_a_cycle(device):,}",
        f"{bound:,.0f}",
        f"{cycles:,.0f}",
        f"{cycles / bound:.2f}",
    )


def main() -> None:
    """Print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=100, help="of the test set, from the first (100)")
    samples = parser.parse_args().samples
    headings = ("student", "chip", "lanes", "operations", "bits a cycle", "bound", "cycles", "ratio")
    lines = [measure(row, samples) for row in SHIPPED]
    publish(f"Mean of the first {samples} test samples", headings, lines, "bandwidth.md")


if __name__ == "__main__":
    main()
