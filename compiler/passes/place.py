"""What does not fit the device is refused."""

from __future__ import annotations

import dataclasses

from snnc.compiler.design import Design
from snnc.compiler.errors import FitError
from snnc.compiler.lanes.fit import best_fit, lacking
from snnc.compiler.lanes.kinds import fits_somehow
from snnc.compiler.lanes.memories import spram_memory
from snnc.compiler.lanes.streams import check_stream
from snnc.compiler.plan import MemoryKind, MemoryPlan
from snnc.compiler.targets import TARGETS, Device, load_target

__all__ = ["place"]


def place(design: Design) -> Design:
    """Check the plan against the device; lanes that came without one get theirs here.

    Invariant: the plan fits the device's block RAMs and SPRAM, and by estimate its logic cells; in a stream no queue
    overflows. Raises `FitError` with the numbers otherwise.
    """
    plan = best_fit(design) if design.plan is None else design.plan
    problem = lacking(plan, design.device)
    if problem:
        weights = max(
            (projection.weights for engine in plan.engines for projection in engine.projections),
            key=lambda memory: memory.bits_used,
        )
        raise FitError(
            f"'{design.graph.name}' does not fit {design.device.title} ({design.device.name}) with "
            f"{', '.join(str(lanes) for lanes in design.lanes)} lanes: it needs {problem}. The largest memory is "
            f"'{weights.name}' with {weights.bits_used:,} bits{_in_spram(weights, design.device)}.",
            f"Use fewer weight bits (--weight-bits), fewer neurons, fewer lanes (--lanes), or {_elsewhere(design)}.",
        )
    if plan.stream:
        check_stream(plan)
    return dataclasses.replace(design, plan=plan)


def _elsewhere(design: Design) -> str:
    """A device that takes the network, of whichever family: the one with the least logic, by the estimate's measure."""
    devices = [device for target in TARGETS for device in load_target(target).devices.values()]
    for device in sorted(devices, key=lambda device: device.logic_cells / device.logic_scale):
        if fits_somehow(design.on(device)):
            return (
                f"another device: the smallest that takes it is {device.title} "
                f"(--target {device.family} --device {device.name})"
            )
    return "another network: no device of any family takes this one"


def _in_spram(weights: MemoryPlan, device: Device) -> str:
    """Why a memory is not in SPRAM, to follow its size; empty if it is, or if the device has none."""
    spram = spram_memory(device, "", width=weights.width, depth=weights.depth, bits_used=weights.bits_used)
    if spram is None or weights.kind is MemoryKind.SPRAM:
        return ""
    return f", which would take {spram.sprams} SPRAM (it has {device.spram_blocks})"
