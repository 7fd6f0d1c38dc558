"""The tables and the plot of a comparison."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table

from snnc.compiler.build.folder import replace_file
from snnc.distill.compare.gains import Gain, Verdict
from snnc.distill.compare.plan import Comparison
from snnc.distill.compare.results import Result, Summary
from snnc.distill.resolution import half_width

__all__ = ["PLOT", "TABLE", "show_table", "write_plot", "write_table"]

TABLE: Final = "table.md"
PLOT: Final = "gains.png"

_STYLES: Final = {
    Verdict.HELPED: "green",
    Verdict.UNCLEAR: "",
    Verdict.HINDERED: "red",
    Verdict.UNKNOWN: "dim",
}


def write_table(output: Path, comparison: Comparison, results: Sequence[Result], summaries: Sequence[Summary]) -> None:
    """Write ``table.md``."""
    shared = " ".join(word for words in comparison.shared.values() for word in words)
    lines = [
        "# Distillation methods at equal budget",
        "",
        f"All runs: `snnc distill {shared}`, with `--data` where the samples lie"
        f"{f' ({comparison.title})' if comparison.title else ''}; SHA-256 of them and of their labels: "
        f"`{comparison.data}`.",
        "",
        "Accuracy of the integer network in percent, mean ± standard deviation over seeds (± what other images would",
        f"change, 95 %: one of {comparison.validation_images:,} validation images is "
        f"{100 / comparison.validation_images:.2f} points, one of {comparison.test_images:,} test images "
        f"{100 / comparison.test_images:.2f}).",
        "Gains are over the baseline with the same student, paired by seed, in points, with their 95 % interval",
        "(Student's t, n pairs). The verdict is that of the interval on validation data: *helped* if all of it is",
        "above 0, *did not help here* if all of it is below. Of 20 such intervals one misses by chance.",
        *(
            ["Without labels there is no baseline: gains are over the one with the most labels."]
            if any(float(dict(summary.setting).get("labelled", 1)) == 0 for summary in summaries)
            else []
        ),
    ]
    headings = "| method | runs | validation | gain (n) | verdict | test | test gain | spikes/sample | s/run |"
    for title, rows in _sections(summaries):
        lines += ["", f"## {title}", "", headings, "| --- | --: | --: | --: | --- | --: | --: | --: | --: |"]
        for summary in rows:
            lines.append(
                f"| `{summary.method.label}` | {summary.count} | "
                f"{_accuracy(summary.validation, comparison.validation_images)} | "
                f"{_gain(summary.gain)}{f' ({summary.gain.count})' if summary.gain else ''} | "
                f"{summary.verdict.value if summary.verdict else 'the baseline'} | "
                f"{_accuracy(summary.test, comparison.test_images)} | "
                f"{_gain(summary.test_gain)} | {_number(summary.spikes)} | {_number(summary.seconds)} |"
            )
    problems = [result for result in results if result.state != "done"]
    if problems:
        lines += ["", "## Runs without a result", ""]
        lines += [f"- `{result.run.name}`: {result.state}. {result.problem}".rstrip() for result in problems]
    replace_file(output / TABLE, ("\n".join(lines) + "\n").encode())


def show_table(comparison: Comparison, summaries: Sequence[Summary]) -> None:
    """The same for a terminal of 80 columns: accuracies ± deviations, gains ± half their intervals."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=160)
    for title, rows in _sections(summaries):
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True)
        table.add_column("method", overflow="fold")
        for heading in ("runs", "validation %", "images ±", "gain, points"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("verdict")
        table.add_column("test %", justify="right", no_wrap=True)
        for summary in rows:
            gain, judged = summary.gain, summary.verdict
            table.add_row(
                "\n".join((summary.method.loss, *(f"  {name}={value}" for name, value in summary.method.settings))),
                str(summary.count),
                _accuracy(summary.validation),
                _by_images(summary.validation, comparison.validation_images),
                f"{100 * gain.mean:+.2f} ± {100 * (gain.high - gain.mean):.2f}" if gain else "-",
                judged.value if judged else "the baseline",
                f"{100 * summary.test[0]:.2f}" if summary.test else "-",
                style=_STYLES[judged] if judged else "",
            )
        console.print(table)


def write_plot(output: Path, summaries: Sequence[Summary]) -> None:
    """Write ``gains.png``: the gains on validation and test data with their intervals; nothing without a gain."""
    rows = [summary for summary in summaries if summary.gain is not None]
    if not rows:
        return
    from matplotlib.figure import Figure  # half a second, and not needed until now

    figure = Figure(figsize=(8, 1.2 + 0.45 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for gains, title, colour, shift in (
        ([summary.gain for summary in rows], "validation", "tab:blue", -0.12),
        ([summary.test_gain for summary in rows], "test", "tab:gray", 0.12),
    ):
        known = [(place, gain) for place, gain in enumerate(gains) if gain is not None]
        axes.errorbar(
            [100 * gain.mean for _, gain in known],
            [place + shift for place, _ in known],
            xerr=[
                [100 * (gain.mean - gain.low) for _, gain in known],
                [100 * (gain.high - gain.mean) for _, gain in known],
            ],
            fmt="o",
            capsize=3,
            color=colour,
            label=title,
        )
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [f"{row.method.label}\n{_title(row)}" for row in rows], fontsize=8)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("gain over cross-entropy, points of accuracy, paired by seed, 95 % interval")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=8)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=150, metadata={"Software": None})
    replace_file(output / PLOT, image.getvalue())


def _sections(summaries: Sequence[Summary]) -> list[tuple[str, list[Summary]]]:
    """What is compared with one another: the methods on one student in one setting, under its title."""
    sections: dict[str, list[Summary]] = {}
    for summary in summaries:
        sections.setdefault(_title(summary), []).append(summary)
    return list(sections.items())


def _title(summary: Summary) -> str:
    return ", ".join((summary.architecture, *(f"{name} {value}" for name, value in summary.setting)))


def _accuracy(values: tuple[float, float | None] | None, images: int | None = None) -> str:
    if values is None:
        return "-"
    mean, deviation = values
    text = f"{100 * mean:.2f}" if deviation is None else f"{100 * mean:.2f} ± {100 * deviation:.2f}"
    return text if images is None else f"{text} (± {_by_images(values, images)})"


def _by_images(values: tuple[float, float | None] | None, images: int) -> str:
    """Half of the interval that comes from the number of images."""
    return "-" if values is None else f"{100 * half_width(values[0], images):.2f}"


def _gain(gain: Gain | None) -> str:
    if gain is None:
        return "-"
    return f"{100 * gain.mean:+.2f} [{100 * gain.low:+.2f}, {100 * gain.high:+.2f}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"
