"""Logic cells of an event-driven engine beside what every engine has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from snnc.compiler.lanes.area import CURRENT_BIT, shifter_cells
from snnc.compiler.plan import EnginePlan
from snnc.compiler.targets import Device
from snnc.rtl.walkers.convolution.plan import ConvolutionWalk

__all__ = ["further_cells"]

CONVOLUTION: Final = 300
"""Of each walk over the positions that a spike reaches, beyond one over all words: its tables and counters."""


def further_cells(engine: EnginePlan, device: Device) -> Iterator[float]:
    """Estimated iCE40 cells, part by part: walks of convolutions; behind pixels, the image's current."""
    yield CONVOLUTION * sum(isinstance(projection.walk, ConvolutionWalk) for projection in engine.projections)
    if (digits := engine.main.digits) is not None:
        yield CURRENT_BIT * digits.memory.width
        yield shifter_cells(engine, digits.value_bits)
