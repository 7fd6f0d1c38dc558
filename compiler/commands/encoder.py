"""`snnc encoder`: the gateware between a sensor's samples and a core."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from snnc.compiler.build.folder import Build, open_build, replace_file
from snnc.compiler.errors import OptionError
from snnc.compiler.ir import Encoding

__all__ = ["encoder"]

_WIDEST: Final = 32


@click.command("encoder")
@click.argument("build", type=click.Path(path_type=Path))
@click.option(
    "--thresholds", required=True, metavar="N,N,...", help="Of each channel, in units of a sample (docs/sensors.md)."
)
@click.option("--bits", type=click.IntRange(1, _WIDEST), default=16, show_default=True, help="Of a signed sample.")
@click.option("--every", type=click.IntRange(min=1), help="Steps between two answers, for a build with --stream.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The Verilog file.")
def encoder(build: Path, thresholds: str, bits: int, every: int | None, output: Path) -> None:
    """Write the send-on-delta encoder that stands between a sensor and the core of BUILD (docs/sensors.md)."""
    opened = open_build(build)
    values = _thresholds(opened, thresholds)
    if every is not None:
        _check_answers(opened, every)
    from snnc.compiler.backend.verilog import encoder_verilog

    text = encoder_verilog(opened.plan.input, values, bits, every=every)
    replace_file(output, text)
    click.echo(
        f"{output}: {len(values)} channels of {bits} bits, {2 * len(values)} addresses"
        + ("" if every is None else f", an answer every {every} steps")
    )


def _thresholds(build: Build, text: str) -> tuple[int, ...]:
    fields = [field.strip() for field in text.split(",")]
    if not all(field.isascii() and field.isdecimal() and 1 <= int(field) < 2**_WIDEST for field in fields):
        raise OptionError(
            f"--thresholds '{text[:60]}' is not a list of numbers from 1 to 2^{_WIDEST} - 1, such as 12,30."
        )
    source = build.plan.input
    if source.encoding is not Encoding.EVENTS or (source.layout.rows, source.layout.columns) != (1, 1):
        raise OptionError(f"'{build.path}' takes no events of channels alone; an encoder of samples needs that.")
    if 2 * len(fields) != source.layout.neurons:
        raise OptionError(
            f"--thresholds gives {len(fields)}, which make {2 * len(fields)} addresses, up and down, but "
            f"'{build.path}' has {source.layout.neurons}; give one for each channel."
        )
    return tuple(map(int, fields))


def _check_answers(build: Build, every: int) -> None:
    if not build.plan.stream:
        raise OptionError(
            f"--every asks for answers in a stream, but '{build.path}' takes samples with an end; compile with "
            "--stream."
        )
    if every > build.plan.time_steps:
        raise OptionError(
            f"--every is {every}, but the widths of '{build.path}' are proven for {build.plan.time_steps} steps "
            f"between two answers; compile with --time-steps {every}."
        )
