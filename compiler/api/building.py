"""A build folder in Python: compiled, verified, synthesised."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from snnc.compiler.build import folder
from snnc.compiler.build.report import REPORT_JSON
from snnc.compiler.design import Engines, Objective, Options
from snnc.compiler.errors import OptionError
from snnc.compiler.plan import Plan
from snnc.compiler.targets import TARGETS, Device, find_family, load_target

if TYPE_CHECKING:
    from snnc.compiler.commands.synth import SynthesisResult
    from snnc.network import Network
    from snnc.sim.trust.streams import StreamVerdict
    from snnc.sim.trust.verify import Verdict

__all__ = ["Build", "compile_into", "open_build"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Build:
    """A build folder that was found intact; made by `Network.compile` or `open_build`.

    Attributes
    ----------
    path
        The folder; ``docs/build.md`` says what is in it.
    plan
        Every decision of the hardware.
    """

    path: Path
    plan: Plan

    def verify(
        self,
        x: npt.ArrayLike | None = None,
        labels: npt.ArrayLike | None = None,
        *,
        samples: int | None = None,
        density: float = 0.15,
        time_steps: int | None = None,
        seed: int = 0,
        trace: str | Path | None = None,
    ) -> Verdict:
        """Prove the Verilog equal to the golden model in Verilator: spikes, membranes, logits, classes and cycles.

        Parameters
        ----------
        x
            Samples, as `Network.run` takes them; without, random ones.
        labels
            Classes of `x`, for the accuracy of the hardware.
        samples, density, seed
            Of random samples: how many (by default 100, or 4 with a trace), and the fraction of inputs that are active.
        time_steps
            Steps of every sample; by default the compiled ``T_max``.
        trace
            A file to write, ``.vcd`` or ``.fst``: what happens in every cycle, beside the golden model
            (``docs/debugging.md``). It is there also where they differ.

        Raises
        ------
        VerificationError
            They differ; the message is the first difference.
        DataError, OptionError, ToolError
            See `snnc.compiler.errors`.
        """
        from snnc.compiler.commands.verify import RANDOM_SAMPLES, random_inputs, run, tracing
        from snnc.network import encode_array
        from snnc.sim.trust.trace import SAMPLES, check_trace

        steps = self.plan.time_steps if time_steps is None else time_steps
        if not 1 <= steps <= self.plan.time_steps:
            raise OptionError(f"time_steps is {steps}; the network was compiled for 1 to {self.plan.time_steps}.")
        file = None if trace is None else Path(trace)
        if samples is None:
            samples = RANDOM_SAMPLES if file is None else SAMPLES
        with folder.using_build(self.path) as opened:
            if file is not None:
                check_trace(file, samples if x is None else len(np.asarray(x)))
            if x is None:
                inputs = random_inputs(self.plan, samples, time_steps=steps, density=density, seed=seed)
            else:
                inputs = encode_array(opened.load_graph(), x, time_steps=steps)
            source = "random inputs" if x is None else "an array"
            known = None if labels is None else np.asarray(labels)
            with tracing(opened, inputs, file, time_steps=steps, seed=seed):
                return run(opened, inputs, labels=known, time_steps=steps, source=source, seed=seed)

    def verify_stream(self, x: npt.ArrayLike, *, every: int | None = None, seed: int = 0) -> StreamVerdict:
        """Prove the Verilog of a network for streams equal to the golden model over one stream, of whatever length.

        Parameters
        ----------
        x
            Events of its steps, as `Stream.feed` takes them.
        every
            Steps between two answers; by default the compiled ``T_max``.

        Raises
        ------
        VerificationError
            They differ; the message is the first difference.
        DataError, OptionError, ToolError
            See `snnc.compiler.errors`.
        """
        from snnc.compiler.commands.streaming import run_stream
        from snnc.streaming import stream_events

        with folder.using_build(self.path) as opened:
            events = stream_events(opened.load_graph(), x)
            return run_stream(opened, events, every=every, source="an array", seed=seed)

    def synthesise(
        self, *, seeds: Iterable[int] = (1,), package: str | None = None, mhz: float | None = None, check: int = 0
    ) -> SynthesisResult:
        """Synthesise, place and route, and make the bitstream.

        Parameters
        ----------
        seeds
            Of the placement; the fastest one's bitstream is kept.
        package, mhz
            Housing of the device and the clock that placement aims at; by default the device's own.
        check
            Simulate the netlist with so many random samples, too.

        Raises
        ------
        FitError
            It takes more than the device has.
        ToolError, VerificationError
            See `snnc.compiler.errors`.
        """
        from snnc.compiler.commands.synth import check_netlist, synthesise_build

        with folder.using_build(self.path) as opened:
            result = synthesise_build(opened, seeds=tuple(seeds), package=package, mhz=mhz)
            if check:
                check_netlist(opened, check)
            return result

    @property
    def report(self) -> str:
        """``report.md`` as it is now, with what `verify` and `synthesise` have added."""
        return (self.path / "report.md").read_text(encoding="utf-8")

    def _repr_html_(self) -> str:
        """What a notebook shows: the layers, what the device gives them, and what was found out since."""
        from snnc.compiler.build.build_page import REPORT_PAGE
        from snnc.compiler.build.fragments import table_fragment

        plan = self.plan
        layers = [
            (
                engine.name,
                engine.layout.shape,
                engine.kind.kind,
                engine.width,
                f"{engine.main.weight_bits} bits, {engine.main.weights.kind.value}",
                f"{engine.residual_bits} bits, {engine.membrane.kind.value}",
            )
            for engine in plan.engines
        ]
        headings = ("layer", "shape", "engine", "lanes", "weights", "membranes")
        parts = [table_fragment(f"{plan.name} on {plan.device}", layers, headings=headings)]
        report = json.loads((self.path / REPORT_JSON).read_text(encoding="utf-8"))
        parts += [table_fragment(section["title"], section["rows"]) for section in report["sections"]]
        page = self.path / REPORT_PAGE
        parts.append(table_fragment("", (), note=str(page), link=page.as_posix()))
        return "".join(parts)

    def __repr__(self) -> str:
        return f"<snnc.Build {self.plan.name!r} on {self.plan.device}: {self.path}>"


def open_build(path: str | Path) -> Build:
    """Open a build folder, after a check of every generated file.

    Raises
    ------
    BuildError
        It is none, a file is missing or was edited, or another version wrote it.
    """
    opened = folder.open_build(Path(path))
    return Build(path=opened.path, plan=opened.plan)


def compile_into(
    network: Network,
    *,
    device: str,
    out: str | Path | None,
    lanes: Sequence[int] | str | None,
    objective: str,
    engines: str,
    time_steps: int,
    stream: bool,
) -> Build:
    """`Network.compile`."""
    from snnc.compiler.commands.compile import parse_lanes
    from snnc.compiler.pipeline import compile_network

    for what, value, kinds in (("objective", objective, Objective), ("kind of engines", engines, Engines)):
        if value not in [item.value for item in kinds]:
            raise OptionError(f"The {what} {value!r} is none of {', '.join(item.value for item in kinds)}.")
    widths = None if lanes is None else parse_lanes(lanes if isinstance(lanes, str) else ",".join(map(str, lanes)))
    options = Options(
        time_steps=time_steps,
        lanes=None if widths is None else tuple(count for count, _ in widths),
        column_banks=None if widths is None else tuple(banks for _, banks in widths),
        objective=Objective(objective),
        engines=Engines(engines),
        weight_bits=network.weight_bits,
        stream=stream,
    )
    name = network.name if network.path is None else network.path.stem
    path = Path("build") / name if out is None else Path(out)
    folder.check_output(path)
    design = compile_network(network.source, _device(device), options, reading=network.reading)
    folder.write_build(path, design.files, source=network.said)
    return open_build(path)


def _device(name: str) -> Device:
    """The device of that name, of whichever family."""
    family = find_family(name)
    if family is not None:
        return family.device(name)
    known = ", ".join(device for target in TARGETS for device in load_target(target).devices)
    raise OptionError(f"There is no device {name!r}; snnc knows {known}.")
