"""What `snnc evaluate` prints: tables of at most 80 columns."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from snnc.compiler.ir import RivalRecord
from snnc.sim.evaluation.evaluation import Evaluation, shown_steps
from snnc.sim.evaluation.noise import NOISES

__all__ = ["show_evaluation"]

_STEPS = 6
"""Columns of the table of accuracy."""
_WIDTH = 80


def show_evaluation(result: Evaluation, report: Path, *, console: Console | None = None) -> None:
    """Print an evaluation; `report` is the page that has all of it."""
    console = console or Console(highlight=False, markup=False, width=_WIDTH)
    activity = result.activity
    console.print(
        f"{result.graph.name} on {activity.samples:,} samples of {result.dataset}: "
        f"{activity.accuracy[-1]:.2%} at T = {activity.time_steps}"
    )
    if activity.exit is not None and result.graph.exit is not None:
        found = activity.exit
        console.print(
            f"With its early exit, at a margin of {result.graph.exit.margin:,}: {found.accuracy:.2%}, "
            f"{found.agreement:.2%} as after all steps; steps: mean {found.steps.mean:.2f}, median "
            f"{found.steps.median}, 99 % at most {found.steps.most_of_99}. Counts below are of the steps taken."
        )
    console.print()
    console.print(_accuracy(result))
    console.print(_layers(result))
    console.print(
        f"Synaptic operations with the first layer once a sample; at every step: "
        f"{result.work.operations(first_every_step=True):,.0f}."
    )
    console.print()
    console.print(_energy(result))
    if result.rival is not None:
        console.print(_rival(result.rival))
        console.print(result.rival.verdict)
    if result.immunity:
        console.print(_immunity(result))
    for finding in result.findings:
        console.print(f"{finding.layer}, {finding.ailment.value}: {finding.measured} {finding.advice}", style="yellow")
    if not result.findings:
        console.print("The doctor finds nothing that stands out.")
    console.print(f"Written to {report.parent}. Look at {report}.", soft_wrap=True)


def _accuracy(result: Evaluation) -> Table:
    activity, recorded = result.activity, result.subject.recorded
    table = _table("", "accuracy", *(f"T = {t}" for t in shown_steps(activity.time_steps, _STEPS)))
    shown = [t - 1 for t in shown_steps(activity.time_steps, _STEPS)]
    integer = recorded.get("integer_test")
    table.add_row(
        "integer",
        "" if integer is None else f"recorded {integer:.2%}",
        *(f"{activity.accuracy[t]:.2%}" for t in shown),
    )
    if activity.floating is not None:
        floating = recorded.get("float_test")
        table.add_row(
            "float",
            "" if floating is None else f"recorded {floating:.2%}",
            *(f"{activity.floating.accuracy[t]:.2%}" for t in shown),
        )
    return table


def _layers(result: Evaluation) -> Table:
    table = _table("layer", "neurons", "weights", "bits", "rate", "spikes", "synaptic", "ANN MACs", "KiB")
    work = result.work
    for layer in work.layers:
        table.add_row(
            layer.name,
            f"{layer.neurons:,}",
            f"{layer.weights:,}",
            ", ".join(map(str, layer.weight_bits)),
            "" if layer.firing_rate is None else f"{layer.firing_rate:.1%}",
            "" if layer.spikes is None else f"{layer.spikes:,.0f}",
            _short(layer.operations),
            _short(layer.macs),
            f"{layer.memory / 8192:.2f}",
        )
    table.add_section()
    table.add_row(
        "all",
        f"{work.neurons:,}",
        f"{work.weights:,}",
        "",
        "",
        f"{work.spikes:,.0f}",
        _short(work.operations(first_every_step=False)),
        _short(work.macs),
        f"{work.memory / 8192:.2f}",
    )
    return table


def _energy(result: Evaluation) -> Table:
    table = _table(f"modelled nJ, {result.costs.name}", "first", "synapses", "neurons", "all", "ANN", "ANN/all")
    if len(result.costs.name) > 20:
        table.columns[0].header = "modelled nJ"
    for name, energy in (("first layer once", result.first_once), ("at every step", result.first_every_step)):
        table.add_row(
            name,
            *(_short(value) for value in (energy.first, energy.synapses, energy.neurons, energy.total, energy.ann)),
            "" if energy.ratio is None else f"{energy.ratio:.2f}",
        )
    table.caption = "A model of arithmetic alone: memory traffic is not counted."
    table.caption_justify = "left"
    return table


def _rival(record: RivalRecord) -> Table:
    """The student and the quantised ANN of its architecture."""
    table = _table("rival", "accuracy", "activations", "work a sample", "additions", "at 0 skipped")
    operations = _short(record.operations)
    table.add_row(
        "spiking",
        f"{record.spiking_accuracy:.2%}",
        f"T = {record.time_steps}",
        f"{operations} synaptic",
        operations,
        "",
    )
    table.add_row(
        "quantised ANN",
        f"{record.accuracy:.2%}",
        f"{record.bits} bits",
        f"{_short(record.macs)} MACs",
        _short(record.additions),
        _short(record.active_additions),
    )
    table.caption = (
        f"Behind the first layer. A synapse carries {record.rate:.3f} spikes a step; they are cheaper below "
        f"{record.break_even:.3f}, or {record.active_break_even:.3f} where activations of 0 are skipped. Trained for "
        f"{record.epochs} epochs with labels alone."
    )
    table.caption_justify = "left"
    return table


def _immunity(result: Evaluation) -> Table:
    table = _table("noise", "clean", "first level", "last level", "area", "retained")
    for family in result.immunity:
        first, last = family.levels[0], family.levels[-1]
        table.add_row(
            NOISES[family.name].title,
            f"{family.clean:.1%}",
            f"{first.mean:.1%}",
            f"{last.mean:.1%} ± {100 * last.spread:.1f}",
            f"{family.area:.1%}",
            f"{family.retained:.1%}",
        )
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column(first)
    for heading in others:
        table.add_column(heading, justify="right")
    return table


def _short(value: float) -> str:
    """Four digits at most, and k, M or G."""
    for scale, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= scale:
            return f"{value / (scale if unit != 'k' else 1e3):.4g} {unit}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
