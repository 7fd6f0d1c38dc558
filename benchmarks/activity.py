"""Lanes chosen by the activity that was measured, against lanes chosen by typical values.

    SNNC_DATA=DIR python -m benchmarks.activity [--samples 200] [--objective balanced]

Each student that ships is planned for its chip twice, with ``--activity recorded`` and ``assumed``. What a choice is
worth is cycles times logic cells: cycles are exact for the first samples of the test set, cells are the estimate of
the plan. `balanced` chooses lanes for the least of it; `latency`, the default, pays more cells for fewer cycles. The
table is printed and written to ``build/benchmarks/activity.md``.
"""

from __future__ import annotations

import argparse

from benchmarks.planned import SHIPPED, Row, first_samples, lanes_of, mean_cycles, planned, publish
from snnc.compiler.design import ActivitySource, Objective, Options
from snnc.compiler.lanes.area import total_cells


def measure(row: Row, count: int, objective: Objective) -> tuple[str, ...]:
    """Its line of the table."""
    designs = [
        planned(row, Options(activity=source, objective=objective))
        for source in (ActivitySource.ASSUMED, ActivitySource.RECORDED)
    ]
    # The network is the same in both.
    inputs, trace = first_samples(row, designs[0].graph, count)
    line, worth = [row.student, row.device], []
    for design in designs:
        plan = design.complete_plan
        cycles, cells = mean_cycles(plan, inputs, trace), total_cells(plan)
        worth.append(cycles * cells)
        line += [lanes_of(plan), f"{cycles:,.0f}", f"{cells:,}"]
    return (*line, f"{worth[1] / worth[0]:.3f}")


def main() -> None:
    """Print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=200, help="of the test set, from the first (200)")
    objectives = [objective.value for objective in Objective]
    parser.add_argument("--objective", choices=objectives, default=Objective.LATENCY.value)
    asked = parser.parse_args()
    lines = [measure(row, asked.samples, Objective(asked.objective)) for row in SHIPPED]
    headings = (
        *("student", "chip", "assumed: lanes", "cycles", "cells"),
        *("recorded: lanes", "cycles", "cells", "cycles x cells"),
    )
    title = f"Mean of the first {asked.samples} test samples, lanes for {asked.objective}"
    publish(title, headings, lines, "activity.md")


if __name__ == "__main__":
    main()
