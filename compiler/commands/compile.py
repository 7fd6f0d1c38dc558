"""`snnc compile`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from snnc.compiler.build.folder import check_output, write_build
from snnc.compiler.commands.assumed import assumption_options, is_foreign, reading_of
from snnc.compiler.commands.datasets import dataset_of, dataset_options
from snnc.compiler.commands.families import target_options
from snnc.compiler.design import ActivitySource, Engines, Objective, Options
from snnc.compiler.errors import OptionError
from snnc.compiler.formats import FORMATS, RandomNetwork, ReadOptions
from snnc.compiler.formats.foreign.assumptions import Assumptions
from snnc.compiler.ir import Encoding
from snnc.compiler.lanes.fit import lacking
from snnc.compiler.passes.bound import firing_warnings
from snnc.compiler.passes.schedule import schedule
from snnc.compiler.pipeline import (
    IMPORT,
    PASS_NAMES,
    begin,
    compile_network,
    integer_network,
    passes_before,
    run_passes,
)
from snnc.compiler.targets import TARGETS, find_device, load_target

__all__ = ["compile_command", "parse_lanes"]

_DEVICE_INDEPENDENT: Final = passes_before("schedule")
_OWN: Final = ("encoding", "time_steps", "weight_bits")
"""Of the options of a network made elsewhere, those that other networks have too."""
_OF_BOTH: Final = ("encoding", True)
_ALL: Final = "all"
"""Of a dry run: every family."""
_DRY_PASSES: Final = (IMPORT, *(step.name for step in _DEVICE_INDEPENDENT))


@click.command("compile")
@click.argument("student", type=click.Path(path_type=Path), required=False)
@target_options
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Build folder; by default build/NAME.")
@click.option("--time-steps", type=int, metavar="N", help="Most time steps of a sample; by default as trained.")
@click.option(
    "--objective",
    type=click.Choice([item.value for item in Objective]),
    default=Objective.LATENCY.value,
    show_default=True,
    help="What lanes are chosen for: cycles, logic cells, or their product.",
)
@click.option(
    "--lanes",
    metavar="N,N",
    help="Instead: neurons updated per cycle, for each layer; 48x2 for 48 channels of two columns at once.",
)
@click.option(
    "--engines",
    type=click.Choice([item.value for item in Engines]),
    default=Engines.AUTO.value,
    show_default=True,
    help="What computes convolutions of spikes: events that are scattered, words that gather, or what is better.",
)
@click.option("--explain", is_flag=True, help="Show what engines and lanes were chosen from, and what limits each.")
@click.option(
    "--stream",
    is_flag=True,
    help="For streams without an end: widths are proven for ever, and marker 3 hands out the logits (docs/core.md).",
)
@click.option(
    "--spram/--no-spram",
    default=True,
    help="Whether weights that do not fit elsewhere may be in SPRAM, which no bitstream fills.  [default: they may]",
)
@click.option(
    "--dsp/--no-dsp",
    default=True,
    help="Whether products of pixels may be taken in the multipliers of an iCE40 or an ECP5.  [default: they may]",
)
@click.option(
    "--wide-port/--no-wide-port",
    default=True,
    help="Whether an input beat may bring the pixels of several channels (docs/core.md).  [default: it may]",
)
@click.option("--weight-bits", type=click.IntRange(1, 8), metavar="N", help="Quantise again, to 1 to 8 bits.")
@click.option(
    "--activity",
    type=click.Choice([item.value for item in ActivitySource]),
    default=ActivitySource.RECORDED.value,
    show_default=True,
    help="What lanes are chosen and cycles estimated by: what was measured and stands in the file, or typical values.",
)
@dataset_options("Measure the activity anew, on its validation samples.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Write nothing; show which devices of the family (--target all: of every family) it fits.",
)
@click.option("--print-after", type=click.Choice(PASS_NAMES), multiple=True, help="Show what a pass decided.")
@click.option(
    "--random",
    "architecture",
    metavar="ARCHITECTURE",
    help="Compile a random network instead, such as 784-128-10 or 1x28x28-16c5s2-32c3s2-10 (docs/distillation.md).",
)
@click.option(
    "--encoding",
    type=click.Choice([item.value for item in Encoding]),
    default="events",
    show_default=True,
    help="Of the input of a random network, or of a .nir file's.",
)
@click.option(
    "--density",
    type=click.FloatRange(0.001, 1),
    default=0.15,
    show_default=True,
    help="Fraction of a random network's inputs that are active, for which its thresholds are set.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of a random network.")
@assumption_options(without=_OWN)
def compile_command(
    student: Path | None,
    target: str,
    device: str | None,
    output: Path | None,
    time_steps: int | None,
    objective: str,
    lanes: str | None,
    engines: str,
    explain: bool,
    stream: bool,
    spram: bool,
    dsp: bool,
    wide_port: bool,
    weight_bits: int | None,
    activity: str,
    dataset: str | None,
    data: Path | None,
    dry_run: bool,
    print_after: tuple[str, ...],
    architecture: str | None,
    encoding: str,
    density: float,
    seed: int,
    **assumed: Any,
) -> None:
    """Compile STUDENT into a build folder: integer model, plan, Verilog, memory images, bench and report.

    STUDENT is a student.pt, a sealed model.npz, or a .nir file, which leaves much open: snnc check says what, and
    which options say it.
    """
    for name in print_after:
        if dry_run and name not in _DRY_PASSES:
            raise click.UsageError(f"--dry-run shows nothing after '{name}'; it does after {', '.join(_DRY_PASSES)}.")
    widths = None if lanes is None else parse_lanes(lanes)
    options = Options(
        time_steps=time_steps,
        lanes=None if widths is None else tuple(count for count, _ in widths),
        column_banks=None if widths is None else tuple(banks for _, banks in widths),
        objective=Objective(objective),
        weight_bits=weight_bits,
        engines=Engines(engines),
        activity=ActivitySource(activity),
        stream=stream,
        spram=spram,
        dsp=dsp,
        wide_port=wide_port,
    )
    dataset = dataset_of(dataset, data)
    if dataset is not None and options.activity is ActivitySource.ASSUMED:
        raise click.UsageError("--dataset measures the activity, which --activity assumed does not want: give one.")
    source: Path | RandomNetwork
    if (student is None) == (architecture is None):
        raise click.UsageError(f"Give either a network file ({', '.join(FORMATS)}) or --random ARCHITECTURE.")
    given = click.get_current_context().get_parameter_source
    for name in ("encoding", "density", "seed"):
        if (
            student is not None
            and given(name) is ParameterSource.COMMANDLINE
            and (name, is_foreign(student)) != _OF_BOTH
        ):
            raise click.UsageError(f"--{name} belongs to --random; {student} says its own.")
    own = {"encoding": encoding, "time_steps": time_steps or 10, "weight_bits": weight_bits or 8}
    reading = reading_of(student, assumed, own)
    if architecture is not None:
        source = RandomNetwork(
            architecture=architecture,
            encoding=Encoding(encoding),
            weight_bits=weight_bits or 4,
            time_steps=time_steps or 10,
            density=density,
            seed=seed,
        )
    else:
        assert student is not None
        source = student
    if target == _ALL and not dry_run:
        raise click.UsageError("--target all goes with --dry-run: a network is compiled for one family.")
    chosen = None if target == _ALL else find_device(target, device)
    if dataset is not None:
        from snnc.compiler.commands.activity import measured

        network = integer_network(source, time_steps=time_steps, weight_bits=weight_bits, reading=reading)
        options = dataclasses.replace(options, activity=measured(network, dataset, data))

    def observe(name: str, text: str) -> None:
        if name in print_after:
            click.echo(text)

    if dry_run:
        _dry_run(source, target, options, reading, observe, explain=explain)
        return
    assert chosen is not None

    folder = output or (Path("build") / student.stem if student else None)
    if folder is not None:
        check_output(folder)
    design = compile_network(source, chosen, options, reading=reading, observe=observe)
    # rich is needed only from here on.
    from snnc.compiler.commands.console import show_build, show_explanation

    folder = folder or Path("build") / design.graph.name
    said = str(student) if student else f"--random {architecture} --seed {seed}"
    if isinstance(reading, Assumptions):
        said += f" ({reading.text})"
    write_build(folder, design.files, source=said)
    show_build(folder, design)
    if explain:
        show_explanation(design)
    for warning in firing_warnings(design.graph):
        click.echo(warning, err=True)


def parse_lanes(text: str) -> tuple[tuple[int, int], ...]:
    """Lanes and column banks of each layer."""
    fields = [re.fullmatch(r"\s*([0-9]{1,8})(?:x([0-9]{1,8}))?\s*", item) for item in text.split(",")]
    if not all(fields):
        raise OptionError(f"--lanes '{text}' is not a list of numbers such as 16,10 or 24,48x2,10.")
    return tuple((int(field[1]), int(field[2] or 1)) for field in fields if field)


def _dry_run(
    source: Path | RandomNetwork,
    target: str,
    options: Options,
    reading: ReadOptions,
    observe: Callable[[str, str], None],
    *,
    explain: bool,
) -> None:
    from snnc.compiler.commands.console import show_devices, show_explanation

    families = [load_target(name) for name in (TARGETS if target == _ALL else [target])]
    bounded = run_passes(begin(source, families[0].device(), options, reading), _DEVICE_INDEPENDENT, observe=observe)
    for family in families:
        candidates = [(device, schedule(bounded.on(device))) for device in family.devices.values()]
        show_devices(bounded.graph.name, candidates)
        for device, design in candidates if explain else ():
            if not lacking(design.complete_plan, device):
                show_explanation(design)
