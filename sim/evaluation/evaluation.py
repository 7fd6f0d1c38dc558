"""Everything that is known about a network after an evaluation, and the file of it for programs."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Final

from snnc.compiler import __version__
from snnc.compiler.contract import SEMANTICS_VERSION
from snnc.compiler.ir import Graph, RivalRecord
from snnc.compiler.ir.model import model_hash
from snnc.sim.evaluation.activity import Activity
from snnc.sim.evaluation.doctor import Finding
from snnc.sim.evaluation.energy import CostTable, Energy, model_energy
from snnc.sim.evaluation.health import LayerHealth
from snnc.sim.evaluation.immunity import Immunity
from snnc.sim.evaluation.noise import NOISES
from snnc.sim.evaluation.operations import Work
from snnc.sim.evaluation.subject import Subject
from snnc.sim.models import golden

__all__ = ["FORMAT", "VERSION", "Evaluation", "evaluation_json", "shown_steps"]

FORMAT: Final = "snnc-evaluation"
VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """The result of `snnc evaluate`.

    Attributes
    ----------
    subject
        The network.
    source, dataset
        File of the network and name of the data, for people.
    classes
        Names of the classes.
    activity, work, health, findings, immunity
        What was found, layer by layer where it is of layers; `immunity` is empty where no noise was asked for.
    costs
        Of the modelled energy.
    rival
        The quantised artificial network beside it; None where none was asked for.
    noise_samples
        How many of the samples the noise was tried on.
    first
        What the network did with the first of the samples, step by step.
    first_label
        Class of that sample.
    """

    subject: Subject
    source: str
    dataset: str
    classes: tuple[str, ...]
    activity: Activity
    work: Work
    costs: CostTable
    health: tuple[LayerHealth, ...]
    findings: tuple[Finding, ...]
    immunity: tuple[Immunity, ...]
    rival: RivalRecord | None
    noise_samples: int
    first: golden.Trace
    first_label: int

    @property
    def graph(self) -> Graph:
        return self.subject.integer

    @property
    def first_once(self) -> Energy:
        """Modelled energy with the first layer's pixels charged once per sample."""
        return model_energy(self.work, self.costs, first_every_step=False)

    @property
    def first_every_step(self) -> Energy:
        """The same with the first layer's pixels charged at every step."""
        return model_energy(self.work, self.costs, first_every_step=True)


def shown_steps(time_steps: int, most: int) -> list[int]:
    """At most so many numbers of time steps, evenly, the last one among them."""
    every = -(-time_steps // most)
    return sorted({*range(time_steps, 0, -every)})


def evaluation_json(result: Evaluation) -> str:
    """``evaluation.json``; `VERSION` is that of its layout."""
    activity, work = result.activity, result.work
    facts = {
        "format": FORMAT,
        "version": VERSION,
        "versions": {"snnc": __version__, "semantics": SEMANTICS_VERSION},
        "network": {
            "name": result.graph.name,
            "source": result.source,
            "hash": model_hash(result.graph),
            "time_steps": result.graph.time_steps,
            "recorded": dict(result.subject.recorded),
        },
        "samples": {"dataset": result.dataset, "count": activity.samples, "classes": list(result.classes)},
        "time_steps": activity.time_steps,
        "accuracy": {
            "integer": [float(value) for value in activity.accuracy],
            "float": None if activity.floating is None else [float(value) for value in activity.floating.accuracy],
        },
        "exit": _exit(result),
        "confusion": activity.confusion.tolist(),
        "layers": [dataclasses.asdict(layer) for layer in work.layers],
        "operations": {
            "ann_macs": work.macs,
            "synaptic_first_once": work.operations(first_every_step=False),
            "synaptic_first_every_step": work.operations(first_every_step=True),
            "neuron_updates": work.updates,
        },
        "memory_bits": work.memory,
        "modelled_energy": {
            "costs": dataclasses.asdict(result.costs),
            "unit": "nJ per sample",
            "first_once": _energy(result.first_once),
            "first_every_step": _energy(result.first_every_step),
        },
        "noise": {
            "samples": result.noise_samples if result.immunity else 0,
            "families": [_immunity(family) for family in result.immunity],
        },
        "rival": None if result.rival is None else result.rival.facts,
        "health": {
            "layers": [dataclasses.asdict(layer) for layer in result.health],
            "findings": [dataclasses.asdict(finding) for finding in result.findings],
        },
    }
    return json.dumps(facts, indent=2, allow_nan=False) + "\n"


def _exit(result: Evaluation) -> dict[str, Any] | None:
    sealed, found = result.graph.exit, result.activity.exit
    if sealed is None or found is None:
        return None
    return {
        "margin": sealed.margin,
        "asked_after": list(sealed.steps),
        "accuracy": found.accuracy,
        "agreement": found.agreement,
        "steps": dict(found.steps.facts),
    }


def _energy(energy: Energy) -> dict[str, Any]:
    return dataclasses.asdict(energy) | {"total": energy.total, "ratio": energy.ratio}


def _immunity(family: Immunity) -> dict[str, Any]:
    return {
        "name": family.name,
        "axis": NOISES[family.name].axis,
        "clean_level": family.clean_level,
        "clean": family.clean,
        "area": family.area,
        "retained": family.retained,
        "levels": [dataclasses.asdict(level) | {"mean": level.mean, "spread": level.spread} for level in family.levels],
    }
