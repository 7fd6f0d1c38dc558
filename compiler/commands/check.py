"""``snnc check``: what of a network can be said in the integer contract, before anything is compiled."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Final

import click

from snnc.compiler.commands.assumed import assumption_options
from snnc.compiler.errors import BuildError, CheckpointError, OptionError, UnsupportedError
from snnc.compiler.formats import find_format, read_network
from snnc.compiler.formats.foreign.assumptions import Assumptions
from snnc.compiler.formats.foreign.findings import Imported, Verdict, as_it_is
from snnc.compiler.formats.foreign.simulate import Simulation
from snnc.compiler.ir import Level
from snnc.compiler.passes.normalise import normalised
from snnc.compiler.passes.quantise import quantised
from snnc.sim.evaluation.agreement import Agreement, Reference, agreement
from snnc.sim.models.floating import FloatNetwork
from snnc.sim.models.inputs import load_samples

__all__ = ["EXIT_STATUS", "check", "imported"]

EXIT_STATUS: Final = {Verdict.EXACT: 0, Verdict.REFITTED: 1, Verdict.REFUSED: 2}
"""For a CI. A file that cannot be read counts as refused."""

_COLOURS: Final = {Verdict.EXACT: "green", Verdict.REFITTED: "yellow", Verdict.REFUSED: "red"}


@click.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@assumption_options()
@click.option("--samples", metavar="DATA", help="Run both on test samples: a data set's name, or an .npz.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data set's files.")
@click.option("--count", type=click.IntRange(min=1), default=200, show_default=True, help="Of samples, at most.")
@click.option(
    "--agreement",
    "least",
    type=click.FloatRange(0, 100),
    default=99.0,
    show_default=True,
    metavar="PERCENT",
    help="Of samples that must get the same class; fewer count as refitted.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def check(
    file: Path, samples: str | None, data: Path | None, count: int, least: float, as_json: bool, **options: Any
) -> int:
    """Say of each node of the network in FILE whether it can be compiled exactly, nearly (by how much) or not (why),
    what had to be assumed, and which option changes it. Nothing is written.

    With --samples the file's own equations are run in floats beside our integers: the spikes of each layer that differ,
    whether that grows over time, and the classes on which both agree.

    Exit status: 0 where all is exact, 1 where something was refitted or too few classes agree, 2 where something was
    refused or the file cannot be read.
    """
    measured: Agreement | None = None
    try:
        found = imported(file, Assumptions.of(options))
        if samples is not None and found.graph is not None:
            measured = _measured(found, samples, data, count, options["weight_bits"])
    except (BuildError, CheckpointError, UnsupportedError) as error:
        if as_json:
            click.echo(json.dumps({"file": str(file), "verdict": Verdict.REFUSED.value, "error": str(error)}))
        else:
            click.echo(f"snnc: error: {_printable(str(error))}", err=True)
        return EXIT_STATUS[Verdict.REFUSED]
    if as_json:
        also = {} if measured is None else {"samples": dataclasses.asdict(measured)}
        click.echo(json.dumps(_plain(file, found) | also, indent=2))
    else:
        _show(file, found)
        if measured is not None:
            _show_agreement(measured, dict(found.names))
    status = EXIT_STATUS[found.verdict]
    return max(status, 1) if measured is not None and 100 * measured.classes < least else status


def _measured(found: Imported, samples: str, data: Path | None, count: int, weight_bits: int) -> Agreement:
    """Both networks on samples; of a file of ours its float meaning is held against."""
    graph = found.accepted()
    if graph.level is Level.INTEGER:
        raise OptionError(f"'{graph.name}' holds integers alone: there is nothing to compare them with.")
    reference: Reference
    if found.network is not None:
        reference = Simulation(found.network, found.names, graph)
        integers = quantised(normalised(graph), weight_bits)
    else:
        reference = FloatNetwork(normalised(graph))
        integers = quantised(normalised(graph))
    name, where = ("npz", Path(samples)) if samples.endswith(".npz") else (samples, data)
    return agreement(integers, reference, load_samples(graph, name, data=where, samples=count))


def _show_agreement(found: Agreement, names: dict[str, str]) -> None:
    click.echo(
        f"On {found.samples:,} samples, {found.time_steps} steps: {found.classes:.2%} get the same class; accuracy "
        f"{found.accuracy:.2%} in integers, {found.reference_accuracy:.2%} in floats."
    )
    for layer in found.layers:
        first, last = layer.over_time[0], layer.over_time[-1]
        click.echo(
            f"  {_printable(names.get(layer.name, layer.name)[:40])}: {layer.differing / layer.compared:.3%} of "
            f"{layer.compared:,} spikes and silences differ, {first:.3%} in the first step and {last:.3%} in the last; "
            f"it fires at {layer.rate:.2%}, in floats at {layer.reference_rate:.2%}."
        )


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
