"""Accuracy over what a comparison varies: a curve per method, with the spread over seeds."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from snnc.compiler.build.folder import replace_file
from snnc.distill.compare.plan import Comparison, Setting, spell
from snnc.distill.compare.results import Summary

__all__ = ["CURVES", "write_axis"]

CURVES: Final = "accuracy.png"

_Curves = dict[str, list[tuple[float, float, float]]]
"""By method: place on the axis, mean and standard deviation of the accuracy."""


def write_axis(output: Path, comparison: Comparison, summaries: Sequence[Summary]) -> None:
    """Write ``accuracy.png``: a panel per student and per setting of the other axes, along the first one.

    Nothing is written where nothing is varied, or fewer than two of its values have a result.
    """
    if not comparison.axes:
        return
    name = next(iter(comparison.axes))
    values = comparison.axes[name]
    numeric = all(_number(value) is not None for value in values)
    panels: dict[tuple[str, Setting], _Curves] = {}
    for summary in summaries:
        if summary.validation is not None:
            own, others = summary.setting[0], summary.setting[1:]
            place = _number(own[1]) if numeric else values.index(own[1])
            assert place is not None
            mean, deviation = summary.validation
            curves = panels.setdefault((summary.architecture, others), {})
            curves.setdefault(summary.method.label, []).append((place, 100 * mean, 100 * (deviation or 0.0)))
    if len({place for curves in panels.values() for curve in curves.values() for place, _, _ in curve}) < 2:
        return
    from matplotlib.figure import Figure  # half a second, and not needed until now

    figure = Figure(figsize=(7, 4.5 * len(panels)), layout="constrained")
    for axes, ((architecture, others), curves) in zip(
        figure.subplots(len(panels), squeeze=False)[:, 0], panels.items(), strict=True
    ):
        for method, curve in curves.items():
            places, means, deviations = zip(*sorted(curve), strict=True)
            axes.errorbar(places, means, yerr=deviations, marker="o", capsize=3, label=method)
        if numeric and _is_wide([float(value) for value in values]):
            axes.set_xscale("log")
        if numeric:
            axes.set_xticks([float(value) for value in values], values)
            axes.minorticks_off()
        else:
            axes.set_xticks(range(len(values)), values)
        axes.set_title(" ".join(filter(None, (architecture, spell(others)))), fontsize=9)
        axes.set_xlabel(name)
        axes.set_ylabel("accuracy on validation data, %, ± deviation over seeds", fontsize=8)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=150, metadata={"Software": None})
    replace_file(output / CURVES, image.getvalue())


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _is_wide(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) >= 20 * min(values)
