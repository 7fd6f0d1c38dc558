"""`snnc synth`: from a build folder to a bitstream."""

from __future__ import annotations

import dataclasses
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from snnc.compiler.build.folder import Build, using_build
from snnc.compiler.build.report import Section
from snnc.compiler.build.results import results_folder, write_result
from snnc.compiler.errors import OptionError
from snnc.compiler.targets import Device, Implementation, Target, load_target
from snnc.compiler.tools import tool_pool, tool_versions
from snnc.rtl.tops import SHELL

__all__ = ["FOLDER", "TOP", "SynthesisResult", "check_netlist", "parse_seeds", "synth_command", "synthesise_build"]

FOLDER: Final = "synth"
_SECTION: Final = "Synthesis"
TOP: Final = SHELL.module
"""The core behind a serial link, so that it routes on a real package and nothing is optimised away."""

_SEEDS_LIMIT: Final = 100


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisResult:
    """What the tools made of a build.

    Attributes
    ----------
    runs
        One placement and routing per seed, in the order of the seeds.
    best
        The fastest of them, with its bitstream.
    median_mhz
        Median Fmax over the seeds.
    seconds
        Wall clock of synthesis.
    """

    runs: tuple[Implementation, ...]
    best: Implementation
    median_mhz: float
    seconds: float


@click.command("synth")
@click.argument("build", type=click.Path(path_type=Path))
@click.option("--seed", "seeds", default="1", show_default=True, metavar="N", help="Of the placement: 3, 1-5 or 1,4,7.")
@click.option("--seeds", "seeds", metavar="N-M", help="The same.")
@click.option("--package", help="Housing of the device; by default its first.")
@click.option("--mhz", type=click.FloatRange(1, 1000), help="Clock that placement aims at.")
@click.option("--timeout", type=click.FloatRange(1), metavar="SECONDS", help="For each tool.")
@click.option("--check", type=click.IntRange(1, 1000), metavar="N", help="Then verify --level gates, N samples.")
def synth_command(
    build: Path, seeds: str, package: str | None, mhz: float | None, timeout: float | None, check: int | None
) -> None:
    """Synthesise, place and route BUILD, and make its bitstream."""
    wanted = parse_seeds(seeds)
    with using_build(build) as opened:
        result = synthesise_build(opened, seeds=wanted, package=package, mhz=mhz, timeout=timeout)
        if check is not None:
            logits = check_netlist(opened, check, timeout=timeout)
            click.echo(f"The netlist equals the golden model: {check} random samples, {logits:,} logits.")
        section = _section(opened, result)
    click.echo(section.summary.replace("`", "").replace("**", ""))
    for name, value in section.rows:
        click.echo(f"  {name:<22} {value.replace('`', '')}")


def check_netlist(build: Build, samples: int, *, timeout: float | None = None) -> int:
    """Simulate the netlist of a synthesised build on random inputs; the number of logits that were compared.

    Raises
    ------
    VerificationError
        The netlist differs from the golden model: synthesis, or a memory's contents, went wrong.
    """
    # Simulation is not needed for anything else here.
    from snnc.compiler.commands.levels import Level, check_level
    from snnc.compiler.commands.verify import random_inputs

    steps = build.plan.time_steps
    inputs = random_inputs(build.plan, samples, time_steps=steps, density=0.2, seed=0)
    facts = check_level(
        build, Level.GATES, inputs, time_steps=steps, source="random inputs", shell=True, timeout=timeout
    )
    logits: int = facts["logits"]
    return logits


def parse_seeds(text: str) -> tuple[int, ...]:
    """``"3"``, ``"1-5"`` or ``"1,4,7"`` as numbers."""
    seeds: list[int] = []
    for field in text.split(","):
        first, dash, last = field.strip().partition("-")
        ends = (first, last if dash else first)
        if not all(end.isascii() and end.isdigit() and len(end) < 9 for end in ends):
            raise OptionError(f"--seeds '{text}' is not a number, a range such as 1-5 or a list such as 1,4,7.")
        seeds.extend(range(int(ends[0]), min(int(ends[1]), int(ends[0]) + _SEEDS_LIMIT) + 1))
    if not seeds or len(seeds) > _SEEDS_LIMIT or len(set(seeds)) != len(seeds):
        raise OptionError(f"--seeds '{text}' must give 1 to {_SEEDS_LIMIT} different seeds.")
    return tuple(seeds)


def synthesise_build(
    build: Build,
    *,
    seeds: Sequence[int] = (1,),
    package: str | None = None,
    mhz: float | None = None,
    timeout: float | None = None,
) -> SynthesisResult:
    """Run the device's tools on a build; results go into its folder ``synth/`` and into its report.

    Raises
    ------
    FitError
        It takes more than the device has.
    ToolError
        A tool is missing or failed.
    """
    target = load_target(build.plan.target)
    device = target.device(build.plan.device)
    device.package(package)
    with results_folder(build, FOLDER, section=_SECTION) as folder:
        result = _run_tools(build, target, device, folder, seeds, package, mhz, timeout)
        write_result(build, folder, _section(build, result))
    return result


def _run_tools(
    build: Build,
    target: Target,
    device: Device,
    folder: Path,
    seeds: Sequence[int],
    package: str | None,
    mhz: float | None,
    timeout: float | None,
) -> SynthesisResult:
    synthesis = target.synthesise(
        build.verilog, top=TOP, device=device, folder=folder, base=build.path, timeout=timeout
    )

    def implement(seed: int) -> Implementation:
        return target.place_and_route(
            synthesis.netlist, device=device, folder=folder, package=package, seed=seed, mhz=mhz, timeout=timeout
        )

    with tool_pool(min(len(seeds), os.cpu_count() or 1)) as pool:
        runs = tuple(pool.map(implement, seeds))
    best = target.pack(max(runs, key=lambda run: run.fmax or 0.0), folder=folder, timeout=timeout)
    return SynthesisResult(
        runs=runs,
        best=best,
        median_mhz=statistics.median(run.fmax or 0.0 for run in runs),
        seconds=synthesis.seconds,
    )


def _section(build: Build, result: SynthesisResult) -> Section:
    best = result.best
    assert best.bitstream is not None
    seeds = ", ".join(str(run.seed) for run in result.runs)
    speeds = ", ".join(f"{run.fmax or 0.0:.1f}" for run in result.runs)
    used = [resource for resource in best.resources if resource.used]
    rows = [
        *((resource.name, f"{resource.used:,} of {resource.available:,}") for resource in used),
        ("Fmax", f"{speeds} MHz (seed {seeds})"),
        ("median Fmax", f"{result.median_mhz:.1f} MHz"),
        *_limits(best),
        ("bitstream", f"`{best.bitstream.relative_to(build.path)}` (seed {best.seed})"),
        ("pins", "where the tools put them: for measuring alone, not to be loaded (`snnc build` has a board's)"),
    ]
    facts: dict[str, Any] = {
        "device": best.device.name,
        "package": best.package.name,
        "model_hash": build.model_hash,
        "resources": {
            resource.name: {"used": resource.used, "available": resource.available} for resource in best.resources
        },
        "fmax_mhz": {str(run.seed): round(run.fmax or 0.0, 3) for run in result.runs},
        "median_fmax_mhz": round(result.median_mhz, 3),
        "critical_path": {str(run.seed): run.critical and run.critical.facts for run in result.runs},
        "target_mhz": best.target_mhz,
        "pins": "any",
        "bitstream": best.bitstream.relative_to(build.path).as_posix(),
        "seconds": {
            "synthesis": round(result.seconds, 1),
            "place_and_route": [round(run.seconds, 1) for run in result.runs],
        },
        "tools": tool_versions(load_target(build.plan.target).tools),
    }
    summary = f"Placed and routed with its {SHELL.title} on {best.device.title}, package {best.package.name}."
    return Section(title=_SECTION, summary=summary, rows=rows, facts=facts)


def _limits(run: Implementation) -> list[tuple[str, str]]:
    """What limits a run's clock, as rows."""
    path = run.critical
    if path is None:
        return []
    levels = f"{path.levels} level{'s' if path.levels != 1 else ''}"
    delays = f"{levels}, {path.logic_ns:.1f} ns logic, {path.routing_ns:.1f} ns routing"
    return [
        ("critical path", f"{path.source.text} to {path.sink.text} ({path.sink.port}): {delays} (seed {run.seed})"),
        ("through", ", ".join(unit or "top" for unit in path.through)),
    ]
