"""What a person wants to see of a simulation: streams, queues and engines by name, beside the golden model.

The core's Verilog has thousands of nets. Here is a scope for each stream and each layer with what happens there, in the
words of ``docs/semantics.md``: spikes, and membranes as signed numbers. Each membrane and each spike of the hardware
has the golden model's beside it, at the cycle in which the hardware has it, and ``differs`` is high where they part.

This is why the file is made from a recording and not by Verilator: it knows the nets, but no membrane (the hardware
keeps `Residual`) and no golden model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.build.folder import Build
from snnc.compiler.errors import OptionError
from snnc.compiler.plan import EnginePlan, LayoutPlan, Plan
from snnc.compiler.plan.residual import Residual
from snnc.sim.cosimulation.ports import input_widths, offsets, result_widths
from snnc.sim.cosimulation.probes import Probe, probes_of
from snnc.sim.cosimulation.recording import Recording, queue_names
from snnc.sim.cosimulation.simulator import record
from snnc.sim.cosimulation.waveform import Kind, Wave, check_waveform, write_waveform
from snnc.sim.models import golden
from snnc.sim.models.stimulus import stimulus
from snnc.sim.models.timing.exact import predict

__all__ = ["SAMPLES", "Traced", "check_trace", "write_trace"]

SAMPLES: Final = 4
"""How many a trace shows, where nobody says."""

_MOST_SAMPLES: Final = 1_000
_MOST: Final = 20_000_000
"""Cycles times signals; about 200 MB of a VCD file at worst, and a minute or two to write it."""

_LANE_SIGNALS: Final = 6
_ROOT: Final = "core"
_MARKERS: Final = ("", "step", "sample", "cancel")

IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """What is in the file of a trace.

    Attributes
    ----------
    path
        The file.
    samples, cycles
        How many.
    differs
        The first cycle in which a spike or membrane is not the golden model's; None where all are.
    layer
        Where that is.
    """

    path: Path
    samples: int
    cycles: int
    differs: int | None
    layer: str | None

    def __str__(self) -> str:
        found = (
            "no spike or membrane differs"
            if self.differs is None
            else f"the first difference is at {self.differs} ns, in '{self.layer}'"
        )
        return f"Trace of {self.samples:,} samples, {self.cycles:,} cycles (1 ns each), in {self.path}: {found}."


def write_trace(build: Build, inputs: npt.NDArray[Any], path: Path, *, time_steps: int, seed: int = 1) -> Traced:
    """Simulate `inputs`, one sample after the other, and write what the core did into a VCD or FST file.

    A core that differs from the golden model, or hangs, is traced as well: that is what a trace is for.

    Parameters
    ----------
    inputs
        As `snnc.sim.models.golden.run` takes them.
    path
        Of the file, whose suffix is ``.vcd`` or ``.fst``.
    seed
        Of the registers' random start.

    Raises
    ------
    OptionError
        There are too many samples to look at, the file can have no such name, or samples may end early.
    MissingError, ToolError
        See `snnc.compiler.errors`.
    """
    check_trace(path, golden.sample_count(build.plan.input.encoding, inputs))
    plan, graph = build.plan, build.load_graph()
    if plan.exit is not None:
        raise OptionError(
            f"'{build.path}' has an early exit, which no trace can show yet: what was under way in a sample that ends "
            "has no golden model. Compile the student without its exit for a trace; snnc verify without --trace "
            "compares the exits themselves."
        )
    trace = golden.run(graph, inputs, time_steps=time_steps)
    beats = stimulus(plan.input, inputs, time_steps=time_steps)
    prediction = predict(plan, beats, {name: layer.spikes for name, layer in trace.populations.items()})
    _check_size(plan, prediction.cycles)
    recording = record(build, beats, longest=int(prediction.cycles.max()), seed=seed)
    cycles = len(recording["i.valid"])
    waves: list[Wave] = []
    differences: dict[str, BoolArray] = {}
    for layer in graph.layers:
        engine = plan.engine(layer.name)
        queues = [wave for wave in _queues(plan, recording) if wave.scope[-1] == layer.name]
        found = []
        differences[layer.name] = np.zeros(cycles, np.bool_)
        for probe in probes_of(engine):
            traced = _Engine(engine, probe, recording, steps=time_steps, samples=len(beats))
            of_probe, differs = traced.waves(trace.populations[layer.name], Residual.of(layer).back())
            differences[layer.name] |= differs
            found += of_probe
        waves += [*found[:1], *queues, *found[1:]]
    anywhere = np.logical_or.reduce(list(differences.values()))
    waves = [_bits((_ROOT,), "differs", anywhere), *_streams(plan, recording), *waves]
    write_waveform(path, waves, end=cycles)
    first = int(anywhere.argmax()) if anywhere.any() else None
    return Traced(
        path=path,
        samples=len(beats),
        cycles=cycles,
        differs=first,
        layer=None if first is None else next(name for name, at in differences.items() if at[first]),
    )


def check_trace(path: Path, samples: int) -> None:
    """Refuse, before any work, a file that cannot be or more samples than anybody looks at.

    Raises
    ------
    OptionError, MissingError
        As of `write_trace`.
    """
    check_waveform(path)
    if samples > _MOST_SAMPLES:
        raise OptionError(
            f"A trace of {samples:,} samples is more than a person can look at; at most {_MOST_SAMPLES:,} go into one: "
            f"give --samples {SAMPLES}, for example."
        )


def _check_size(plan: Plan, cycles: IntArray) -> None:
    signals = sum(_LANE_SIGNALS * engine.lanes for engine in plan.engines)
    upto = plan.load_words + np.cumsum(cycles)
    if upto[-1] * signals <= _MOST:
        return
    fit = int(np.count_nonzero(upto * signals <= _MOST))
    instead = f"--samples {fit}" if fit else "fewer --time-steps"
    raise OptionError(
        f"A trace of {len(cycles):,} samples would hold {int(upto[-1]):,} cycles of {signals:,} signals, which is more "
        f"than the {_MOST:,} values that go into one; give {instead}."
    )


class _Engine:
    """What one engine did, or one of its units, read from a recording."""

    def __init__(self, plan: EnginePlan, probe: Probe, recording: Recording, *, steps: int, samples: int) -> None:
        self._plan = plan
        self._scope = (_ROOT, plan.name) if probe.name == plan.name else (_ROOT, plan.name, probe.name.split(".")[-1])
        self._execute = recording[f"{probe.name}.execute"][:, 0]
        self._sweep = recording[f"{probe.name}.sweep"][:, 0]
        self._word = _number(recording[f"{probe.name}.word"])
        self._spikes = recording[f"{probe.name}.spikes"]
        self._membranes = recording[f"{probe.name}.membranes"]
        self._addresses = _addresses(plan.layout)[list(probe.words)]
        # In which order the words are swept is the contract of the bench's own trace (`sim.cosimulation.harness`).
        at_once = plan.kind.steps_at_once(plan, steps)
        self._gathers = at_once is not None
        passes = len(plan.passes)
        if at_once is None:
            sizes, axes = (samples, steps, passes, len(probe.words)), (0, 1, 2, 3)
        else:
            sizes, axes = (samples, len(probe.words), at_once, passes), (0, 2, 3, 1)
        count = int(np.prod(sizes))
        keys = np.unravel_index(np.arange(count), sizes)
        # What more is swept than is due is shown as it is, but there is nothing to hold it against.
        self._swept = np.flatnonzero(self._sweep)[:count]
        self._keys = [keys[axis] for axis in axes]
        self._due = self._keys[1][: len(self._swept)] < steps

    def waves(self, layer: golden.PopulationTrace, between: IntArray) -> tuple[list[Wave], BoolArray]:
        """The engine's signals, and in which cycles a spike or a membrane is not that of the golden model.

        `between` is, per channel, what lies between a residual and its membrane.
        """
        plan = self._plan
        differs = np.zeros(len(self._sweep), np.bool_)
        lanes = [wave for lane in range(plan.lanes) for wave in self._lane(lane, layer, between, differs)]
        sample, step, sweep_pass, _ = self._keys
        busy = self._execute | self._sweep
        # An operation belongs to the step whose sweep comes next.
        following = np.minimum(np.cumsum(self._sweep) - self._sweep, len(sample) - 1)
        does = np.where(self._sweep, 2 + sweep_pass[following], self._execute.astype(np.int64))
        texts = ("", "pixel" if self._gathers else "event", *(each.value for each in plan.passes))
        waves = [
            _bits(self._scope, "differs", differs),
            _wave(self._scope, "operation", Kind.TEXT, does, texts=texts),
            _wave(self._scope, "sample", Kind.INTEGER, sample[following], busy),
            _wave(self._scope, "step", Kind.INTEGER, step[following], busy),
            _wave(self._scope, "word", Kind.INTEGER, self._word, busy),
        ]
        return waves + lanes, differs

    def _lane(self, lane: int, layer: golden.PopulationTrace, between: IntArray, differs: BoolArray) -> list[Wave]:
        """One lane's signals; marks in `differs` where it is not the golden model's."""
        plan = self._plan
        # Viewers sort by name.
        scope = (*self._scope, f"lane{lane:0{len(str(plan.lanes - 1))}}")
        width = plan.residual_bits
        residual = _signed(_number(self._membranes[:, lane * width : (lane + 1) * width]), width)
        table = _neurons(plan.layout)[:, lane]
        addressed = table[np.minimum(self._word, len(table) - 1)]
        busy = self._sweep if self._gathers else self._execute

        number = len(self._swept)
        sample, step, sweep_pass, word = (key[:number] for key in self._keys)
        neuron = table[self._addresses[word]]

        def compared(name: str, kind: Kind, of_pass: int, got: IntArray, expected: npt.NDArray[Any]) -> list[Wave]:
            chosen = self._due & (sweep_pass == of_pass) & (neuron >= 0)
            at = self._swept[chosen]
            model = expected[step[chosen], sample[chosen], neuron[chosen]].astype(np.int64)
            found = got[chosen]
            differs[at] |= model != found
            pair = []
            for title, values in ((name, found), (f"{name}_golden", model)):
                every, shown = np.zeros(len(differs), np.int64), np.zeros(len(differs), np.bool_)
                every[at], shown[at] = values, True
                # A spike is a pulse; a membrane stays.
                pair.append(_wave(scope, title, kind, every, None if kind is Kind.BITS else shown))
            return pair

        waves = [
            _wave(scope, "neuron", Kind.INTEGER, addressed, busy),  # -1: none
            _wave(scope, "residual", Kind.INTEGER, residual, busy & (addressed >= 0)),
        ]
        channel = np.maximum(neuron, 0) // (plan.layout.rows * plan.layout.columns)
        membranes = residual[self._swept] + between[channel]
        waves += compared("membrane", Kind.INTEGER, plan.membrane_pass, membranes, layer.membranes)
        if plan.population.fires:
            spikes = self._spikes[self._swept, lane].astype(np.int64)
            waves += compared("spike", Kind.BITS, 0, spikes, layer.spikes)
        return waves


def _streams(plan: Plan, recording: Recording) -> list[Wave]:
    """The core's ports: handshakes, and the fields of what is offered while it is."""
    waves = []
    neurons = _neurons(plan.input.layout)[:, 0]
    streams = [("i", "in", input_widths(plan)), ("o", "out", result_widths(plan))]
    if plan.loaded:
        streams.append(("load", "load", {"word": recording["load.payload"].shape[1]}))
    for port, name, widths in streams:
        scope = (_ROOT, name)
        valid, ready = (recording[f"{port}.{side}"][:, 0] for side in ("valid", "ready"))
        waves += [_bits(scope, "valid", valid), _bits(scope, "ready", ready)]
        at = offsets(widths)
        for field, width in widths.items():
            values = _number(recording[f"{port}.payload"][:, at[field] : at[field] + width])
            match field:
                case "address":
                    neuron = neurons[np.minimum(values, len(neurons) - 1)]
                    waves.append(_wave(scope, "neuron", Kind.INTEGER, neuron, valid))
                case "marker":
                    texts = _MARKERS
                    waves.append(_wave(scope, field, Kind.TEXT, np.where(valid, values, 0), texts=texts))
                case "logit":
                    waves.append(_wave(scope, field, Kind.INTEGER, _signed(values, width), valid))
                case "index" | "best":
                    title = "class" if field == "index" else "best_class"
                    waves.append(_wave(scope, title, Kind.INTEGER, values, valid))
                case "value":
                    bits, several = plan.input.value_bits, plan.input.layout.lanes > 1
                    for lane in range(plan.input.layout.lanes):
                        pixels = values >> lane * bits & (1 << bits) - 1
                        waves.append(_wave(scope, f"{field}{lane}" if several else field, Kind.INTEGER, pixels, valid))
                case _:
                    waves.append(_wave(scope, field, Kind.BITS, values, valid, bits=width))
    return waves


def _queues(plan: Plan, recording: Recording) -> list[Wave]:
    """How many entries each queue holds: those that entered and have not left."""
    waves = []
    for queue, (layer, title) in queue_names(plan).items():
        if f"{queue}.enters" in recording:
            enters, leaves = (recording[f"{queue}.{way}"][:, 0].astype(np.int64) for way in ("enters", "leaves"))
            fill = np.cumsum(enters - leaves) - (enters - leaves)
            waves.append(_wave((_ROOT, layer), title, Kind.INTEGER, fill))
    return waves


def _bits(scope: tuple[str, ...], name: str, values: BoolArray) -> Wave:
    return _wave(scope, name, Kind.BITS, values.astype(np.int64), bits=1)


def _wave(
    scope: tuple[str, ...],
    name: str,
    kind: Kind,
    values: IntArray,
    shown: BoolArray | None = None,
    *,
    bits: int | None = None,
    texts: tuple[str, ...] = (),
) -> Wave:
    """A signal from its value in every cycle; where it is not `shown`, it stays what it was."""
    at = np.arange(len(values)) if shown is None else np.flatnonzero(shown)
    chosen = values[at]
    changes = np.ones(len(chosen), np.bool_)
    changes[1:] = chosen[1:] != chosen[:-1]
    if bits is None:
        bits = 1 if kind is Kind.BITS else 32 if np.all(np.abs(chosen) < 1 << 31) else 64
    return Wave(scope=scope, name=name, kind=kind, bits=bits, times=at[changes], values=chosen[changes], texts=texts)


def _addresses(layout: LayoutPlan) -> IntArray:
    """The address of every word, in the order in which they are swept."""
    rows, columns, groups = range(layout.rows), range(layout.columns), range(layout.groups)
    return np.array([layout.address(row, column, group) for row in rows for column in columns for group in groups])


def _neurons(layout: LayoutPlan) -> IntArray:
    """Which neuron a lane holds at each address, ``(address, lane)``; -1 for none."""
    words = np.arange(layout.words)
    position, group = np.divmod(words, layout.groups)
    channel = group[:, None] * layout.lanes + np.arange(layout.lanes)
    neuron = channel * layout.rows * layout.columns + position[:, None]
    table = np.full((layout.depth + 1, layout.lanes), -1)  # what lies beyond is no neuron either
    table[_addresses(layout)] = np.where(channel < layout.channels, neuron, -1)
    return table


def _number(bits: BoolArray) -> IntArray:
    return bits @ (np.int64(1) << np.arange(bits.shape[1]))


def _signed(values: IntArray, bits: int) -> IntArray:
    return np.where(values >> (bits - 1) & 1, values - (1 << bits), values)
