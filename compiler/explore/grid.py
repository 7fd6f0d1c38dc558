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

__all__ = ["Data", "Grid", "Keys", "Lanes", "Point", "Variant", "digest_of", "lanes_text"]

Lanes = tuple[tuple[int, int], ...]
"""Of each layer: lanes, and column banks."""


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
    """

    student: Path
    weight_bits: int | None
    time_steps: int


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
        named = [variant.student.stem, self.device.name, f"t{variant.time_steps}"]
        named += [] if variant.weight_bits is None else [f"b{variant.weight_bits}"]
        named += [self.choice.replace(",", "-"), self.engines.value]
        return shlex.join(
            [
                *("snnc", "compile", str(variant.student)),
                *("--target", self.device.family, "--device", self.device.name),
                *("--time-steps", str(variant.time_steps), *bits, *chosen, "--engines", self.engines.value),
                *("-o", f"build/{'-'.join(named)}"),
            ]
        )


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
    """

    name: str
    path: Path | None
    samples: Samples
    timed: int
    costs: CostTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Every combination of these, in this order.

    Attributes
    ----------
    students
        Files, and by each the numbers of time steps that it is explored with.
    weight_bits, devices, objectives, lanes, engines
        See `Variant` and `Point`; a point has either an objective or lanes.
    """

    students: Mapping[Path, Sequence[int]]
    weight_bits: Sequence[int | None]
    devices: Sequence[Device]
    objectives: Sequence[Objective]
    lanes: Sequence[Lanes]
    engines: Sequence[Engines]

    @property
    def variants(self) -> list[Variant]:
        return [
            Variant(student=student, weight_bits=bits, time_steps=steps)
            for student, lengths in self.students.items()
            for bits in self.weight_bits
            for steps in lengths
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

    def of_variant(self, variant: Variant) -> str:
        return _hashed({**self._variant(variant), "samples": self._samples, "costs": self._costs})

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
        return {
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
