"""Samples on a board that speaks MLPerf Tiny's commands: their tensors, and logits out of what it answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from snnc.compiler.build.folder import Build
from snnc.compiler.errors import OptionError
from snnc.compiler.ir import Encoding
from snnc.compiler.link.mlperf import Runner
from snnc.compiler.plan import Plan

__all__ = ["Timed", "logits_of", "tensors", "timed_answers"]

_PIXEL_BITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A board's answer to one sample; ``microseconds`` of an inference, over several."""

    index: int
    logits: tuple[int, ...]
    microseconds: float


def tensors(plan: Plan, inputs: npt.NDArray[Any]) -> list[bytes]:
    """Samples, in the shape of the golden model, as they are sent (``docs/mlperf.md``, "Samples").

    Raises
    ------
    OptionError
        Pixels have more bits than a byte.
    """
    layout = plan.input.layout
    shape = (layout.channels, layout.rows, layout.columns)
    if plan.input.encoding is not Encoding.DIRECT:
        spikes = np.moveaxis(inputs.reshape(*inputs.shape[:2], *shape), (0, 2), (1, 4))
        flat = spikes.reshape(*spikes.shape[:2], -1).astype(np.uint8)
        return [np.packbits(sample, axis=1, bitorder="little").tobytes() for sample in flat]
    if plan.input.value_bits > _PIXEL_BITS:
        raise OptionError(f"The network's pixels have {plan.input.value_bits} bits: MLPerf Tiny's samples are bytes.")
    pixels = np.moveaxis(inputs.reshape(len(inputs), *shape), 1, 3)
    return [sample.astype(np.uint8).tobytes() for sample in pixels]


def logits_of(plan: Plan, results: tuple[str, ...]) -> tuple[int, ...]:
    """The logits that a board's results stand for: shares of their range, cut off behind enough digits."""
    size = 1 << plan.readout.residual_bits
    found = []
    for text in results:
        digits = text.partition(".")[2]
        found.append(ceil(int(digits) * size / 10 ** len(digits)) - size // 2)
    return tuple(found)


def timed_answers(runner: Runner, build: Build, inputs: npt.NDArray[Any], *, repeat: int = 1) -> Iterator[Timed]:
    """Send samples, in the shape of the golden model, one after the other; each is computed `repeat` times."""
    for sample in tensors(build.plan, inputs):
        runner.load(sample)
        found = runner.infer(repeat, 0)
        logits = logits_of(build.plan, found.results)
        shares = [float(text) for text in found.results]
        yield Timed(
            index=shares.index(max(shares)),  # as the published runner finds it
            logits=logits,
            microseconds=found.microseconds / repeat,
        )
