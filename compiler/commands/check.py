"""``snnc check``: what of a network can be said in the integer contract, before anything is compiled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click

from snnc.compiler.commands.assumed import assumption_options
from snnc.compiler.errors import BuildError, CheckpointError, UnsupportedError
from snnc.compiler.formats import find_format, read_network
from snnc.compiler.formats.foreign.assumptions import Assumptions
from snnc.compiler.formats.foreign.findings import Imported, Verdict, as_it_is

__all__ = ["EXIT_STATUS", "check", "imported"]

EXIT_STATUS: Final = {Verdict.EXACT: 0, Verdict.REFITTED: 1, Verdict.REFUSED: 2}
"""For a CI. A file that cannot be read counts as refused."""

_COLOURS: Final = {Verdict.EXACT: "green", Verdict.REFITTED: "yellow", Verdict.REFUSED: "red"}


@click.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@assumption_options()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def check(file: Path, as_json: bool, **options: Any) -> int:
    """Say of each node of the network in FILE whether it can be compiled exactly, nearly (by how much) or not (why),
    what had to be assumed, and which option changes it. Nothing is written.

    Exit status: 0 where all is exact, 1 where something was refitted, 2 where something was refused or the file cannot
    be read.
    """
    try:
        found = imported(file, Assumptions.of(options))
    except (BuildError, CheckpointError, UnsupportedError) as error:
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
    """The network in a file with a finding for each node; files of our own are exact by their nature.

    Raises
    ------
    UnsupportedError
        It is of no format that is read.
    """
    kind = find_format(file)
    if kind.examine is not None:
        return kind.examine(file, options)
    return as_it_is(read_network(file, options))


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
