"""``snnc export``: an integer network in the form of somebody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from snnc.compiler.build.folder import replace_file
from snnc.compiler.commands.assumed import assumption_options, reading_of
from snnc.compiler.formats import find_writer
from snnc.compiler.ir.model import model_hash
from snnc.compiler.pipeline import integer_network

__all__ = ["export"]

_OWN = ("time_steps", "weight_bits")


@click.command("export")
@click.argument("network", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--time-steps", type=int, metavar="N", help="Most time steps of a sample; by default as trained.")
@click.option("--weight-bits", type=click.IntRange(1, 8), metavar="N", help="Quantise again, to 1 to 8 bits.")
@assumption_options(without=_OWN)
def export(network: Path, file: Path, time_steps: int | None, weight_bits: int | None, **assumed: Any) -> None:
    """Write the integer network in NETWORK as FILE, whose end says the form (docs/networks.md): .onnx, which
    onnxruntime runs; .c, one C99 file for a microcontroller; .nir, for other simulators;
    .npz, the sealed model.
    """
    write = find_writer(file)
    own = {"time_steps": time_steps, "weight_bits": weight_bits}
    reading = reading_of(network, assumed, {name: value for name, value in own.items() if value is not None})
    graph = integer_network(network, time_steps=time_steps, weight_bits=weight_bits, reading=reading)
    data = write(graph)
    replace_file(file, data)
    click.echo(f"{file}: {len(data):,} bytes, '{graph.name}', {model_hash(graph)[:16]}")
