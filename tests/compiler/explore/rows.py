"""Points with made-up results."""

from __future__ import annotations

from pathlib import Path

from snnc.compiler.design import Engines, Objective
from snnc.compiler.explore.grid import Point, Variant
from snnc.compiler.explore.table import Row
from snnc.compiler.targets import find_device


def row(
    *,
    accuracy: float = 0.9,
    cycles: float = 1000.0,
    cells: int = 1000,
    blocks: int = 4,
    energy_nj: float = 10.0,
    target: str = "ice40",
    device: str = "up5k",
    reason: str = "",
    mhz: float = 40.0,
) -> Row:
    chip = find_device(target, device)
    variant = Variant(student=Path("student.pt"), weight_bits=None, time_steps=4)
    point = Point(variant=variant, device=chip, objective=Objective.LATENCY, lanes=None, engines=Engines.SCATTER)
    return Row(
        point=point,
        network="student",
        weight_bits=4,
        reason=reason,
        accuracy=accuracy,
        energy_nj=energy_nj,
        cycles=cycles,
        mhz=mhz,
        cells=cells,
        blocks=blocks,
        layers=[
            {
                "name": "readout",
                "shape": "10",
                "engine": "scatter",
                "lanes": "10",
                "weights": "lut",
                "membranes": "registers",
                "bits": 9,
            }
        ],
    )
