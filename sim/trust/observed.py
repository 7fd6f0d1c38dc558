"""What a verified build did with its first samples, for people to look at: cycles, firing, ranges, one sample whole.

It is said by the models that the verdict has found equal to the hardware, on samples that it was found on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.build.folder import Build
from snnc.compiler.ir import Graph
from snnc.sim.models import golden
from snnc.sim.models.stimulus import Stimulus, stimulus
from snnc.sim.models.timing.bound import pipeline_bound
from snnc.sim.models.timing.exact import predict
from snnc.sim.models.timing.timeline import Record, State, tracks

__all__ = ["SAMPLES_FILE", "observed"]

IntArray: TypeAlias = npt.NDArray[np.int64]

SAMPLES_FILE: Final = "samples.json"
_VERSION: Final = 1

_MOST_SAMPLES: Final = 200
_MOST_STRETCHES: Final = 240
"""Of the timeline of one sample."""
_MOST_NEURONS: Final = 64
_MOST_STEPS: Final = 256
"""Of the raster of one sample: neurons that are left out lie evenly between those that are shown."""


def observed(build: Build, inputs: npt.NDArray[Any], *, time_steps: int) -> Mapping[str, Any]:
    """What to keep of a verified build's first samples; plain values only.

    Parameters
    ----------
    inputs
        As `snnc.sim.models.golden.run` takes them; the first 200 samples are looked at.
    """
    graph, encoding = build.load_graph(), build.plan.input.encoding
    count = min(_MOST_SAMPLES, golden.sample_count(encoding, inputs))
    cycles, bound, events, steps = (np.empty(count, dtype=np.int64) for _ in range(4))
    seen = _Seen(graph, time_steps)
    batch = golden.batch_size(graph, time_steps=time_steps, currents=True)
    for start in range(0, count, batch):
        part = slice(start, min(start + batch, count))
        given = golden.take(encoding, inputs, part)
        trace = golden.run(graph, given, time_steps=time_steps, currents=True)
        beats = stimulus(build.plan.input, given, time_steps=time_steps)
        spikes = {name: found.spikes for name, found in trace.populations.items()}
        cycles[part] = predict(build.plan, beats, spikes, steps=trace.steps).cycles
        bound[part] = pipeline_bound(build.plan, beats, spikes)
        events[part] = np.add.reduceat(beats.event.astype(np.int64), beats.offsets[:-1])
        steps[part] = trace.steps
        seen.add(trace)
    return {
        "version": _VERSION,
        "model_hash": build.model_hash,
        "samples": count,
        "time_steps": time_steps,
        "cycles": cycles.tolist(),
        # Of a sample that ends early nobody knows one.
        "bound": bound.tolist() if build.plan.exit is None else [],
        "events": events.tolist(),
        "steps": steps.tolist(),
        "firing": seen.firing,
        "ranges": seen.ranges,
        "first": _first(build, graph, golden.take(encoding, inputs, slice(0, 1)), time_steps),
    }


class _Seen:
    """Firing of each step and ranges, over all batches."""

    def __init__(self, graph: Graph, time_steps: int) -> None:
        self._graph = graph
        self._count = 0
        self._fired = {layer.name: np.zeros(time_steps, dtype=np.int64) for layer in graph.layers[:-1]}
        self._low_high: dict[tuple[str, str], tuple[int, int]] = {}

    def add(self, trace: golden.Trace) -> None:
        """What one more batch did."""
        self._count += len(trace.classes)
        for name, found in trace.populations.items():
            if name in self._fired:
                self._fired[name] += np.count_nonzero(found.spikes, axis=(1, 2))
            assert found.currents is not None
            for what, values in (("input_current", found.currents), ("after_reset", found.membranes)):
                low, high = self._low_high.get((name, what), (0, 0) if what == "after_reset" else (2**62, -(2**62)))
                self._low_high[name, what] = min(low, int(values.min())), max(high, int(values.max()))

    @property
    def firing(self) -> Mapping[str, list[float]]:
        """Share of the neurons that fire in each step, by layer."""
        return {
            name: (fired / (self._count * self._graph.population(name).size)).round(6).tolist()
            for name, fired in self._fired.items()
        }

    @property
    def ranges(self) -> Mapping[str, Mapping[str, list[int]]]:
        """Lowest and highest, by layer and quantity."""
        found: dict[str, dict[str, list[int]]] = {}
        for (name, what), ends in self._low_high.items():
            found.setdefault(name, {})[what] = list(ends)
        return found


def _first(build: Build, graph: Graph, inputs: npt.NDArray[Any], time_steps: int) -> Mapping[str, Any]:
    """The first sample: its timeline, its spikes, and the membrane of the neuron of each layer that fires most."""
    plan = build.plan
    trace = golden.run(graph, inputs, time_steps=time_steps)
    beats: Stimulus = stimulus(plan.input, inputs, time_steps=time_steps)
    spikes = {name: found.spikes for name, found in trace.populations.items()}
    records = {engine.name: Record() for engine in plan.engines}
    cycles = int(predict(plan, beats, spikes, steps=trace.steps, records=records).cycles[0])
    units = {engine.name: engine.units for engine in plan.engines}
    shown = min(time_steps, _MOST_STEPS)
    rasters = {}
    for layer in graph.layers[:-1]:
        fired = trace.populations[layer.name].spikes[:shown, 0]
        rows = np.unique(np.linspace(0, layer.size - 1, min(layer.size, _MOST_NEURONS)).astype(np.int64))
        busiest = int(fired.sum(axis=0).argmax())
        rasters[layer.name] = {
            "neurons": rows.tolist(),
            "spikes": np.argwhere(fired[:, rows]).tolist(),
            "busiest": busiest,
            "membrane": trace.populations[layer.name].membranes[:shown, 0, busiest].tolist(),
        }
    return {
        "cycles": cycles,
        "bound": int(pipeline_bound(plan, beats, spikes)[0]) if plan.exit is None else None,
        "states": [state.value for state in State],
        "stretch": -(-cycles // _MOST_STRETCHES),
        "tracks": [
            {"engine": track.engine, "unit": track.unit, "counts": track.counts.tolist()}
            for track in tracks(records, units, cycles=cycles, most=_MOST_STRETCHES)
        ],
        "steps": int(trace.steps[0]),
        "rasters": rasters,
        "logits": trace.populations[graph.readout.name].membranes[:shown, 0].tolist(),
    }
