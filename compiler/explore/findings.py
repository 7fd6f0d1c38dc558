"""What is found of a variant, and of a point: plain values, as they are kept on the disk."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.design import Design, Options
from snnc.compiler.errors import OptionError, SnncError
from snnc.compiler.explore.grid import Data, Point, Variant
from snnc.compiler.formats import Source, import_network
from snnc.compiler.ir import Exit
from snnc.compiler.ir.model import model_hash
from snnc.compiler.lanes.area import total_cells
from snnc.compiler.lanes.fit import lacking
from snnc.compiler.lanes.streams import check_stream
from snnc.compiler.passes.schedule import schedule
from snnc.compiler.pipeline import begin, integer_network, passes_before, run_passes
from snnc.compiler.plan import EnginePlan, InputPlan, MemoryPlan, Plan
from snnc.compiler.targets import TARGETS, Device, find_device
from snnc.sim.evaluation.activity import measure
from snnc.sim.evaluation.energy import model_energy
from snnc.sim.evaluation.exits import answers_of, asked_steps, choose_margin, exiting
from snnc.sim.evaluation.operations import count_work
from snnc.sim.models import golden
from snnc.sim.models.inputs import Samples, encode
from snnc.sim.models.stimulus import Stimulus, stimulus
from snnc.sim.models.timing.exact import predict

__all__ = ["Chosen", "Timed", "chosen_exit", "measured", "planned", "prepare"]

Chosen: TypeAlias = Mapping[Variant, Mapping[str, Any]]
"""Early exits that were chosen, by the variant that asks for one: as of `chosen_exit`."""


def chosen_exit(variant: Variant, data: Data, *, progress: Callable[[int], None] = lambda done: None) -> dict[str, Any]:
    """Margin and steps of the early exit that a variant asks for; ``refused`` where there can be none.

    And ``ended``, the share of validation samples that end early, by the number of steps as text.
    """
    asked = variant.exit
    assert asked is not None
    assert data.training is not None
    try:
        graph = integer_network(variant.student, time_steps=variant.time_steps, weight_bits=variant.weight_bits)
        steps = asked_steps(graph, asked.steps)
        found = choose_margin(
            answers_of(graph, data.training, progress=progress), steps, agreement=asked.agreement / 100
        )
        ended = exiting(answers_of(graph, data.samples), found).ended
    except SnncError as error:
        return {"refused": str(error)}
    shares = {str(taken): share for taken, share in ended.items()}
    return {"margin": found.margin, "steps": list(found.steps), "ended": shares}


def measured(
    variant: Variant, data: Data, chosen: Chosen, *, progress: Callable[[int], None] = lambda done: None
) -> Mapping[str, Any]:
    """Accuracy and modelled energy of a variant on the validation samples; ``refused`` where it cannot be."""
    try:
        source = _source(variant, chosen)
        graph = integer_network(source, time_steps=variant.time_steps, weight_bits=variant.weight_bits)
        activity = measure(graph, data.samples, time_steps=graph.time_steps, progress=progress)
    except SnncError as error:
        return {"refused": str(error)}
    work = count_work(graph, activity)
    energy = model_energy(work, data.costs, first_every_step=False)
    return {
        "name": graph.name,
        "hash": model_hash(graph),
        "weight_bits": max((width for layer in work.layers for width in layer.weight_bits), default=0),
        "samples": activity.samples,
        "accuracy": float(activity.accuracy[-1]) if activity.exit is None else activity.exit.accuracy,
        "energy_nj": energy.total,
        "ann_energy_nj": energy.ann,
        "spikes": work.spikes,
    }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timed:
    """A variant that needs only a device, and what it does on the samples whose cycles are counted."""

    design: Design
    inputs: npt.NDArray[Any]
    trace: golden.Trace
    stimuli: dict[InputPlan, Stimulus] = dataclasses.field(default_factory=dict)
    """Of all samples, by the port that takes them; there are few, of many plans."""

    def cycles(self, plan: Plan) -> npt.NDArray[np.int64]:
        """Of each sample, exactly."""
        spikes = {name: found.spikes for name, found in self.trace.populations.items()}
        ends = None if plan.exit is None else self.trace.steps
        if plan.input not in self.stimuli:
            self.stimuli[plan.input] = stimulus(plan.input, self.inputs, time_steps=self.design.graph.time_steps)
        return predict(plan, self.stimuli[plan.input], spikes, steps=ends).cycles


_GIVEN: list[tuple[Samples, Chosen]] = []
"""Of this process: the samples whose cycles are counted, and the early exits."""


def prepare(samples: Samples, chosen: Chosen) -> None:
    """Hand over the samples whose cycles are counted, and the early exits of the variants that ask for one."""
    _GIVEN[:] = [(samples, chosen)]
    _timed.cache_clear()


def planned(point: Point) -> Mapping[str, Any]:
    """The plan of a point, what it takes of the device, and its cycles; ``refused`` where there is none.

    It is the plan that `Point.command` makes: by the activity that the file records, as `snnc compile` does it.
    """
    try:
        timed = _timed(point.variant)
        lanes = None if point.lanes is None else tuple(count for count, _ in point.lanes)
        banks = None if point.lanes is None else tuple(count for _, count in point.lanes)
        options = dataclasses.replace(
            timed.design.options, objective=point.objective, lanes=lanes, column_banks=banks, engines=point.engines
        )
        design = schedule(dataclasses.replace(timed.design, options=options).on(point.device))
        plan = design.complete_plan
        if plan.stream:
            check_stream(plan)
        cycles = timed.cycles(plan)
    except SnncError as error:
        return {"refused": str(error)}
    return {
        "lacks": lacking(plan, design.device),
        "cells": total_cells(plan),
        "blocks": plan.blocks,
        "sprams": plan.sprams,
        "cycles": float(cycles.mean()),
        "most_cycles": int(cycles.max()),
        "samples": len(cycles),
        "layers": [_layer(engine, point.device) for engine in plan.engines],
    }


@functools.lru_cache(maxsize=4)
def _timed(variant: Variant) -> Timed:
    samples, chosen = _GIVEN[0]
    options = Options(time_steps=variant.time_steps, weight_bits=variant.weight_bits)
    # What comes before the lanes knows nothing of devices, so that any will do.
    some = find_device(next(iter(TARGETS)))
    design = run_passes(begin(_source(variant, chosen), some, options), passes_before("schedule"))
    graph = design.graph
    inputs = encode(graph.source, samples.images, time_steps=graph.time_steps, events=samples.events)
    return Timed(
        design=design,
        inputs=inputs,
        trace=golden.run(graph, inputs, time_steps=graph.time_steps, membranes=False),
    )


def _source(variant: Variant, chosen: Chosen) -> Source:
    """What is compiled: the file, with the early exit that was chosen for the variant.

    Raises
    ------
    OptionError
        None could be chosen.
    """
    if variant.exit is None:
        return variant.student
    found = chosen[variant]
    if "refused" in found:
        raise OptionError(found["refused"])
    sealed = Exit(margin=found["margin"], steps=tuple(found["steps"]), weight_bits=variant.weight_bits)
    network = import_network(variant.student)
    activity = network.activity
    if activity is not None:
        activity = dataclasses.replace(activity, exits={int(taken): share for taken, share in found["ended"].items()})
    return dataclasses.replace(network, exit=sealed, activity=activity)


def _layer(engine: EnginePlan, device: Device) -> Mapping[str, Any]:
    """What a person wants to see of an engine."""
    return {
        "name": engine.name,
        "shape": engine.layout.shape,
        "engine": engine.kind.kind,
        "lanes": engine.width,
        "weights": ", ".join(_memory(projection.weights, device) for projection in engine.projections),
        "membranes": _memory(engine.membrane, device),
        "bits": engine.residual_bits,
    }


def _memory(memory: MemoryPlan, device: Device) -> str:
    """Where it lies, and how many blocks of that it takes."""
    if memory.sprams:
        return f"{memory.sprams} SPRAM"
    return f"{memory.blocks} {device.block_ram_name}" if memory.blocks else memory.kind.value
