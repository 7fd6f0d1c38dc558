"""`snnc run`: samples on a board, or on its top in simulation."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import click
import numpy.typing as npt

from snnc.compiler.boards import find_board
from snnc.compiler.build.folder import Build, using_build
from snnc.compiler.commands.board_top import FOLDER, WEIGHTS, board_result, board_top
from snnc.compiler.commands.datasets import dataset_of, dataset_options
from snnc.compiler.commands.verify import dataset_inputs, random_inputs
from snnc.compiler.link import Session
from snnc.compiler.link.mlperf import Runner
from snnc.compiler.link.port import Port
from snnc.compiler.targets import load_target
from snnc.rtl.tops import MLPERF
from snnc.sim.cosimulation.board import board_executable, simulated_board
from snnc.sim.trust.mlperf import timed_answers
from snnc.sim.trust.onboard import answers, check_identity, checked, load

__all__ = ["run_command"]

_RANDOM_SAMPLES = 100

_REPEAT: Final = 10
"""Inferences of a sample, where they are timed by the microsecond."""

_PATIENCE: Final = 60.0
"""Seconds for an answer of a simulated board."""


@click.command("run")
@click.argument("build", type=click.Path(path_type=Path))
@click.option("--port", help="Serial port of the board, such as /dev/ttyUSB1.")
@click.option("--simulate", is_flag=True, help="Instead: the board's top in Verilator, behind a pseudo-terminal.")
@dataset_options("Whose test samples; random inputs by default.")
@click.option(
    "--samples", type=click.IntRange(min=1), help="How many. Default: the whole test set, or 100 random ones."
)
@click.option("--check", is_flag=True, help="Hold every answer against the golden model.")
def run_command(
    build: Path,
    port: str | None,
    simulate: bool,
    dataset: str | None,
    data: Path | None,
    samples: int | None,
    check: bool,
) -> None:
    """Run samples on the board that BUILD was made for."""
    if (port is None) == (not simulate):
        raise click.UsageError("Give either --port PORT or --simulate.")
    with using_build(build) as opened:
        facts = board_result(opened)
        steps = opened.plan.time_steps
        labels = None
        dataset = dataset_of(dataset, data)
        if dataset is None:
            inputs = random_inputs(opened.plan, samples or _RANDOM_SAMPLES, time_steps=steps, density=0.2, seed=0)
        else:
            inputs, labels = dataset_inputs(opened, dataset, data=data, samples=samples, time_steps=steps)
        with contextlib.ExitStack() as held:
            line = Port(
                held.enter_context(_simulated(opened, facts)) if port is None else port,
                facts["baud"],
            )
            held.callback(line.close)
            ask = _mlperf if board_top(facts) is MLPERF else _frames
            rows, classes = ask(line, opened, inputs, steps, check=check, simulate=simulate)
    board = find_board(facts["board"]).name
    click.echo(f"{len(classes):,} samples on {board}" + (", every answer as the golden model's." if check else "."))
    if labels is not None and labels.ndim == 1:
        right = sum(index == label for index, label in zip(classes, labels.tolist(), strict=True))
        rows = [("accuracy", f"{right / len(classes):.2%}"), *rows]
    for heading, value in rows:
        click.echo(f"  {heading:<14} {value}")


_Rows: TypeAlias = tuple[list[tuple[str, str]], list[int]]
"""What is said of the samples, and their classes."""


def _frames(line: Port, build: Build, inputs: npt.NDArray[Any], steps: int, *, check: bool, simulate: bool) -> _Rows:
    # A simulated line is as slow as the machine: at 217 cycles a bit an answer may take seconds.
    session = Session(line, timeout=5, tries=12) if simulate else Session(line)
    check_identity(session, build)
    load(session, build)
    found = answers(session, build, inputs, time_steps=steps)
    begin = time.monotonic()
    results = list(checked(found, build, inputs, time_steps=steps) if check else found)
    seconds = time.monotonic() - begin
    mean, clock = sum(result.cycles for result in results) / len(results), session.identity.clock_hz
    spent = f"{mean:,.0f} cycles, {mean / clock * 1e6:,.1f} us at {clock / 1e6:g} MHz"
    damaged = ", ".join(f"{count} {name}" for name, count in session.counters().items())
    rows = [
        ("in the chip", f"{spent}, after a sample's last beat"),
        *([] if simulate else [("on the wire", f"{seconds / len(results) * 1e3:,.2f} ms a sample")]),
        ("link", f"{session.repetitions} repetitions; the board counts {damaged}"),
    ]
    return rows, [result.index for result in results]


def _mlperf(line: Port, build: Build, inputs: npt.NDArray[Any], steps: int, *, check: bool, simulate: bool) -> _Rows:
    runner = Runner(line, timeout=_PATIENCE) if simulate else Runner(line)
    found = timed_answers(runner, build, inputs, repeat=_REPEAT)
    results = list(checked(found, build, inputs, time_steps=steps) if check else found)
    mean = sum(result.microseconds for result in results) / len(results)
    rows = [
        ("an inference", f"{mean:,.1f} us, {1e6 / mean:,.0f} a second, of {_REPEAT} each (m-lap-us)"),
        ("model", runner.model),
    ]
    return rows, [result.index for result in results]


@contextlib.contextmanager
def _simulated(build: Build, facts: Mapping[str, Any]) -> Iterator[str]:
    board, weights = find_board(facts["board"]), facts.get("weights")
    flash = (build.path / FOLDER / WEIGHTS, weights["offset"]) if weights else None
    top = board_top(facts)
    text = build.path / FOLDER / top.file
    sources = [*build.core_verilog, text, *load_target(board.target).pll_sources(text)]
    executable = board_executable(sources, top=top)
    with simulated_board(executable, cwd=build.path, clock_hz=board.clock_hz, baud=facts["baud"], flash=flash) as port:
        yield port
