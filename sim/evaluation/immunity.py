"""Noise immunity: accuracy against the level of a noise that training never saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, assert_never

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import OptionError
from snnc.compiler.ir import Graph
from snnc.sim.evaluation.noise import NOISES, Faulty, HardwareNoise, Noise, PixelNoise
from snnc.sim.models import golden
from snnc.sim.models.inputs import Pixels, Samples, encoded_batches
from snnc.sim.models.threads import in_order

__all__ = ["Immunity", "Level", "left_out", "noise_names", "noisy", "noisy_accuracy", "sweep", "sweep_length"]

_ALL: Final = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Accuracy at one level, one number per noise seed."""

    level: float
    accuracies: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.accuracies))

    @property
    def spread(self) -> float:
        """Standard deviation over the seeds, of a sample."""
        return float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Immunity:
    """What one family of noise does to a network.

    Attributes
    ----------
    name
        A key of `NOISES`.
    clean
        Accuracy on the same samples without noise.
    clean_level
        The level that stands for.
    levels
        Ascending.
    """

    name: str
    clean: float
    clean_level: float
    levels: tuple[Level, ...]

    @property
    def area(self) -> float:
        """Mean accuracy from no noise to the highest level: the area under accuracy against level, by trapezoids."""
        x = np.array([self.clean_level, *(level.level for level in self.levels)])
        y = np.array([self.clean, *(level.mean for level in self.levels)])
        return float(np.trapezoid(y, x) / (x[-1] - x[0]))

    @property
    def retained(self) -> float:
        """`area` as a share of the clean accuracy: what of the area is not merely a better network."""
        return self.area / self.clean if self.clean else 0.0


def noise_names(text: str, *, events: bool) -> tuple[str, ...]:
    """``"all"`` or ``"gaussian,stuck-at-0"`` as keys of `NOISES`.

    Parameters
    ----------
    events
        Whether the samples are events, which have no brightness: ``all`` then means the faults of hardware.

    Raises
    ------
    OptionError
        One of them is unknown, or does not apply to events.
    """
    if text == _ALL:
        return tuple(name for name, noise in NOISES.items() if not events or isinstance(noise, HardwareNoise))
    names = tuple(dict.fromkeys(field.strip() for field in text.split(",")))
    for name in names:
        if name not in NOISES:
            raise OptionError(f"There is no noise called '{name[:40]}'; choose {_ALL} or some of {', '.join(NOISES)}.")
        if events and isinstance(NOISES[name], PixelNoise):
            hardware = [known for known, noise in NOISES.items() if isinstance(noise, HardwareNoise)]
            raise OptionError(
                f"The noise '{name}' changes the brightness of pixels, and the samples are events; choose some of "
                f"{', '.join(hardware)}."
            )
    return names


def left_out(text: str, *, events: bool) -> str:
    """A sentence on what ``all`` leaves out of samples that are events; empty where it leaves out nothing."""
    pixels = [name for name, noise in NOISES.items() if isinstance(noise, PixelNoise)]
    if text != _ALL or not events:
        return ""
    return (
        f"--noise all leaves out {', '.join(pixels)}: they change the brightness of pixels, and the samples are events."
    )


def sweep_length(names: Sequence[str], seeds: int) -> int:
    """Runs over all samples that `sweep` makes."""
    return 1 + seeds * sum(len(NOISES[name].levels) for name in names)


def sweep(
    graph: Graph,
    samples: Samples,
    names: Sequence[str],
    *,
    time_steps: int,
    seeds: Sequence[int],
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[Immunity, ...]:
    """Accuracy at every level of some families of noise, once per seed.

    Parameters
    ----------
    progress
        Called with 1 after every run over all samples.
    """
    clean = _accuracy(Faulty(graph=graph), samples, time_steps)
    progress(1)
    found = []
    for name in names:
        noise, levels = NOISES[name], []
        for level in noise.levels:
            accuracies = []
            for seed in seeds:
                accuracies.append(noisy_accuracy(graph, samples, noise, level, time_steps=time_steps, seed=seed))
                progress(1)
            levels.append(Level(level=level, accuracies=tuple(accuracies)))
        found.append(Immunity(name=name, clean=clean, clean_level=noise.clean, levels=tuple(levels)))
    return tuple(found)


def noisy_accuracy(graph: Graph, samples: Samples, noise: Noise, level: float, *, time_steps: int, seed: int) -> float:
    """Accuracy under one level of noise; the same seed gives the same noise."""
    generator = np.random.default_rng(seed)
    match noise:
        case PixelNoise():
            images = noisy(samples.images, noise, level, generator)
            return _accuracy(Faulty(graph=graph), samples.with_images(images), time_steps)
        case HardwareNoise():
            return _accuracy(noise.apply(graph, level, generator), samples, time_steps)
        case _ as unreachable:
            assert_never(unreachable)


def noisy(images: Pixels, noise: PixelNoise, level: float, generator: np.random.Generator) -> Pixels:
    """8-bit images under noise, clipped and rounded to 8 bits again."""
    result: Pixels = np.rint(255 * noise.apply(images / 255, level, generator).clip(0, 1)).astype(np.uint8)
    return result


def _accuracy(faulty: Faulty, samples: Samples, time_steps: int) -> float:
    graph = faulty.graph

    def correct(item: tuple[slice, npt.NDArray[Any]]) -> int:
        part, inputs = item
        trace = golden.run(graph, inputs, time_steps=time_steps, membranes=False, stuck=faulty.stuck)
        return int(np.count_nonzero(trace.classes == samples.labels[part]))

    batch = golden.batch_size(graph, time_steps=time_steps, membranes=False)
    batches = encoded_batches(graph, samples, time_steps=time_steps, batch=batch)
    return sum(in_order(correct, batches)) / len(samples)
