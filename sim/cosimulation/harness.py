"""The self-driving bench and the files that it reads and writes.

``stimulus.bin``
    One input beat per 8 bytes, big endian: the payload of the core's input port, zero-extended.
``results.bin``
    Per sample, 32-bit words, little endian: the logits (two's complement in `residual_bits`), the class, the cycles,
    of a network with an exit the words that each engine has swept up to then, since the start of the run; then per
    engine the operations executed and the cycles, from the sample's first handshake, of the first and last.
``trace_<engine>.bin``, or ``trace_<engine>.unit<k>.bin`` for each of several units
    Per swept membrane word, in order of sample, step, pass and word (from an image engine of sample, word, step and
    pass): what the spikes are in the first pass
    (`lanes` bits), then the membranes as the hardware keeps them (`lanes` fields of `residual_bits`), zero-extended to
    whole 32-bit words, little endian.
``answers.bin``
    Of a network for streams, per answer in the middle of one: the logits, the class and the cycles, as above.
``record.bin``
    Where it was asked for (`snnc.sim.cosimulation.recording`).

Everything is captured: at these sizes a signature would save nothing, and a difference is found where it happened.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import jinja2
import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import VerificationError
from snnc.compiler.plan import EnginePlan, LayoutPlan, Plan
from snnc.sim.cosimulation.loading import load_core
from snnc.sim.cosimulation.ports import input_widths, offsets, pack_inputs, result_widths
from snnc.sim.cosimulation.probes import Probe, probes_of
from snnc.sim.cosimulation.recording import RECORD, Field, record_padding
from snnc.sim.models.stimulus import Stimulus

__all__ = [
    "HARNESS_TOP",
    "AnswerCapture",
    "Capture",
    "EngineCapture",
    "Swept",
    "harness_verilog",
    "read_answers",
    "read_capture",
    "read_ends",
    "write_stimulus",
]

HARNESS_TOP = "snnc_harness"
REST = 8
"""Cycles without an operation, beyond a pipeline's, after which no more will come until the next input."""

_ANSWERS = "answers.bin"

IntArray: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EngineCapture:
    """What one engine did.

    Attributes
    ----------
    spikes
        ``(time, batch, neuron)``; None for a readout.
    residuals
        Membranes as the hardware keeps them after `EnginePlan.membrane_pass` of each step, ``(time, batch, neuron)``.
    operations
        Membrane words written per sample, ``(batch,)``.
    swept
        Whether a neuron's step was swept at all, ``(time, batch, neuron)``; None where all were: no sample can exit.
        Where it was not, neither spikes nor residuals mean anything.
    steps
        Which time step each one is of the first axis of these three: 0, 1, .., from the start again for each attempt.
    first, last
        Cycle of the first and last of them, counted from the sample's first handshake, ``(batch,)``.
    """

    spikes: npt.NDArray[np.bool_] | None
    residuals: IntArray
    operations: IntArray
    swept: npt.NDArray[np.bool_] | None
    steps: IntArray
    first: IntArray
    last: IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Capture:
    """What the core did: `logits` ``(batch, class)``, `classes`, `steps`, `cycles` ``(batch,)``, and every engine."""

    logits: IntArray
    classes: IntArray
    steps: IntArray
    cycles: IntArray
    engines: dict[str, EngineCapture]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnswerCapture:
    """Answers of streams: `logits` ``(batch, answer, class)``, `classes` and `cycles` ``(batch, answer)``."""

    logits: IntArray
    classes: IntArray
    cycles: IntArray


def harness_verilog(plan: Plan, recorded: tuple[Field, ...] = ()) -> str:
    """The bench for `plan`, top `HARNESS_TOP`; it records every cycle's `recorded` fields, if there are any."""
    inputs, results = input_widths(plan), result_widths(plan)
    at = offsets(results)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    template = environment.from_string((Path(__file__).parent / "harness.v.j2").read_text())
    return template.render(
        input_bits=sum(inputs.values()),
        marker_at=offsets(inputs)["marker"],
        result_bits=sum(results.values()),
        logit_bits=results["logit"],
        index_bits=results["index"],
        best_at=at["best"],
        last_at=at["last"],
        loading=load_core(plan, gaps=False),
        exits=plan.exit is not None,
        stream=plan.stream,
        answers=_ANSWERS,
        record=RECORD,
        recorded=[field.expression for field in reversed(recorded)],
        record_padding=record_padding(recorded),
        rest=REST + max(engine.pipeline for engine in plan.engines),
        settle=4 + 2 * max(max(engine.layout.depth for engine in plan.engines), plan.input.layout.depth),
        engines=[
            {
                "name": engine.name,
                "padding": _record_words(engine) * 32 - _record_bits(engine),
                "probes": [dataclasses.asdict(probe) for probe in probes_of(engine)],
            }
            for engine in plan.engines
        ],
    )


def write_stimulus(plan: Plan, stimulus: Stimulus, path: Path) -> None:
    """Write ``stimulus.bin``."""
    pack_inputs(plan, stimulus).astype(">u8").tofile(path)


def read_capture(plan: Plan, folder: Path, *, samples: int, time_steps: int) -> Capture:
    """Read what the bench wrote in `folder`.

    Raises
    ------
    VerificationError
        A file is shorter or longer than the run must have made it: the core lost or invented something.
    """
    classes, probes = plan.readout.neurons, [probe for engine in plan.engines for probe in probes_of(engine)]
    own = len(probes) if plan.exit is not None else 0
    width = classes + 2 + own + 3 * len(plan.engines)
    words = _read(folder / "results.bin", samples * width).reshape(samples, width).astype(np.int64)
    steps = np.full(samples, time_steps)
    upto: dict[str, IntArray] = {}
    if own:
        upto = {probe.name: words[:, classes + 2 + place] for place, probe in enumerate(probes)}
        # What follows the membranes of a sample's last step may come after its results, or not at all.
        each = plan.readout.words * len(plan.readout.passes)
        walked = -(-np.diff(upto[plan.readout.name], prepend=0) // each)
        steps = _steps_taken(plan, walked, time_steps)
    engines = {}
    for position, engine in enumerate(plan.engines):
        at = classes + 2 + own + 3 * position
        attempts = _attempts(plan, engine, time_steps)
        counts = {
            probe.name: _swept_words(upto[probe.name], steps == time_steps, _sweeps(engine, probe, attempts))
            for probe in (probes_of(engine) if own else ())
        }
        spikes, residuals, swept = _read_traces(engine, folder, samples, attempts, counts)
        engines[engine.name] = EngineCapture(
            spikes=spikes,
            residuals=residuals,
            operations=words[:, at],
            swept=swept,
            steps=np.concatenate([np.arange(steps) for steps in attempts]),
            first=words[:, at + 1],
            last=words[:, at + 2],
        )
    return Capture(
        logits=_signed(words[:, :classes], plan.readout.residual_bits),
        classes=words[:, classes],
        steps=steps,
        cycles=words[:, classes + 1],
        engines=engines,
    )


def read_answers(plan: Plan, folder: Path, *, samples: int, answers: int) -> AnswerCapture:
    """Read what the bench wrote of the answers in the middle of streams, so many in each.

    Raises
    ------
    VerificationError
        There are more of them, or fewer.
    """
    width = plan.readout.neurons + 2
    words = _read(folder / _ANSWERS, samples * answers * width)
    return _answers(plan, words.reshape(samples, answers, width))


def read_ends(plan: Plan, folder: Path, *, samples: int) -> AnswerCapture:
    """Read what the bench wrote of the answers that end streams, one each; raises as `read_answers`."""
    width = plan.readout.neurons + 2 + 3 * len(plan.engines)
    words = _read(folder / "results.bin", samples * width)
    return _answers(plan, words.reshape(samples, 1, width))


def _answers(plan: Plan, words: npt.NDArray[np.uint32]) -> AnswerCapture:
    """Of the words of answers, ``(batch, answer, word)``."""
    classes, values = plan.readout.neurons, words.astype(np.int64)
    return AnswerCapture(
        logits=_signed(values[..., :classes], plan.readout.residual_bits),
        classes=values[..., classes],
        cycles=values[..., classes + 1],
    )


class Swept:
    """What an engine that events reach swept in one long sample, a few steps at a time."""

    def __init__(self, engine: EnginePlan, folder: Path, *, time_steps: int) -> None:
        """Raises `VerificationError` if the engine swept more words, or fewer."""
        self._engine = engine
        record = _record_words(engine)
        each = engine.words * len(engine.passes)
        path = folder / f"trace_{engine.name}.bin"
        _check_size(path, time_steps * each * record)
        self._raw = np.memmap(path, dtype="<u4", mode="r", shape=(time_steps, each, record))

    def steps(self, which: slice) -> tuple[npt.NDArray[np.bool_], IntArray]:
        """Spikes and residuals of some steps, ``(time, neuron)``; a readout's spikes mean nothing."""
        raw = np.array(self._raw[which])
        engine, layout = self._engine, self._engine.layout
        spikes, residuals = _fields(engine, raw.reshape(-1, raw.shape[-1]))

        def of_pass(array: npt.NDArray[np.generic], number: int) -> npt.NDArray[np.generic]:
            words = array.reshape(len(raw), len(engine.passes), engine.words, engine.lanes)[:, number]
            return _neurons(layout, words.reshape(len(raw), 1, -1))[:, 0]

        return (
            of_pass(spikes, 0).astype(np.bool_, copy=False),
            of_pass(residuals, engine.membrane_pass).astype(np.int64, copy=False),
        )


def _attempts(plan: Plan, engine: EnginePlan, time_steps: int) -> tuple[int, ...]:
    """The steps of each attempt at a sample that an engine takes; what hears the input takes it once."""
    return (time_steps,) if engine.main.source == plan.input.name else plan.attempts(time_steps)


def _steps_taken(plan: Plan, walked: IntArray, time_steps: int) -> IntArray:
    """The steps of samples of whose attempts the readout has walked so many in all."""
    attempts = _attempts(plan, plan.readout, time_steps)
    if len(attempts) == 1:
        return walked
    # One that is not there is told by a number of steps that no sample has.
    known = dict(zip(np.cumsum(attempts).tolist(), attempts, strict=True))
    return np.array([known.get(steps, -1) for steps in walked.tolist()])


def _sweeps(engine: EnginePlan, probe: Probe, attempts: tuple[int, ...]) -> int:
    """Words that a probe sees swept in a sample, all passes counted."""
    return len(probe.words) * len(engine.passes) * sum(_steps_in_hardware(engine, steps) for steps in attempts)


def _steps_in_hardware(engine: EnginePlan, time_steps: int) -> int:
    at_once = engine.kind.steps_at_once(engine, time_steps)  # however many a sample has
    return time_steps if at_once is None else at_once


def _swept_words(upto: IntArray, whole: npt.NDArray[np.bool_], words: int) -> IntArray:
    """Words that each sample has swept, ``(batch,)``.

    Of a sample that takes all its steps those are `words`, some of which may be swept after its results. Of one that
    exits, nothing is swept after it, so that `upto` is exact.
    """
    counts = np.full(len(upto), words)
    begun = 0
    for sample, (until, full) in enumerate(zip(upto.tolist(), whole.tolist(), strict=True)):
        counts[sample] = words if full else min(max(until - begun, 0), words)
        begun += int(counts[sample])
    return counts


def _record_bits(engine: EnginePlan) -> int:
    return engine.lanes * (1 + engine.residual_bits)


def _record_words(engine: EnginePlan) -> int:
    # At least one bit of padding: an empty replication is not Verilog.
    return _record_bits(engine) // 32 + 1


def _read(path: Path, words: int) -> npt.NDArray[np.uint32]:
    _check_size(path, words)
    return np.fromfile(path, dtype="<u4")


def _check_size(path: Path, words: int) -> None:
    found = path.stat().st_size if path.exists() else 0
    if found != words * 4:
        raise VerificationError(
            f"The hardware wrote {found} bytes to {path.name} where {words * 4} were due: it lost or invented a word."
        )


def _fields(engine: EnginePlan, raw: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.bool_], IntArray]:
    """Spikes and residuals of some records, ``(record, lane)``."""
    bits = np.unpackbits(raw.view(np.uint8), axis=1, bitorder="little")
    lanes, width = engine.lanes, engine.residual_bits
    spikes = bits[:, :lanes].astype(np.bool_)
    fields = bits[:, lanes : lanes * (1 + width)].reshape(len(raw), lanes, width)
    values = np.zeros((len(raw), lanes), dtype=np.int64)
    for position in range(width):
        values += fields[:, :, position].astype(np.int64) << position
    return spikes, _signed(values, width)


def _neurons(layout: LayoutPlan, words: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """``(time, batch, word and lane)`` to ``(time, batch, neuron)``."""
    steps, samples, _ = words.shape
    placed = words.reshape(steps, samples, layout.rows, layout.columns, layout.groups * layout.lanes)
    return placed[..., : layout.channels].transpose(0, 1, 4, 2, 3).reshape(steps, samples, layout.neurons)


def _read_traces(
    engine: EnginePlan, folder: Path, samples: int, attempts: tuple[int, ...], counts: Mapping[str, IntArray]
) -> tuple[npt.NDArray[np.bool_] | None, IntArray, npt.NDArray[np.bool_] | None]:
    """Spikes, residuals and what was swept at all; `counts` are each probe's words of a sample, if not all."""
    layout, lanes, time_steps = engine.layout, engine.lanes, sum(attempts)
    spikes = np.zeros((samples, time_steps, engine.words, lanes), np.bool_)
    swept = np.zeros_like(spikes)
    residuals = np.zeros(spikes.shape, np.int64)
    for probe in probes_of(engine):
        found = _read_trace(engine, probe, folder, samples, attempts, counts.get(probe.name))
        for whole, part in zip((spikes, residuals, swept), found, strict=True):
            whole[:, :, probe.words] = part

    def of_neurons(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        return _neurons(layout, array.reshape(samples, time_steps, -1).swapaxes(0, 1))

    return (
        of_neurons(spikes).astype(np.bool_, copy=False) if engine.population.fires else None,
        of_neurons(residuals).astype(np.int64, copy=False),
        of_neurons(swept).astype(np.bool_, copy=False) if counts else None,
    )


def _read_trace(
    engine: EnginePlan, probe: Probe, folder: Path, samples: int, attempts: tuple[int, ...], counts: IntArray | None
) -> tuple[npt.NDArray[np.bool_], IntArray, npt.NDArray[np.bool_]]:
    """What one probe wrote, in the order of `Probe.words`, ``(sample, step, word, lane)``: attempt after attempt."""
    record = _record_words(engine)
    passes, each = len(engine.passes), _sweeps(engine, probe, attempts)
    count = samples * each
    # A word's place among those of samples that sweep all of theirs.
    there = np.ones((samples, each), np.bool_) if counts is None else np.arange(each) < counts[:, np.newaxis]
    written = int(there.sum())
    raw = np.zeros((count, record), dtype="<u4")
    raw[there.reshape(count)] = _read(folder / f"trace_{probe.name}.bin", written * record).reshape(written, record)
    lanes = engine.lanes
    spikes, values = _fields(engine, raw)

    def of_pass(array: npt.NDArray[Any], number: int) -> npt.NDArray[Any]:
        """One pass's records."""
        array, begun, found = array.reshape(samples, each, lanes), 0, []
        for steps in attempts:
            held = _steps_in_hardware(engine, steps)
            part = array[:, begun : begun + len(probe.words) * held * passes]
            begun += part.shape[1]
            if engine.kind.steps_at_once(engine, steps) is None:
                found.append(part.reshape(samples, held, passes, len(probe.words), lanes)[:, :, number])
            else:
                part = part.reshape(samples, len(probe.words), held, passes, lanes)
                found.append(part[:, :, :steps, number].swapaxes(1, 2))
        return np.concatenate(found, axis=1)

    of_lanes = np.repeat(there.reshape(count, 1), lanes, axis=1)
    residuals = of_pass(values, engine.membrane_pass)
    return of_pass(spikes, 0), residuals, of_pass(of_lanes, engine.membrane_pass)


def _signed(values: IntArray, bits: int) -> IntArray:
    return np.where(values >> (bits - 1) & 1, values - (1 << bits), values)
