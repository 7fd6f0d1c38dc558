"""``snnc check``: what of a network can be said in the integer contract, before anything is compiled."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from snnc.compiler.errors import CheckpointError, UnsupportedError
from snnc.compiler.formats.foreign.assumptions import Assumptions, Decoding, Leak, ResetKind
from snnc.compiler.formats.foreign.findings import Finding, Imported, Verdict
from snnc.compiler.formats.nir import import_nir
from snnc.compiler.formats.student import read_student
from snnc.compiler.ir import Comparison, Encoding

__all__ = ["EXIT_STATUS", "assumption_options", "assumptions", "check", "imported"]

EXIT_STATUS: Final = {Verdict.EXACT: 0, Verdict.REFITTED: 1, Verdict.REFUSED: 2}
"""For a CI. A file that cannot be read counts as refused."""

_COLOURS: Final = {Verdict.EXACT: "green", Verdict.REFITTED: "yellow", Verdict.REFUSED: "red"}

_Command = TypeVar("_Command", bound=Callable[..., Any])

_DEFAULTS: Final = Assumptions()


def _choice(name: str, kind: Any, default: Any, text: str) -> Callable[[_Command], _Command]:
    choices = click.Choice([member.value for member in kind])
    return click.option(name, type=choices, default=default.value, show_default=True, help=text)


def _number(name: str, low: int, high: int, default: int, text: str) -> Callable[[_Command], _Command]:
    return click.option(
        name, type=click.IntRange(low, high), metavar="N", default=default, show_default=True, help=text
    )


def assumption_options(command: _Command) -> _Command:
    """Add an option for each field of `Assumptions`, under its name."""
    for option in reversed(
        (
            click.option("--dt", type=float, help="Length of a time step, in the file's unit of time."),
            _choice("--reset", ResetKind, _DEFAULTS.reset, "What a spike does to the membrane; late: a step later."),
            _choice("--comparison", Comparison, _DEFAULTS.comparison, "When a membrane fires, against its threshold."),
            _choice("--leak", Leak, _DEFAULTS.leak, "How time constants become steps."),
            _choice("--encoding", Encoding, _DEFAULTS.encoding, "Of the input."),
            _number("--bits", 1, 8, _DEFAULTS.bits, "Of a pixel."),
            _number("--time-steps", 1, 2**16, _DEFAULTS.time_steps, "Most time steps of a sample."),
            _choice("--decoding", Decoding, _DEFAULTS.decoding, "sum: a leaky readout may be taken for a sum."),
            _number("--fraction-bits", 0, 16, _DEFAULTS.fraction_bits, "Of membranes, at most."),
            _number("--weight-bits", 1, 8, _DEFAULTS.weight_bits, "Of weights."),
            click.option("--exact", is_flag=True, help="Refuse what could only be approximated."),
        )
    ):
        command = option(command)
    return command


@click.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@assumption_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def check(file: Path, as_json: bool, **options: Any) -> int:
    """Say of each node of the network in FILE whether it can be compiled exactly, nearly (by how much) or not (why),
    what had to be assumed, and which option changes it. Nothing is written.

    Exit status: 0 where all is exact, 1 where something was refitted, 2 where something was refused or the file cannot
    be read.
    """
    try:
        found = imported(file, assumptions(options))
    except (CheckpointError, UnsupportedError) as error:
        if as_json:
            click.echo(json.dumps({"file": str(file), "verdict": Verdict.REFUSED.value, "error": str(error)}))
        else:
            click.echo(f"snnc: error: {_printable(str(error))}", err=True)
        return EXIT_STATUS[Verdict.REFUSED]
    if as_json:
        click.echo(json.dumps(_plain(file, found), indent=2))
    else:
        _show(file, found)
    return EXIT_STATUS[found.verdict]


def imported(file: Path, options: Assumptions) -> Imported:
    """The network in a file with a finding for each node; a student's own layers are exact by their nature.

    Raises
    ------
    UnsupportedError
        It is of no format that is read.
    """
    match file.suffix.lower():
        case ".nir":
            return import_nir(file, options)
        case ".pt":
            graph = read_student(file)
            findings = tuple(
                Finding(
                    node=population.name,
                    kind=type(population.neuron).__name__,
                    verdict=Verdict.EXACT,
                    text="a layer of a student.",
                )
                for population in graph.populations
            )
            return Imported(graph=graph, findings=findings, assumptions=())
        case _:
            raise UnsupportedError(f"'{file}' is of no known format; snnc checks .nir and .pt files.")


def assumptions(options: dict[str, Any]) -> Assumptions:
    """The record of what `assumption_options` parsed."""
    kinds: dict[str, Any] = {
        "reset": ResetKind,
        "comparison": Comparison,
        "leak": Leak,
        "encoding": Encoding,
        "decoding": Decoding,
    }
    values: dict[str, Any] = {name: kinds[name](value) if name in kinds else value for name, value in options.items()}
    return Assumptions(**values)


def _show(file: Path, found: Imported) -> None:
    click.echo(f"{file}: {found.verdict.value}")
    width = max(len(finding.node[:40]) + len(finding.kind[:20]) for finding in found.findings) + 1
    for finding in found.findings:
        name = _printable(f"{finding.node[:40]} {finding.kind[:20]}")
        verdict = click.style(f"{finding.verdict.value:<9}", fg=_COLOURS[finding.verdict])
        click.echo(f"  {name:<{width}}  {verdict}  {_printable(finding.text)}")
        if finding.remedy:
            click.echo(f"  {'':<{width}}  {'':<9}  {_printable(finding.remedy)}")
    if found.assumptions:
        click.echo("The file does not say, and it was assumed:")
    for item in found.assumptions:
        click.echo(f"  {_printable(item.text)}" + (f"  (--{item.option})" if item.option else ""))


def _plain(file: Path, found: Imported) -> dict[str, Any]:
    return {
        "file": str(file),
        "verdict": found.verdict.value,
        "nodes": [
            {
                "name": finding.node,
                "kind": finding.kind,
                "verdict": finding.verdict.value,
                "text": finding.text,
                "remedy": finding.remedy,
            }
            for finding in found.findings
        ],
        "assumptions": [{"text": item.text, "option": item.option} for item in found.assumptions],
        "layers": dict(found.names),
    }


def _printable(text: str) -> str:
    # Names are the file's: nothing in one may end the line or command the terminal.
    return "".join(character if character.isprintable() else "?" for character in text)
