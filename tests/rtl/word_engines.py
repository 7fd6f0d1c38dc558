"""A bench for engines that take all steps of a word at a time: what goes in, what must come out, and when."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Fragment
from amaranth.hdl._ast import Assign
from amaranth.sim import Simulator

from snnc.rtl.engines.image.circuit import ImageEngine
from snnc.rtl.engines.pixel_list.circuit import PixelListEngine
from snnc.sim.models.stimulus import Marker, Stimulus
from tests.rtl.image_engines import Case, oracle

__all__ = ["Receiver", "Run", "beats_for", "entering", "existing", "expected", "images_for", "run"]


@dataclass
class Run:
    """What an engine did; cycles count from the first handshake."""

    words: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Cycle, word, mask, marker."""
    sweeps: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Cycle, word, spikes, residuals."""
    taken: list[int] = field(default_factory=list)
    executed: list[int] = field(default_factory=list)


def run(
    unit: ImageEngine | PixelListEngine,
    beats: list[dict[str, int]],
    *,
    behind: int,
    gap: float = 0.0,
    service: int = 1,
    hold: float = 0.0,
    pause: int = 0,
) -> Run:
    """Send `beats`, and take spike words until as many ended a step as there are markers in them.

    A word leaves the queue behind at the earliest in the cycle after it came, `service` cycles after the one before it,
    and with probability `hold` later. A sample begins `pause` cycles after the last word of the one before.
    """
    words = sum(beat["marker"] != Marker.NONE for beat in beats)
    fragment = Fragment.get(unit, None)
    probes: dict[str, Any] = {
        name: statement.lhs
        for statement in fragment.statements["comb"]
        if isinstance(statement, Assign) and (name := getattr(statement.lhs, "name", "")).startswith("probe_")
    }
    result = Run()

    async def bench(ctx: Any) -> None:
        chance = random.Random(1)
        queue: deque[int] = deque()
        cycle, position, offered, ended, last_left, start = 0, 0, False, 0, -service, None
        quiet = due = 0
        while ended < words or quiet < 30:
            begins = not position or beats[position - 1]["marker"] == Marker.SAMPLE if position < len(beats) else False
            waits = pause and begins and (ended < due or quiet < pause)
            offered = position < len(beats) and not waits and (offered or chance.random() >= gap)
            leaves = bool(queue) and queue[0] < cycle and cycle >= last_left + service and chance.random() >= hold
            ctx.set(unit.i.valid, offered)
            if offered:
                ctx.set(unit.i.payload, beats[position])
            ctx.set(unit.left, leaves)
            if leaves:
                queue.popleft()
                last_left = cycle
            at = cycle - (start or 0)
            if offered and ctx.get(unit.i.ready):
                if start is None:
                    start, at = cycle, 0
                result.taken.append(at)
                due += beats[position]["marker"] != Marker.NONE
                position, offered = position + 1, False
            if ctx.get(probes["probe_sweep"]):
                result.sweeps.append(
                    (at, *(ctx.get(probes[f"probe_{name}"]) for name in ("word", "spikes", "membranes")))
                )
            if ctx.get(probes["probe_execute"]):
                result.executed.append(at)
            if ctx.get(unit.o.valid):
                beat = ctx.get(unit.o.payload)
                marker = beat.marker.value
                result.words.append((at, beat.word, beat.mask, marker))
                ended += marker != 0
                queue.append(cycle)
                assert len(queue) + leaves <= behind
            quiet = quiet + 1 if ended == due else 0
            await ctx.tick()
            cycle += 1
            assert cycle < 6_000, "the engine hangs"

    simulator = Simulator(fragment)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return result


def images_for(case: Case, samples: int) -> npt.NDArray[np.int64]:
    generator = np.random.default_rng(case.seed + 1)
    images = generator.integers(0, 2**case.bits, (samples, *case.source))
    images[generator.random(images.shape) < 0.4] = 0
    images[0] = 2**case.bits - 1
    if samples > 2:
        images[1] = 0
    return images


def beats_for(case: Case, stimulus: Stimulus) -> list[dict[str, int]]:
    layout = case.source_layout
    _, rows, columns = case.source
    beats = []
    for k in range(stimulus.beats):
        flat = int(stimulus.address[k])
        address = layout.address(flat // columns % rows, flat % columns, flat // (rows * columns) // case.pixels)
        beats.append(
            {
                "address": address,
                "event": int(stimulus.event[k]),
                "marker": int(stimulus.marker[k]),
                "value": int(stimulus.value[k]),
            }
        )
    return beats


def expected(
    case: Case, images: npt.NDArray[np.int64], time_steps: int
) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
    """Spike words and sweeps in order, without their cycles."""
    trace = oracle(case, images)
    layout, bits = case.layout, case.residual_bits
    order = [(y, x, g) for y in range(layout.rows) for x in range(layout.columns) for g in range(layout.groups)]
    assert [layout.address(*place) for place in order] == sorted(layout.address(*place) for place in order)
    words, sweeps = [], []
    for sample in range(len(images)):
        masks: dict[tuple[int, tuple[int, int, int]], int] = {}
        for place in order:
            y, x, g = place
            channels = slice(g * case.lanes, min((g + 1) * case.lanes, case.channels))
            for t in range(case.time_steps):
                mask = sum(int(s) << k for k, s in enumerate(trace.spikes[sample, t, channels, y, x]))
                residuals = [int(r) & (1 << bits) - 1 for r in trace.residuals[sample, t, channels, y, x]]
                masks[t, place] = mask
                sweeps.append((layout.address(*place), mask, sum(r << bits * k for k, r in enumerate(residuals))))
        for t in range(time_steps):
            for place in order:
                marker = (Marker.SAMPLE if t == time_steps - 1 else Marker.STEP) if place == order[-1] else Marker.NONE
                if masks[t, place] or marker:
                    words.append((layout.address(*place), masks[t, place], int(marker)))
    return words, sweeps


def existing(case: Case, sweeps: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int]]:
    """Without the lanes of the last group that stand for no channel."""
    layout, found = case.layout, []
    for _, word, spikes, residuals in sweeps:
        group = word & (1 << layout.group_bits) - 1
        count = min(case.lanes, case.channels - group * case.lanes)
        found.append((word, spikes & (1 << count) - 1, residuals & (1 << count * case.residual_bits) - 1))
    return found


class Receiver:
    """A queue of `depth` words that one may leave every `service` cycles: `sim.gathering.SpikeLink` for a test."""

    def __init__(self, words: npt.NDArray[np.bool_], depth: int, service: int) -> None:
        self.entering = words
        self.service = service
        self.credits = np.zeros((depth, words.shape[-1]), dtype=np.int64)
        self.left = np.full(words.shape[-1], -service, dtype=np.int64)
        self.executed: list[npt.NDArray[np.int64]] = []

    def granted(self) -> npt.NDArray[np.int64]:
        return self.credits.min(axis=0)

    def emit(self, t: int, word: int, executed: npt.NDArray[np.int64]) -> None:
        enters = self.entering[t, word]
        leaves = np.maximum(executed + 1, self.left + self.service)
        self.left = np.where(enters, leaves, self.left)
        credit = self.credits.argmin(axis=0)
        self.credits[credit, np.arange(len(executed))] = np.where(enters, leaves, executed) + 1
        self.executed.append(np.where(enters, executed, -1))

    def finish(self, t: int) -> None:
        pass


def entering(case: Case, images: npt.NDArray[np.int64], time_steps: int) -> npt.NDArray[np.bool_]:
    """Which words enter the queue, ``(time, word, sample)``."""
    layout, spikes = case.layout, oracle(case, images).spikes[:, :time_steps]
    padded = np.zeros((len(images), time_steps, layout.groups * case.lanes, layout.rows, layout.columns), np.bool_)
    padded[:, :, : case.channels] = spikes
    grouped = padded.reshape(len(images), time_steps, layout.groups, case.lanes, layout.rows, layout.columns)
    found: npt.NDArray[Any] = np.any(grouped, axis=3)
    found = found.transpose(1, 3, 4, 2, 0).reshape(time_steps, layout.words, len(images)).copy()
    found[:, -1] = True
    return found
