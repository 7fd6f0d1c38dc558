"""``snnc quantise``: integers for a trained network by what it does on samples."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.table import Table

from snnc.compiler.build.folder import replace_file
from snnc.compiler.calibration import Calibrated, CalibrationSettings, Rounding, Scales, calibrate
from snnc.compiler.commands.assumed import assumption_options, reading_of
from snnc.compiler.commands.datasets import dataset_options
from snnc.compiler.extras import needed
from snnc.compiler.formats import find_writer, import_network
from snnc.compiler.ir import Graph
from snnc.compiler.ir.model import model_hash
from snnc.compiler.passes.normalise import normalised
from snnc.compiler.passes.quantise import quantised
from snnc.distill.data import chosen
from snnc.sim.evaluation.activity import Activity, measure
from snnc.sim.evaluation.doctor import Finding, diagnose
from snnc.sim.evaluation.health import layer_health
from snnc.sim.models.inputs import Samples, encode, load_samples

__all__ = ["quantise_command"]

_OWN = ("weight_bits", "fraction_bits")


@click.command("quantise")
@click.argument("network", type=click.Path(path_type=Path))
@dataset_options("Whose training samples; digits by default.")
@click.option(
    "--samples", type=click.IntRange(min=1), metavar="N", default=512, show_default=True, help="To calibrate on."
)
@click.option("--weight-bits", type=click.IntRange(1, 8), metavar="N", default=4, show_default=True, help="Of weights.")
@click.option(
    "--fraction-bits", type=click.IntRange(0, 16), metavar="N", default=8, show_default=True, help="At most; see docs."
)
@click.option(
    "--scales",
    type=click.Choice([kind.value for kind in Scales]),
    default=Scales.CURRENTS.value,
    show_default=True,
    help="Whose error chooses quantiser steps.",
)
@click.option(
    "--rounding",
    type=click.Choice([kind.value for kind in Rounding]),
    default=Rounding.COMPENSATED.value,
    show_default=True,
    help="Of weights.",
)
@click.option("--no-correction", is_flag=True, help="Leave biases and thresholds as they were trained.")
@click.option("--finetune", type=click.IntRange(min=0), metavar="EPOCHS", default=0, help="Train further, by itself.")
@click.option("--finetune-samples", type=click.IntRange(min=1), metavar="N", help="Of an epoch. Default: all.")
@click.option("--rate", type=float, default=0.02, show_default=True, help="Of training, in quantiser steps.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help=".npz, .onnx, .nir or .c.")
@assumption_options(without=_OWN)
def quantise_command(
    network: Path,
    dataset: str | None,
    data: Path | None,
    samples: int,
    weight_bits: int,
    fraction_bits: int,
    scales: str,
    rounding: str,
    no_correction: bool,
    finetune: int,
    finetune_samples: int | None,
    rate: float,
    output: Path,
    **assumed: Any,
) -> None:
    """Quantise the trained NETWORK layer by layer on training samples of a data set, and write the integer network.

    What it was, what plain rounding would make of it and what was made of it are measured on validation samples, and
    the doctor looks at the last two. With --finetune the result is trained further by what the network was before
    rounding; no label is used.
    """
    write = find_writer(output)
    reading = reading_of(network, assumed, {"weight_bits": weight_bits, "fraction_bits": fraction_bits})
    trained = normalised(import_network(network, reading))
    settings = CalibrationSettings(
        weight_bits=weight_bits,
        scales=Scales(scales),
        rounding=Rounding(rounding),
        biases=not no_correction,
        thresholds=not no_correction,
        fraction_bits=fraction_bits,
    )
    name = chosen(dataset, data) or "digits"
    few = load_samples(trained, name, data=data, samples=samples, part="train")
    validation = load_samples(trained, name, data=data, part="validation")
    inputs = encode(trained.source, few.images, time_steps=trained.time_steps, events=few.events)
    found = _calibrated(trained, inputs, settings)
    click.echo(f"'{trained.name}', {weight_bits} bits, calibrated on {len(few):,} samples of {few.name}:")
    _show_layers(found)
    result = found.graph
    if finetune:
        train = load_samples(trained, name, data=data, samples=finetune_samples, part="train")
        result = _finetuned(found, train, validation, epochs=finetune, rate=rate)
    plain, integers = quantised(trained, weight_bits), quantised(result)
    before = _measured(plain, validation, found.trained)
    after = _measured(integers, validation, found.trained)
    assert before.floating is not None
    what = "fine-tuned" if finetune else "calibrated"
    click.echo(
        f"On {before.samples:,} validation samples: {before.floating.accuracy[-1]:.2%} in floats, "
        f"{before.accuracy[-1]:.2%} by plain rounding, {after.accuracy[-1]:.2%} {what}."
    )
    _show_doctor("plain rounding", _findings(plain, before))
    _show_doctor(what, _findings(integers, after))
    contents = write(integers)
    replace_file(output, contents)
    click.echo(f"{output}: {len(contents):,} bytes, '{integers.name}', {model_hash(integers)[:16]}")


def _calibrated(trained: Graph, inputs: Any, settings: CalibrationSettings) -> Calibrated:
    from snnc.compiler.commands.console import progress_bar

    with progress_bar() as bar:
        task = bar.add_task("layers", total=len(trained.layers))
        return calibrate(trained, inputs, settings, progress=functools.partial(bar.advance, task))


def _finetuned(found: Calibrated, train: Samples, validation: Samples, *, epochs: int, rate: float) -> Graph:
    from snnc.compiler.commands.console import progress_bar

    with needed():  # torch
        from snnc.distill.finetune import FinetuneReport, FinetuneSettings, finetune

    with progress_bar() as bar:
        task = bar.add_task("epochs", total=epochs)

        def tell(report: FinetuneReport) -> None:
            bar.update(task, completed=report.epoch, description=f"epochs, best {report.best:.2%}")

        settings = FinetuneSettings(epochs=epochs, rate=rate)
        return finetune(found, train, validation, settings, on_epoch=tell)


def _measured(graph: Graph, samples: Samples, floating: Graph) -> Activity:
    return measure(graph, samples, time_steps=graph.time_steps, floating=floating)


def _findings(graph: Graph, activity: Activity) -> tuple[Finding, ...]:
    return diagnose(graph, activity, layer_health(graph, activity))


def _show_layers(found: Calibrated) -> None:
    from snnc.compiler.commands.console import terminal

    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True)
    for heading in ("layer", "at the ends", "bias by", "thresholds times", "fraction bits", "spikes that differ"):
        table.add_column(heading)
    for layer in found.layers:
        firing = layer.name != found.graph.readout.name
        table.add_row(
            layer.name,
            f"{layer.clipped:.1%}",
            f"{layer.bias:.2g}",
            f"{layer.threshold[0]:g} to {layer.threshold[1]:g}" if firing else "",
            str(layer.fraction_bits),
            f"{layer.differing:.2%}" if firing else "",
        )
    terminal().print(table)


def _show_doctor(what: str, findings: tuple[Finding, ...]) -> None:
    said = [f"{finding.layer}, {finding.ailment.value}: {finding.measured}" for finding in findings]
    click.echo(f"The doctor, {what}: " + (" ".join(said) if said else "nothing stands out."))
