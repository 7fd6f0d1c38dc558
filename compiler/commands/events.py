"""`snnc events`: address events of a sensor into the steps that a network hears."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from snnc.compiler.build.folder import replace_file
from snnc.compiler.errors import OptionError
from snnc.distill.data.address_events import Binning, bin_events

__all__ = ["events_command"]

_MICROSECONDS = 1_000_000_000


@click.command("events")
@click.argument("recording", type=click.Path(path_type=Path))
@click.option(
    "--bin",
    "step",
    type=click.IntRange(1, _MICROSECONDS),
    required=True,
    metavar="MICROSECONDS",
    help="Of a time step.",
)
@click.option(
    "--window",
    type=click.IntRange(1, _MICROSECONDS),
    required=True,
    metavar="MICROSECONDS",
    help="Of a sample: a multiple of the bin.",
)
@click.option(
    "--merge", is_flag=True, help="Count several events of an address in a step as one; else they are refused."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The .npz file for --data.")
def events_command(recording: Path, step: int, window: int, merge: bool, output: Path) -> None:
    """Put the address events of RECORDING.npz into steps, for --data of every command (docs/sensors.md).

    What is written are lists of spikes; they are never expanded as a whole.
    """
    from snnc.compiler.commands.console import progress_bar

    if output.suffix.lower() != ".npz":
        raise OptionError(f"'{output}' must end in .npz, by which --data knows a file of your own.")
    binning = Binning(bin=step, window=window, merge=merge)
    with progress_bar() as bar:
        task = bar.add_task("events", total=None)
        binned = bin_events(recording, binning, progress=lambda done, of: bar.update(task, completed=done, total=of))
    dataset = binned.dataset("npz", output)
    replace_file(output, binned.to_bytes())
    spikes, steps = len(binned.steps.address), len(binned.steps)
    lengths = np.diff(binned.recording)
    click.echo(
        f"{output}: {len(lengths):,} recordings, {steps:,} steps of {step:,} microseconds, {spikes:,} spikes "
        f"({spikes / max(1, steps * binned.steps.addresses):.2%} of {binned.steps.addresses:,} addresses in a step)."
    )
    click.echo(
        f"  samples of {binned.window:,} steps: {len(dataset.train):,} for training, {len(dataset.validation):,} for "
        f"validation, {len(dataset.test):,} for test; labels of {'steps' if binned.tracked else 'recordings'}"
    )
    if (short := int((lengths < binned.window).sum())) > 0:
        click.echo(f"  {short:,} recordings are shorter than a sample: silence follows them")
