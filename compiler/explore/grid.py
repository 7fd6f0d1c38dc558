"""What is explored: variants of networks, and each of them on each device, in each way that it can be compiled."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnc.compiler import __version__
from snnc.compiler.contract import SEMANTICS_VERSION, TIMING_VERSION
from snnc.compiler.design import Engines, Objective
from snnc.compiler.plan import PLAN_VERSION
from snnc.compiler.targets import Device
from snnc.distill.data.sparse import as_sparse
from snnc.sim.evaluation.energy import CostTable
from snnc.sim.models.inputs import Samples

__all__ = ["AskedExit", "Data", "Grid", "Keys", "Lanes", "Point", "Variant", "digest_of", "lanes_text"]

Lanes = tuple[tuple[int, int], ...]
"""Of each layer: lanes, and column banks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedExit:
    """An early exit that a network is explored with, its margin chosen as `snnc early-exit` chooses it.

    Attributes
    ----------
    agreement
        Of training samples that keep their class, in percent.
    steps
        After which it is asked; none: all but the last.
    dataset, data
        Whose training samples, and where it lies, as the user says it.
    """

    agreement: float
    steps: tuple[int, ...]
    dataset: str
    data: Path | None

    @property
    def text(self) -> str:
        """As ``--early-exit`` takes it."""
        return f"{self.agreement:g}" + (f"@{'+'.join(map(str, self.steps))}" if self.steps else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A network: a file, quantised to so many bits, and run for so many steps.

    Attributes
    ----------
    student
        The file, as it was given.
    weight_bits
        The width to which the weights are quantised again; None: as they were trained.
    time_steps
        ``T_max``.
    exit
        The early exit that it gets; None: that of the file, if it has one.
    """

    student: Path
    weight_bits: int | None
    time_steps: int
    exit: AskedExit | None = None

    @property
    def named(self) -> Sequence[str]:
        """What its files are called by."""
        bits = [] if self.weight_bits is None else [f"b{self.weight_bits}"]
        ends = [] if self.exit is None else [f"exit{self.exit.text}"]
        return [self.student.stem, f"t{self.time_steps}", *bits, *ends]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A variant, compiled for a device in one way.

    Attributes
    ----------
    objective
        What the lanes are chosen for, where `lanes` does not say them.
    lanes
        As the user asks for them.
    engines
        Which kind computes convolutions of spikes.
    """

    variant: Variant
    device: Device
    objective: Objective
    lanes: Lanes | None
    engines: Engines

    @property
    def choice(self) -> str:
        """The objective, or the lanes as they were asked for."""
        return self.objective.value if self.lanes is None else lanes_text(self.lanes)

    @property
    def command(self) -> str:
        """What to type for the build of it."""
        variant = self.variant
        chosen = ["--objective", self.objective.value] if self.lanes is None else ["--lanes", lanes_text(self.lanes)]
        bits = [] if variant.weight_bits is None else ["--weight-bits", str(variant.weight_bits)]
        named = [*variant.named, self.device.name, self.choice.replace(",", "-"), self.engines.value]
        network = ["--time-steps", str(variant.time_steps), *bits]
        student, before = str(variant.student), ""
        if variant.exit is not None:
            student = f"{'-'.join(variant.named)}{variant.student.suffix}"
            before = shlex.join(_early_exit(variant.exit, str(variant.student), network, student)) + " && "
        return before + shlex.join(
            [
                *("snnc", "compile", student),
                *("--target", self.device.family, "--device", self.device.name),
                *(*network, *chosen, "--engines", self.engines.value),
                *("-o", f"build/{'-'.join(named)}"),
            ]
        )


def _early_exit(asked: AskedExit, student: str, network: Sequence[str], output: str) -> Sequence[str]:
    steps = ["--steps", ",".join(map(str, asked.steps))] if asked.steps else []
    place = ["--data", str(asked.data)] if asked.data else []
    choice = ["--dataset", asked.dataset, *place, "--agreement", f"{asked.agreement:g}", *steps]
    return ["snnc", "early-exit", student, *choice, *network, "-o", output]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Data:
    """What networks are measured on.

    Attributes
    ----------
    name, path
        Data set, and where it lies, as the user says it.
    samples
        Validation samples that accuracy and activity are measured on.
    timed
        How many of them, from the first, have their cycles counted.
    costs
        Of the modelled energy.
    training
        Samples that margins of early exits are chosen on; None where none are asked for.
    """

    name: str
    path: Path | None
    samples: Samples
    timed: int
    costs: CostTable
    training: Samples | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Every combination of these, in this order.

    Attributes
    ----------
    students
        Files, and by each the numbers of time steps that it is explored with.
    weight_bits, exits, devices, objectives, lanes, engines
        See `Variant` and `Point`; a point has either an objective or lanes, and a network of one step no exit.
    """

    students: Mapping[Path, Sequence[int]]
    weight_bits: Sequence[int | None]
    devices: Sequence[Device]
    objectives: Sequence[Objective]
    lanes: Sequence[Lanes]
    engines: Sequence[Engines]
    exits: Sequence[AskedExit | None] = (None,)

    @property
    def variants(self) -> list[Variant]:
        return [
            Variant(student=student, weight_bits=bits, time_steps=steps, exit=asked)
            for student, lengths in self.students.items()
            for bits in self.weight_bits
            for steps in lengths
            for asked in self.exits
            if asked is None or steps > max(asked.steps, default=1)
        ]

    @property
    def points(self) -> list[Point]:
        return [
            Point(variant=variant, device=device, objective=objective, lanes=lanes, engines=engines)
            for variant in self.variants
            for device in self.devices
            for engines in self.engines
            for objective, lanes in self._choices()
        ]

    def _choices(self) -> Iterator[tuple[Objective, Lanes | None]]:
        yield from ((objective, None) for objective in self.objectives)
        yield from ((Objective.LATENCY, lanes) for lanes in self.lanes)


class Keys:
    """By what a result is found again: a hash of everything that it depends on.

    Attributes
    ----------
    files
        The students' files, with the SHA-256 of each.
    """

    def __init__(self, grid: Grid, data: Data) -> None:
        self.files: Mapping[Path, str] = {student: digest_of(student) for student in grid.students}
        self._samples = samples_digest(data.samples)
        self._timed = samples_digest(data.samples.first(data.timed))
        self._costs = dataclasses.asdict(data.costs)
        self._training = None if data.training is None else samples_digest(data.training)

    def of_variant(self, variant: Variant) -> str:
        return _hashed({**self._variant(variant), "samples": self._samples, "costs": self._costs})

    def of_exit(self, variant: Variant) -> str:
        """Of the margin that is chosen for a variant."""
        return _hashed({**self._variant(variant), "what": "exit and who takes it"})

    def of_point(self, point: Point) -> str:
        return _hashed(
            {
                **self._variant(point.variant),
                "samples": self._timed,
                "device": dataclasses.asdict(point.device),
                "objective": point.objective.value,
                "lanes": point.lanes,
                "engines": point.engines.value,
            }
        )

    def _variant(self, variant: Variant) -> dict[str, Any]:
        asked = {} if variant.exit is None else {"exit": variant.exit.text, "training": self._training}
        return {
            **asked,
            "file": self.files[variant.student],
            "weight_bits": variant.weight_bits,
            "time_steps": variant.time_steps,
            "versions": [__version__, SEMANTICS_VERSION, TIMING_VERSION, PLAN_VERSION],
        }


def lanes_text(lanes: Lanes) -> str:
    """As ``--lanes`` takes them."""
    return ",".join(f"{count}x{banks}" if banks > 1 else str(count) for count, banks in lanes)


def samples_digest(samples: Samples) -> str:
    """SHA-256 of images and labels."""
    digest = hashlib.sha256(repr((samples.images.shape, samples.events)).encode())
    if (sparse := as_sparse(samples.images)) is not None:
        sparse.hash_into(digest)
    else:
        digest.update(samples.images.tobytes())
    digest.update(samples.labels.tobytes())
    return digest.hexdigest()


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    return _digest(path.read_bytes())


def _hashed(facts: Mapping[str, Any]) -> str:
    return _digest(json.dumps(facts, sort_keys=True).encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
