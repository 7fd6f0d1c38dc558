"""Lanes chosen by the activity that was measured, against lanes chosen by typical values.

    SNNC_DATA=DIR python -m benchmarks.activity [--samples 200] [--objective balanced]

Each student that ships is planned for its chip twice, with ``--activity recorded`` and ``assumed``. What a choice is
worth is cycles times logic cells: cycles are exact for the first samples of the test set, cells are the estimate of
the plan. `balanced` chooses lanes for the least of it; `latency`, the default, pays more cells for fewer cycles. The
table is printed and written to ``build/benchmarks/activity.md``.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

from benchmarks.planned import Row, planned, publish
from snnc.compiler.design import ActivitySource, Objective, Options
from snnc.compiler.lanes.area import total_cells

ROWS: Final = (
    Row("digits-64-32-10-int4", "digits", "ice40", "up5k"),
    Row("mnist-784-32-10-int4", "mnist", "ice40", "up5k"),
    Row("mnist-784-128-10-int4", "mnist", "ice40", "up5k"),
    Row("mnist-a2-160-100-10-int4", "mnist", "ice40", "up5k"),
    Row("mnist-conv-int4", "mnist", "ice40", "up5k"),
    Row("mnist-conv-int4", "mnist", "ecp5", "25k"),
    Row("mnist-conv-taught-int4", "mnist", "ice40", "up5k"),
    Row("mnist-conv-ternary", "mnist", "ice40", "up5k"),
    Row("fashion-mnist-conv-int4", "fashion-mnist", "ecp5", "45k"),
    Row("fashion-mnist-conv-taught-int4", "fashion-mnist", "ecp5", "45k"),
    Row("cifar10-conv-int4", "cifar10", "ecp5", "85k"),
    Row("spoken-digits-conv-int4", "spoken-digits", "ecp5", "25k"),
    Row("spoken-events-int4", "spoken-events", "ecp5", "25k"),
    Row("watch-fine-int4", "watch-fine", "ecp5", "25k"),
    Row("saccade-mnist-conv-int4", "saccade-mnist", "ice40", "up5k"),
)


def measure(row: Row, root: Path, samples: int, objective: Objective) -> tuple[str, ...]:
    """Its line of the table."""
    line, worth = [row.student, row.device], []
    for source in (ActivitySource.ASSUMED, ActivitySource.RECORDED):
        found = planned(row, root, samples, Options(activity=source, objective=objective))
        cells = total_cells(found.design.complete_plan)
        worth.append(found.cycles * cells)
        line += [found.lanes, f"{found.cycles:,.0f}", f"{cells:,}"]
    return (*line, f"{worth[1] / worth[0]:.3f}")


def main() -> None:
    """Print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=200, help="of the test set, from the first (200)")
    parser.add_argument("--objective", type=Objective, choices=list(Objective), default=Objective.LATENCY)
    asked = parser.parse_args()
    samples = asked.samples
    lines = [measure(row, Path(os.environ["SNNC_DATA"]), samples, asked.objective) for row in ROWS]
    headings = (
        *("student", "chip", "assumed: lanes", "cycles", "cells"),
        *("recorded: lanes", "cycles", "cells", "cycles x cells"),
    )
    publish(
        f"Mean of the first {samples} test samples, lanes for {asked.objective.value}", headings, lines, "activity.md"
    )


if __name__ == "__main__":
    main()
