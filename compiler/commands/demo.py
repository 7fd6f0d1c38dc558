"""`snnc demo`: every command in turn, and what came of it."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path
from typing import Any

import click

from snnc.compiler.build.report import REPORT_JSON
from snnc.compiler.commands.families import target_options
from snnc.compiler.errors import OptionError

__all__ = ["demo_command"]


@click.command("demo")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/demo"),
    show_default=True,
    help="Folder of everything that is made.",
)
@click.option("--student", type=click.Path(path_type=Path, dir_okay=False), help="A trained student of the digits.")
@target_options
def demo_command(output: Path, student: Path | None, target: str, device: str | None) -> None:
    """Distil a student of the handwritten digits, compile it, prove it, and make a bitstream: in about a minute."""
    started = time.monotonic()
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"'{output}' cannot be made: {error.strerror or error}; choose another with -o.") from None
    build = output / "build"
    if student is None:
        student = output / "student.pt"
        _command("distill", "--dataset", "digits", "-o", student)
    _command("compile", student, "--target", target, *(("--device", device) if device else ()), "-o", build)
    _command("verify", build, "--dataset", "digits")
    _command("synth", build)
    report = json.loads((build / REPORT_JSON).read_text(encoding="utf-8"))
    click.echo()
    for line in summary(report, build, time.monotonic() - started):
        click.echo(line)


def summary(report: dict[str, Any], build: Path, seconds: float) -> list[str]:
    """What a report says, for people."""
    facts = {section["title"]: section["facts"] for section in report["sections"]}
    verified, made = facts["Verification"], facts["Synthesis"]
    layers = [str(report["layers"][0]["inputs"]), *(str(layer["neurons"]) for layer in report["layers"])]
    bits = sorted({layer["weight_bits"] for layer in report["layers"]})
    mhz, cycles = made["median_fmax_mhz"], verified["cycles_mean"]
    used = [(name, entry) for name, entry in made["resources"].items() if entry["used"] and name != "IO"]
    size = ", ".join(f"{entry['used']:,} {name}" for name, entry in used)
    return [
        f"{'-'.join(layers)} network, {'/'.join(map(str, bits))}-bit weights, on {report['device']['title']}:",
        f"  accuracy    {verified['accuracy']:.2%} of {verified['samples']:,} held-out digits, by the hardware",
        f"  proof       {verified['spikes']:,} spikes and {verified['membranes']:,} membranes equal to the model's",
        f"  speed       {cycles:.0f} cycles an image, at {mhz:.1f} MHz {cycles / mhz:.1f} microseconds",
        f"  size        {size}",
        f"  bitstream   {build / made['bitstream']}",
        f"  report      {build / 'report.md'}",
        f"Done in {seconds:.0f} s.",
    ]


def _command(*arguments: str | Path) -> None:
    """Run one of our commands as a user would."""
    from snnc.compiler.cli import cli

    words = [str(argument) for argument in arguments]
    click.secho(f"\n$ snnc {shlex.join(words)}", bold=True)
    cli.main(words, prog_name="snnc", standalone_mode=False)
