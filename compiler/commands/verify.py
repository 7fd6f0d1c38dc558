"""`snnc verify`."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from snnc.compiler.build.folder import Build, replace_file, using_build
from snnc.compiler.build.report import Section
from snnc.compiler.build.results import results_folder, write_result
from snnc.compiler.commands.datasets import dataset_of, dataset_options
from snnc.compiler.commands.streaming import STREAM_STEPS, random_stream, read_stream, run_stream, stream_lines
from snnc.compiler.errors import OptionError, VerificationError
from snnc.compiler.ir import Encoding
from snnc.compiler.passes.bound import firing_warnings
from snnc.compiler.plan import Plan
from snnc.sim.models import golden
from snnc.sim.models.inputs import encode, load_samples
from snnc.sim.trust.observed import SAMPLES_FILE, observed
from snnc.sim.trust.protocol import verify_protocol
from snnc.sim.trust.trace import SAMPLES, Traced, check_trace, write_trace
from snnc.sim.trust.verify import Verdict, verify_build

__all__ = ["RANDOM_SAMPLES", "dataset_inputs", "random_inputs", "tracing", "verify"]

FOLDER = "verify"
_SECTION = "Verification"

RANDOM_SAMPLES = 100
BELOW = 20
"""Where nobody says how many; and below the Verilog, since a netlist takes long."""

_MOST_CYCLES_BY_HAND = 40_000
"""Of the samples that Python drives cycle by cycle, nine times over; two at least, so that one follows another."""


@click.command("verify")
@click.argument("build", type=click.Path(path_type=Path))
@dataset_options("Whose test samples; random inputs by default.")
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    help=f"How many. Default: {RANDOM_SAMPLES} random ones, or the whole test set; {SAMPLES} with --trace, "
    f"{BELOW} below rtl.",
)
@click.option(
    "--level",
    type=click.Choice(["rtl", "gates", "routed", "bitstream"]),
    default="rtl",
    show_default=True,
    help="What is simulated: the Verilog, or what snnc build or snnc synth made of it.",
)
@click.option("--timeout", type=click.FloatRange(1), metavar="SECONDS", help="For each tool that a level needs.")
@click.option(
    "--stream",
    type=click.IntRange(min=1),
    metavar="STEPS",
    help=f"Of a build for streams: steps of a random one. Default: {STREAM_STEPS:,}, beside the samples.",
)
@click.option(
    "--recording",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Instead: the events of FILE.npy, uint8 (time, address) of 0 and 1; or the test recordings of FILE.npz, of "
    "address events or as for --data, one after another.",
)
@click.option(
    "--bin", "step", type=click.IntRange(min=1), metavar="MICROSECONDS", help="Of a step of recorded address events."
)
@click.option("--merge", is_flag=True, help="Count several of them at one address in a step as one.")
@click.option("--every", type=click.IntRange(min=1), help="Steps between two answers of it. Default: the T_max.")
@click.option("--time-steps", type=click.IntRange(min=1), help="Steps of every sample. Default: the compiled T_max.")
@click.option("--density", type=click.FloatRange(0, 1), default=0.15, show_default=True, help="Of random inputs.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of random inputs and gaps.")
@click.option(
    "--trace",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write what happens in every cycle, beside the golden model, into FILE.vcd or FILE.fst (docs/debugging.md).",
)
def verify(
    build: Path,
    dataset: str | None,
    data: Path | None,
    samples: int | None,
    stream: int | None,
    recording: Path | None,
    step: int | None,
    merge: bool,
    every: int | None,
    time_steps: int | None,
    density: float,
    seed: int,
    trace: Path | None,
    level: str,
    timeout: float | None,
) -> None:
    """Prove BUILD equal to its golden model in Verilator: every spike and membrane, logits, class and cycles."""
    with using_build(build) as opened:
        steps = opened.plan.time_steps if time_steps is None else time_steps
        if steps > opened.plan.time_steps:
            raise OptionError(
                f"--time-steps is {steps}, but the network was compiled for at most {opened.plan.time_steps}; "
                f"compile it again with --time-steps {steps}."
            )
        if not opened.plan.stream and (stream, recording, every) != (None, None, None):
            raise OptionError(
                f"--stream, --recording and --every are for builds for streams; '{build}' takes samples with an end: "
                "compile the network with --stream."
            )
        if stream is not None and recording is not None:
            raise click.UsageError("--stream makes random events and --recording reads some: give one.")
        if recording is None and (step is not None or merge):
            raise click.UsageError("--bin and --merge are about recorded address events: give --recording, too.")
        for warning in firing_warnings(opened.load_graph()):
            click.echo(warning, err=True)
        dataset = dataset_of(dataset, data)
        if trace is not None:
            samples = SAMPLES if samples is None else samples
            check_trace(trace, samples)
        if level != "rtl":
            if trace is not None:
                raise click.UsageError("--trace is of the Verilog: it goes with --level rtl alone.")
            samples = BELOW if samples is None else samples
        labels = None
        if dataset is None:
            inputs = random_inputs(opened.plan, samples or RANDOM_SAMPLES, time_steps=steps, density=density, seed=seed)
        else:
            inputs, labels = dataset_inputs(opened, dataset, data=data, samples=samples, time_steps=steps, seed=seed)
        if level != "rtl":
            from snnc.compiler.commands.levels import Level, check_level

            source = dataset or "random inputs"
            facts = check_level(opened, Level(level), inputs, time_steps=steps, source=source, timeout=timeout)
            click.echo(
                f"Equal: the {Level(level).called} gives the golden model's class and logits on "
                f"{facts['samples']:,} samples ({source})."
            )
            return
        events = None
        if opened.plan.stream:
            graph = opened.load_graph()
            events = (
                random_stream(graph, stream or STREAM_STEPS, density=density, seed=seed)
                if recording is None
                else read_stream(graph, recording, step=step, merge=merge)
            )
        with tracing(opened, inputs, trace, time_steps=steps, seed=seed) as traced:
            if labels is not None and labels.ndim > 1:
                labels = None  # of steps: the one class of a sample is neither right nor wrong
            verdict = run(opened, inputs, labels=labels, time_steps=steps, source=dataset or "random inputs", seed=seed)
        streamed = None
        if events is not None:
            source = "random events" if recording is None else recording.name
            streamed = run_stream(opened, events, every=every, source=source, seed=seed)
    if traced is not None:
        click.echo(traced)
    for line in [*_lines(verdict), *([] if streamed is None else stream_lines(streamed))]:
        click.echo(line)


def run(
    build: Build,
    inputs: npt.NDArray[Any],
    *,
    labels: npt.NDArray[Any] | None,
    time_steps: int,
    source: str,
    seed: int = 0,
) -> Verdict:
    """Verify a build, protocol included; the result goes into its folder ``verify/`` and into its report."""
    from snnc.compiler.commands.console import progress_bar

    direct = build.plan.input.encoding is Encoding.DIRECT
    count = len(inputs) if direct else inputs.shape[1]
    with (
        results_folder(build, FOLDER, section=_SECTION) as folder,
        progress_bar() as bar,
    ):
        task = bar.add_task("compiling and simulating", total=count)
        verdict = verify_build(
            build,
            inputs,
            labels=labels,
            time_steps=time_steps,
            seed=seed + 1,
            progress=lambda done: bar.update(task, advance=done),
        )
        bar.update(task, description="random gaps and stalls")
        driven = max(2, min(8, int(_MOST_CYCLES_BY_HAND / verdict.cycles_mean)))
        few = golden.take(build.plan.input.encoding, inputs, slice(0, driven))
        verify_protocol(build, few, time_steps=time_steps, seed=seed)
        seen = observed(build, inputs, time_steps=time_steps)
        replace_file(folder / SAMPLES_FILE, json.dumps(seen) + "\n")
        write_result(build, folder, _section(build, verdict, source))
    return verdict


@contextlib.contextmanager
def tracing(
    build: Build, inputs: npt.NDArray[Any], path: Path | None, *, time_steps: int, seed: int
) -> Iterator[Traced | None]:
    """Write a trace, if there is a `path` for it, of what the block verifies; a difference that it finds names both."""
    if path is None:
        yield None
        return
    traced = write_trace(build, inputs, path, time_steps=time_steps, seed=seed + 1)
    try:
        yield traced
    except VerificationError as error:
        raise VerificationError(f"{error} {traced}") from None


def random_inputs(plan: Plan, samples: int, *, time_steps: int, density: float, seed: int) -> npt.NDArray[Any]:
    """Random pixels or spikes, a fraction `density` of them not 0; shaped for the golden model."""
    generator = np.random.default_rng(seed)
    addresses = plan.input.layout.neurons
    if plan.input.encoding is Encoding.DIRECT:
        values = generator.integers(1, 2**plan.input.value_bits, (samples, addresses))
        return values * (generator.random((samples, addresses)) < density)
    return generator.random((time_steps, samples, addresses)) < density


def dataset_inputs(
    build: Build, name: str, *, data: Path | None, samples: int | None, time_steps: int, seed: int = 0
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Test samples of a data set as the network takes them, and their labels, ``(sample,)`` or ``(sample, time)``.

    Parameters
    ----------
    seed
        Of the spikes that images become where the network takes events.

    Raises
    ------
    OptionError
        There is no such data set.
    DataError
        The files are missing, or the samples are not the network's.
    """
    graph = build.load_graph()
    tests = load_samples(graph, name, data=data, samples=samples, time_steps=time_steps, tracks=True)
    inputs = encode(graph.source, tests.images, time_steps=time_steps, events=tests.events, seed=seed)
    return inputs, tests.labels


def _section(build: Build, verdict: Verdict, source: str) -> Section:
    rows = [
        ("samples", f"{verdict.samples:,} ({source}), T = {verdict.time_steps}"),
        *verdict.rows,
        *_exits(verdict),
        ("simulation", f"{verdict.cycles_per_second:,.0f} cycles a second of a core"),
    ]
    summary = (
        f"The Verilog equals the golden model on {verdict.samples:,} samples: every spike and membrane of every step, "
        "the logits, the classes and the cycles; also with samples back to back, and with random gaps and stalls."
    )
    facts = dataclasses.asdict(verdict) | {"source": source, "model_hash": build.model_hash}
    return Section(title=_SECTION, summary=summary, rows=rows, facts=facts)


def _exits(verdict: Verdict) -> list[tuple[str, str]]:
    """How steps and cycles are spread, where a sample took fewer than all."""
    if verdict.steps.mean == verdict.time_steps:
        return []
    return [("spread of cycles", str(verdict.cycles)), ("steps taken", f"{verdict.steps}, of {verdict.time_steps}")]


def _lines(verdict: Verdict) -> list[str]:
    lines = [
        f"Equal: {verdict.samples:,} samples, {verdict.spikes:,} spikes, {verdict.membranes:,} membranes, logits, "
        "classes and cycles.",
        f"  cycles a sample   {verdict.cycles_mean:.1f} ({verdict.cycles_least} to {verdict.cycles_most})",
        *(f"  {title:17} {text}" for title, text in _exits(verdict)),
        f"  busiest layer     {verdict.busiest}, writing a membrane word in {verdict.busy:.1%} of its cycles",
        f"  simulation        {verdict.cycles_per_second:,.0f} cycles a second of a core",
    ]
    if verdict.accuracy is not None:
        lines.insert(1, f"  accuracy          {verdict.accuracy:.2%}")
    return lines
