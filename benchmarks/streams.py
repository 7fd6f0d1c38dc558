"""A decision every half second, on the whole recordings of people that a network has never heard: docs/sensors.md.

    snnc distill --dataset watch --architecture 12-32R-7 --leak-shift 4 --epochs 20 -o watch.pt
    SNNC_DATA=... .venv/bin/python benchmarks/streams.py watch.pt

Runs the golden model of streams, which `snnc verify --recording` holds the Verilog against.
"""

from __future__ import annotations

import functools
import operator
import sys

import numpy as np

import snnc
from snnc.distill.data.watch import watch_recordings
from snnc.sim.evaluation.decisions import judge, windowed

EVERY = 25
"""Steps between two answers, of 50 a second."""
WINDOWS = (1, 2, 5, 10, 20)
"""Answers that a decision sums up."""


def answers(network: snnc.Network, events: np.ndarray) -> np.ndarray:
    """The logits of an answer every `EVERY` steps, from the start of the recording."""
    heard, found = network.stream(), []
    for start in range(0, len(events) - EVERY + 1, EVERY):
        heard.feed(events[start : start + EVERY])
        found.append(heard.answer())
    return np.array(found)


def main(student: str) -> None:
    network = snnc.load(student)
    recordings = watch_recordings()
    logits = [answers(network, recording.events) for recording in recordings]
    print(f"{network.name}: {len(recordings)} recordings, {sum(map(len, logits)):,} decisions")
    print("| a decision over the last | right | time to the first right one, median | recordings without one |")
    print("| --- | --- | --- | --- |")
    for window in WINDOWS:
        judged = functools.reduce(
            operator.add,
            (
                judge(windowed(each, window), EVERY * np.arange(1, len(each) + 1), np.full(len(one.events), one.label))
                for each, one in zip(logits, recordings, strict=True)
            ),
        )
        print(
            f"| {window * EVERY / 50:g} s | {judged.accuracy:.1%} | {judged.delay / 50:g} s | {judged.missed} of "
            f"{len(recordings)} |"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
