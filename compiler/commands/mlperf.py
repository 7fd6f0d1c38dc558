"""`snnc mlperf`: test samples of a data set in the files that MLPerf Tiny's published runner reads."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from snnc.compiler.build.folder import replacing_folder, using_build
from snnc.compiler.commands.board_top import board_result, board_top, model_name
from snnc.compiler.commands.datasets import DATASET_NAMES
from snnc.compiler.commands.verify import dataset_inputs
from snnc.compiler.errors import BuildError, OptionError
from snnc.rtl.tops import MLPERF
from snnc.sim.trust.mlperf import tensors

__all__ = ["mlperf_command"]

_LABELS: Final = "y_labels.csv"
_SCRIPTS: Final = {"tests_accuracy.yaml": ("loop", 1, 0), "tests_performance.yaml": ("loop 5", 500_000, 10)}
"""Of each file: what is done over and over, inferences, and inferences before them that are not measured."""


@click.command("mlperf")
@click.argument("build", type=click.Path(path_type=Path))
@click.option("--dataset", required=True, metavar="NAME", help=f"Whose test samples. One of {DATASET_NAMES}.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data set's files; or an .npz file.")
@click.option("--samples", type=click.IntRange(min=1), help="How many. Default: the whole test set.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder to write.")
def mlperf_command(build: Path, dataset: str, data: Path | None, samples: int | None, output: Path) -> None:
    """Write samples, labels and scripts for MLPerf Tiny's published runner, to measure the board of BUILD with."""
    if output.exists() and not (output / "devices.yaml").is_file():
        raise BuildError(f"'{output}' is there, and no folder of this command: name another one with -o.")
    with using_build(build) as opened:
        facts = board_result(opened)
        if board_top(facts) is not MLPERF:
            raise BuildError(
                f"'{opened.path}' does not speak MLPerf Tiny's commands: build it with --protocol mlperf-tiny."
            )
        inputs, labels = dataset_inputs(opened, dataset, data=data, samples=samples, time_steps=opened.plan.time_steps)
        if labels.ndim != 1:
            raise OptionError(f"Samples of '{dataset}' have a label for each step: the runner knows one for a sample.")
        files = tensors(opened.plan, inputs)
        model, classes, baud = model_name(opened), opened.plan.readout.neurons, facts["baud"]
    rows = [f"{number:05d}.bin,{classes},{label}" for number, label in enumerate(labels.tolist())]
    with replacing_folder(output) as folder:
        place = folder / "datasets" / model
        place.mkdir(parents=True)
        for number, content in enumerate(files):
            (place / f"{number:05d}.bin").write_bytes(content)
        (place / _LABELS).write_text("\n".join(rows) + "\n", encoding="utf-8")
        for name, (loop, count, warm_ups) in _SCRIPTS.items():
            (folder / name).write_text(
                f"{model}:\n  name: {model}\n  model: {model}\n  truth_file: {_LABELS}\n"
                f"  script:\n    - {loop}:\n      - download\n      - infer {count} {warm_ups}\n",
                encoding="utf-8",
            )
        (folder / "devices.yaml").write_text(
            f"- name: {facts['board']}\n  type: dut\n  model: {model}\n  baud: {baud}\n"
            "  usb:  # the board's vendor and product, as lsusb shows them\n    0x0403: 0x6010\n",
            encoding="utf-8",
        )
    click.echo(
        f"{len(files):,} samples of {len(files[0]):,} bytes, their labels and scripts are in {output}: docs/mlperf.md."
    )
