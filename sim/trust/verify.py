"""The verdict: is the hardware equal to the golden model, bit for bit and cycle for cycle?

Compared per sample: every spike and every membrane of every population and step, the logits, the class, the steps
taken, and the cycles against the performance model. Of a sample that exits, an engine is compared as far as it had come
when the cancel reached it, word for word of what it had swept, be that behind the readout's last step or ahead of it;
the readout itself in all the steps that the sample takes. Of a sample that is computed in attempts, all of them are
compared. The three sides know nothing of each other: the core is made from the plan, the golden model from the sealed
network, the prediction from ``docs/timing.md``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snnc.compiler.build.folder import Build
from snnc.compiler.build.fragments import table_fragment
from snnc.compiler.errors import VerificationError
from snnc.compiler.ir import Graph
from snnc.compiler.plan import Plan
from snnc.compiler.plan.residual import Residual
from snnc.compiler.tools import tool_pool
from snnc.sim.cosimulation.harness import Capture
from snnc.sim.cosimulation.simulator import prepare, simulate
from snnc.sim.models import golden
from snnc.sim.models.spread import Spread
from snnc.sim.models.stimulus import stimulus
from snnc.sim.models.threads import core_count, in_order
from snnc.sim.models.timing.estimate import estimate, expected
from snnc.sim.models.timing.exact import Prediction, predict

__all__ = ["Difference", "Verdict", "compare", "verify_build"]

IntArray = npt.NDArray[np.int64]

_SHORT_RUN = 100_000
"""Cycles of all samples up to which a simulation is not worth being optimised."""

_LONG_RUN = 500_000
"""Cycles from which on a simulation is worth being started beside another."""

_BATCH_BYTES = 1 << 28
"""About how much the captured state of all batches that run at a time may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where hardware and model part, by the key of the integer contract."""

    what: str
    sample: int
    layer: str | None = None
    step: int | None = None
    neuron: int | None = None
    expected: int
    got: int

    def __str__(self) -> str:
        where = [f"sample {self.sample}"]
        if self.layer is not None:
            where.append(f"layer '{self.layer}'")
        if self.step is not None:
            where.append(f"step {self.step}")
        if self.neuron is not None:
            where.append(f"neuron {self.neuron}")
        return f"{self.what} of {', '.join(where)}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was compared, and what it showed.

    Attributes
    ----------
    samples, time_steps
        Of the run.
    steps
        That the samples took.
    spikes, membranes
        How many of them were compared, all equal.
    cycles
        Simulated cycles of the samples, each equal to its prediction.
    cycles_mean, cycles_least, cycles_most
        The same, as older reports have it.
    busiest, busy
        The engine with the most work, and the fraction of its cycles, from its first event to its end of sample, in
        which it wrote a membrane word; of its units, the mean.
    firing_rates
        Mean spikes per neuron and step that was compared, by layer.
    accuracy
        Of the hardware's classes, where labels were given.
    simulated_cycles, seconds
        Of all samples; wall clock of the simulations alone, one core's each, their compilation left out.
    """

    samples: int
    time_steps: int
    steps: Spread
    spikes: int
    membranes: int
    cycles: Spread
    cycles_mean: float
    cycles_least: int
    cycles_most: int
    busiest: str
    busy: float
    firing_rates: dict[str, float]
    accuracy: float | None
    simulated_cycles: int
    seconds: float

    @property
    def cycles_per_second(self) -> float:
        return self.simulated_cycles / self.seconds

    @property
    def rows(self) -> list[tuple[str, str]]:
        """What was equal, names and values for people."""
        rows = [] if self.accuracy is None else [("accuracy of the hardware", f"{self.accuracy:.2%}")]
        return [
            *rows,
            ("spikes equal", f"{self.spikes:,} of {self.spikes:,}"),
            ("membranes equal", f"{self.membranes:,} of {self.membranes:,}"),
            ("cycles a sample", f"{self.cycles_mean:.1f} ({self.cycles_least} to {self.cycles_most}), as predicted"),
            ("busiest layer", f"{self.busiest}, writing in {self.busy:.1%} of its cycles"),
            *((f"firing rate of {name}", f"{rate:.1%}") for name, rate in self.firing_rates.items()),
        ]

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        title = f"The Verilog equals the golden model on {self.samples:,} samples, T = {self.time_steps}"
        return table_fragment(title, self.rows)


def verify_build(
    build: Build,
    inputs: npt.NDArray[Any],
    *,
    labels: npt.NDArray[Any] | None = None,
    time_steps: int | None = None,
    seed: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Verdict:
    """Run `inputs` through hardware and models, and compare everything.

    Parameters
    ----------
    inputs
        As `snnc.sim.models.golden.run` takes them.
    labels
        Classes, for the accuracy.
    time_steps
        ``T``; the compiled ``T_max`` by default.
    seed
        Of the registers' random start.
    progress
        Called with the number of samples that were compared since the last call.

    Raises
    ------
    VerificationError
        They differ; the message is the first `Difference`.
    """
    plan, graph = build.plan, build.load_graph()
    steps = plan.time_steps if time_steps is None else time_steps
    thresholds = {
        layer.name: np.repeat(Residual.of(layer).back(), layer.size // layer.channels) for layer in graph.layers
    }
    cycles = estimate(plan, expected(graph)).cycles * golden.sample_count(plan.input.encoding, inputs)
    optimised = cycles > _SHORT_RUN
    prepare(build, optimised=optimised)  # what is timed below is simulation alone
    run = _Run(build=build, graph=graph, thresholds=thresholds, steps=steps, seed=seed, optimised=optimised)

    def equal(samples: slice) -> tuple[Capture, float]:
        return run.equal(golden.take(plan.input.encoding, inputs, samples), first=samples.start)

    tally = _Tally(plan)
    count = golden.sample_count(plan.input.encoding, inputs)
    batch = _batch(plan, steps, count, cycles)
    pieces = [slice(start, min(start + batch, count)) for start in range(0, count, batch)]
    for capture, seconds in in_order(equal, pieces, pool=tool_pool):
        tally.add(capture, seconds)
        if progress is not None:
            progress(len(capture.cycles))

    verdict = tally.verdict(steps, labels)
    run.equal_overlapped(golden.take(plan.input.encoding, inputs, slice(0, 200)), longest=verdict.cycles_most)
    return verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What all batches of a run have in common."""

    build: Build
    graph: Graph
    thresholds: dict[str, IntArray]
    steps: int
    seed: int
    optimised: bool

    def equal(self, inputs: npt.NDArray[Any], *, first: int) -> tuple[Capture, float]:
        """Samples of which `first` is the first's number: what the hardware did, and seconds that its simulation took.

        Raises
        ------
        VerificationError
            It is not what the models say.
        """
        plan = self.build.plan
        trace = golden.run(self.graph, inputs, time_steps=self.steps)
        beats = stimulus(plan.input, inputs, time_steps=self.steps)
        spikes = {name: layer.spikes for name, layer in trace.populations.items()}
        prediction = predict(plan, beats, spikes, steps=trace.steps)
        start = time.perf_counter()
        longest = int(prediction.cycles.max())
        capture = simulate(self.build, beats, longest=longest, seed=self.seed, optimised=self.optimised)
        seconds = time.perf_counter() - start
        difference = compare(self.graph, plan, trace, prediction, capture, self.thresholds, first=first)
        if difference is not None:
            raise VerificationError(f"The hardware differs from the golden model: {difference}.")
        return capture, seconds

    def equal_overlapped(self, inputs: npt.NDArray[Any], *, longest: int) -> None:
        """Without waiting for the core, so that a sample meets the reset, or the tail of the one before.

        Raises
        ------
        VerificationError
            The hardware does not do what the golden model does.
        """
        plan = self.build.plan
        trace = golden.run(self.graph, inputs, time_steps=self.steps)
        beats = stimulus(plan.input, inputs, time_steps=self.steps)
        capture = simulate(self.build, beats, longest=longest, overlap=True, seed=self.seed, optimised=self.optimised)
        difference = compare(self.graph, plan, trace, None, capture, self.thresholds)
        if difference is not None:
            raise VerificationError(f"The hardware differs from the golden model when samples overlap: {difference}.")


class _Tally:
    """What the batches that were equal add up to."""

    def __init__(self, plan: Plan) -> None:
        self.seconds = 0.0
        self._plan = plan
        self._cycles: list[IntArray] = []
        self._classes: list[IntArray] = []
        self._work = dict.fromkeys((engine.name for engine in plan.engines), 0)
        self._window = dict(self._work)
        self._fired = dict(self._work)
        self._swept = dict(self._work)
        self._steps: list[IntArray] = []

    def add(self, capture: Capture, seconds: float) -> None:
        """Count one more batch, whose simulation took so long."""
        self.seconds += seconds
        self._cycles.append(capture.cycles)
        self._classes.append(capture.classes)
        self._steps.append(capture.steps)
        for name, engine in capture.engines.items():
            self._work[name] += int(engine.operations.sum())
            self._window[name] += int((engine.last - engine.first + 1).sum())
            fired = engine.spikes if engine.spikes is None or engine.swept is None else engine.spikes & engine.swept
            self._fired[name] += 0 if fired is None else int(fired.sum())
            self._swept[name] += engine.residuals.size if engine.swept is None else int(engine.swept.sum())

    def verdict(self, steps: int, labels: npt.NDArray[Any] | None) -> Verdict:
        """Of all batches."""
        cycles, classes = np.concatenate(self._cycles), np.concatenate(self._classes)
        engines = self._plan.engines
        count, hidden = len(cycles), [engine for engine in engines if engine.population.fires]
        shared = {engine.name: self._work[engine.name] / engine.units for engine in engines}
        busiest = max(shared, key=lambda name: shared[name])
        return Verdict(
            samples=count,
            time_steps=steps,
            steps=Spread.of(np.concatenate(self._steps)),
            spikes=sum(self._swept[engine.name] for engine in hidden),
            membranes=sum(self._swept[engine.name] for engine in engines),
            cycles_mean=float(cycles.mean()),
            cycles_least=int(cycles.min()),
            cycles_most=int(cycles.max()),
            busiest=busiest,
            busy=shared[busiest] / self._window[busiest],
            cycles=Spread.of(cycles),
            firing_rates={one.name: self._fired[one.name] / max(1, self._swept[one.name]) for one in hidden},
            accuracy=None if labels is None else golden.accuracy(classes, labels),
            simulated_cycles=int(cycles.sum()),
            seconds=self.seconds,
        )


def compare(
    graph: Graph,
    plan: Plan,
    trace: golden.Trace,
    prediction: Prediction | None,
    capture: Capture,
    thresholds: dict[str, IntArray],
    *,
    first: int = 0,
) -> Difference | None:
    """The first difference, by sample, then step, layer and neuron; None if there is none.

    Parameters
    ----------
    prediction
        None leaves the cycles out.
    thresholds
        Per neuron and layer, what lies between a membrane and the hardware's record of it.
    first
        Number of the first sample, for messages.
    """
    found: list[tuple[tuple[int, int, int, int], Difference]] = []
    for position, engine in enumerate(plan.engines):
        expected, got = trace.populations[engine.name], capture.engines[engine.name]
        membranes = got.residuals + thresholds[engine.name]
        pairs: list[tuple[str, Any, Any]] = [("Membrane", expected.membranes, membranes)]
        if got.spikes is not None:
            pairs.insert(0, ("Spike", expected.spikes, got.spikes))
        for what, model, hardware in pairs:
            model = model[got.steps]
            differs = model != hardware
            wrong = np.argwhere((differs if got.swept is None else differs & got.swept).transpose(1, 0, 2))
            if len(wrong):
                sample, place, neuron = (int(number) for number in wrong[0])
                step = int(got.steps[place])
                difference = Difference(
                    what=what,
                    sample=first + sample,
                    layer=engine.name,
                    step=step,
                    neuron=neuron,
                    expected=int(model[place, sample, neuron]),
                    got=int(hardware[place, sample, neuron]),
                )
                found.append(((sample, step, position, neuron), difference))
    if found:
        return min(found, key=lambda item: item[0])[1]
    wrong = np.argwhere(trace.logits != capture.logits)
    if len(wrong):
        sample, neuron = (int(number) for number in wrong[0])
        return Difference(
            what="Logit",
            sample=first + sample,
            neuron=neuron,
            expected=int(trace.logits[sample, neuron]),
            got=int(capture.logits[sample, neuron]),
        )
    totals: list[tuple[str, IntArray, IntArray]] = [
        ("Number of steps", trace.steps, capture.steps),
        ("Class", trace.classes, capture.classes),
    ]
    if prediction is not None:
        totals.append(("Number of cycles", prediction.cycles, capture.cycles))
        for engine_prediction in prediction.engines:
            name, done = engine_prediction.name, capture.engines[engine_prediction.name].operations
            # Of a sample that exits it is not predicted how many of them have come to pass.
            whole = trace.steps == len(trace.populations[name].spikes)
            totals.append((f"Operations in '{name}'", np.where(whole, engine_prediction.operations, done), done))
    for what, expected_totals, got_totals in totals:
        wrong = np.argwhere(expected_totals != got_totals)
        if len(wrong):
            sample = int(wrong[0, 0])
            return Difference(
                what=what, sample=first + sample, expected=int(expected_totals[sample]), got=int(got_totals[sample])
            )
    return None


def _batch(plan: Plan, steps: int, count: int, cycles: float) -> int:
    """Samples of a batch, of `count` that take so many cycles: what fits into memory, and some for every core."""
    words = sum(engine.words * engine.lanes * (1 + engine.residual_bits) for engine in plan.engines)
    cores = core_count()
    # A simulation takes half a second to start.
    pieces = cores if cycles > cores * _LONG_RUN else 1
    return max(1, min(10_000, _BATCH_BYTES // (cores * words * steps), -(-count // pieces)))
