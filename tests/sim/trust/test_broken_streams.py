"""What `docs/core.md` says of a stream that breaks its rules, and that the core is right again after the sample.

A few dozen broken samples, each followed by a good one whose results must be the golden model's, with gaps and stalls.
Of a broken sample's results only their number, order and indices are known.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from snnc.compiler.build.folder import Build
from snnc.compiler.commands.verify import random_inputs
from snnc.compiler.design import Engines
from snnc.compiler.ir import Encoding
from snnc.rtl.engines.image.plan import ImageKind
from snnc.sim.cosimulation.ports import input_widths, offsets, pack_results, result_widths
from snnc.sim.models import golden
from snnc.sim.trust.protocol import vectors, verify_vectors
from tests.networks import Conv, Full, build_graph, spatial_chain

SEEDS = 3
"""Of each abuse."""

NONE, STEP, SAMPLE, RESERVED = range(4)

NETWORKS: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "events into a convolution": (
        {"shape": (2, 6, 7), "layers": [Conv(channels=6), Conv(channels=5, stride=(2, 2)), Full(shape=(5, 1, 1))]},
        (4, 5, 5),
    ),
    "pixels into an image engine": (
        {
            "shape": (2, 6, 7),
            "layers": [Conv(channels=6, stride=(1, 2)), Conv(channels=5, stride=(2, 2)), Full(shape=(5, 1, 1))],
            "encoding": Encoding.DIRECT,
        },
        (4, 5, 5),
    ),
    "pixels into a dense layer": (
        {"shape": (1, 5, 5), "layers": [Full(shape=(12, 1, 1)), Full(shape=(5, 1, 1))], "encoding": Encoding.DIRECT},
        (4, 5),
    ),
    "pixels into a list": (
        {"shape": (1, 5, 5), "layers": [Full(shape=(12, 1, 1)), Full(shape=(5, 1, 1))], "encoding": Encoding.DIRECT},
        (4, 5),
    ),
}


@dataclasses.dataclass(slots=True)
class Beat:
    """An input beat's fields; `address` is the port's."""

    address: int
    event: int
    marker: int
    value: int = 0


Abuse = Callable[[list[Beat], Build, np.random.Generator], list[Beat]]


def _reserved_marker(beats: list[Beat], build: Build, generator: np.random.Generator) -> list[Beat]:
    marked = [dataclasses.replace(beat, marker=RESERVED) if generator.random() < 0.3 else beat for beat in beats]
    return marked if marked[-1].marker == SAMPLE else [*marked, Beat(address=0, event=0, marker=SAMPLE)]


def _no_neuron(beats: list[Beat], build: Build, generator: np.random.Generator) -> list[Beat]:
    widths, layout = input_widths(build.plan), build.plan.input.layout
    column_at = layout.group_bits
    row_at = column_at + (layout.columns - 1).bit_length()
    neurons = {
        row << row_at | column << column_at | channel
        for row in range(layout.rows)
        for column in range(layout.columns)
        for channel in range(layout.groups)
    }
    outside = sorted(set(range(1 << widths["address"])) - neurons)
    assert outside
    return [
        dataclasses.replace(beat, address=int(generator.choice(outside))) if generator.random() < 0.5 else beat
        for beat in beats
    ]


def _doubled_events(beats: list[Beat], build: Build, generator: np.random.Generator) -> list[Beat]:
    return [
        each
        for beat in beats
        for each in ([dataclasses.replace(beat, marker=NONE)] * int(generator.integers(0, 3)) + [beat])
    ]


def _steps_without_a_marker(beats: list[Beat], build: Build, generator: np.random.Generator) -> list[Beat]:
    return [
        dataclasses.replace(beat, marker=NONE) if beat.marker == STEP and generator.random() < 0.7 else beat
        for beat in beats
    ]


def _cut_off(beats: list[Beat], build: Build, generator: np.random.Generator) -> list[Beat]:
    """The source stopped in the middle, and what ends the sample comes by itself."""
    return [*beats[: generator.integers(len(beats))], Beat(address=0, event=0, marker=SAMPLE)]


def _too_many_steps(beats: list[Beat], build: Build, generator: np.random.Generator) -> list[Beat]:
    more = [dataclasses.replace(beat, marker=max(beat.marker, STEP) if k % 3 else STEP) for k, beat in enumerate(beats)]
    more = [beat for beat in more if beat.marker != SAMPLE]
    return [*more * int(generator.integers(1, 4)), *beats]


def _events_in_every_step(beats: list[Beat], build: Build, generator: np.random.Generator) -> list[Beat]:
    return [
        dataclasses.replace(beat, event=1, value=int(generator.integers(0, 1 << build.plan.input.value_bits)))
        if "value" in input_widths(build.plan)
        else dataclasses.replace(beat, event=1)
        for beat in beats
    ]


def _noise(beats: list[Beat], build: Build, generator: np.random.Generator) -> list[Beat]:
    widths = input_widths(build.plan)
    found = [
        Beat(**{name: int(generator.integers(1 << width)) for name, width in widths.items()})
        for _ in range(generator.integers(1, 60))
    ]
    found = [beat for beat in found if beat.marker != SAMPLE]
    return [*found, Beat(address=0, event=0, marker=SAMPLE)]


ABUSES: tuple[Abuse, ...] = (
    _reserved_marker,
    _no_neuron,
    _doubled_events,
    _steps_without_a_marker,
    _cut_off,
    _too_many_steps,
    _events_in_every_step,
    _noise,
)


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Build]:
    folder = tmp_path_factory.mktemp("builds")
    return {
        name: build_graph(
            spatial_chain(**settings, seed=13),
            folder / str(number),
            lanes=lanes,
            engines=Engines.GATHER if name == "pixels into a list" else Engines.SCATTER,
        )
        for number, (name, (settings, lanes)) in enumerate(NETWORKS.items())
    }


def _unpack(build: Build, payloads: list[int]) -> list[Beat]:
    widths = input_widths(build.plan)
    at = offsets(widths)
    return [
        Beat(**{name: payload >> at[name] & (1 << width) - 1 for name, width in widths.items()}) for payload in payloads
    ]


def _pack(build: Build, beats: list[Beat]) -> list[int]:
    at = offsets(input_widths(build.plan))
    return [sum(getattr(beat, name) << low for name, low in at.items()) for beat in beats]


def _good_samples(build: Build, count: int, *, density: float = 0.3) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Inputs, and what `vectors` says of each sample."""
    time_steps, encoding = build.plan.time_steps, build.plan.input.encoding
    inputs = random_inputs(build.plan, count, time_steps=time_steps, density=density, seed=3)
    return inputs, [
        vectors(build, golden.take(encoding, inputs, slice(k, k + 1)), time_steps=time_steps) for k in range(count)
    ]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_sample_after_a_broken_one_is_right(builds: dict[str, Build], name: str) -> None:
    build = builds[name]
    count = len(ABUSES) * SEEDS
    _, good = _good_samples(build, count)
    # A sample that always gives the same would not show what is left of the one before.
    assert len({tuple(each["results"]) for each in good}) > count // 2
    at = offsets(result_widths(build.plan))
    of_shape = (1 << at["best"]) - (1 << at["index"]) | 1 << at["last"]
    beats, expected, masks = [], [], []
    for k, each in enumerate(good):
        abuse = ABUSES[k % len(ABUSES)]
        abused = abuse(_unpack(build, good[k - 1]["beats"]), build, np.random.default_rng(k))
        assert [beat.marker for beat in abused].index(SAMPLE) == len(abused) - 1
        beats += [*_pack(build, abused), *each["beats"]]
        expected += each["results"] * 2
        masks += [of_shape] * len(each["results"]) + [-1] * len(each["results"])
    # A broken sample may be several times as long as a good one.
    patience = 10 * max(each["patience"] for each in good)
    verify_vectors(build, {"beats": beats, "results": expected, "masks": masks, "patience": patience})


@pytest.mark.parametrize("name", NETWORKS)
def test_what_the_page_says_of_markers_and_doubled_events(builds: dict[str, Build], name: str) -> None:
    """Marker 3 ends a step. A spike that comes twice counts twice; of a pixel's values the last one counts where an
    image is gathered, and elsewhere their sum."""
    build = builds[name]
    inputs, good = _good_samples(build, 3, density=0.2)
    graph, time_steps = build.load_graph(), build.plan.time_steps
    beats, expected = [], []
    for each in good:
        marked = [
            dataclasses.replace(beat, marker=RESERVED) if beat.marker == STEP else beat
            for beat in _unpack(build, each["beats"])
        ]
        beats += _pack(build, marked)
        expected += each["results"]
    for each in good:
        beats += _pack(
            build,
            [
                other
                for beat in _unpack(build, each["beats"])
                for other in ([dataclasses.replace(beat, marker=NONE)] * beat.event + [beat])
            ],
        )
    if isinstance(build.plan.engines[0].kind, ImageKind):
        expected += [result for each in good for result in each["results"]]
    else:
        first, *others = graph.projections
        twice = dataclasses.replace(graph, projections=(dataclasses.replace(first, shift=first.shift + 1), *others))
        doubled = golden.run(twice, inputs, time_steps=time_steps).logits
        assert not np.array_equal(doubled, golden.run(graph, inputs, time_steps=time_steps).logits)
        expected += pack_results(build.plan, doubled)
    verify_vectors(build, {"beats": beats, "results": expected, "patience": 4 * good[0]["patience"]})


def test_steps_without_a_marker_are_one(builds: dict[str, Build]) -> None:
    build = builds["events into a convolution"]
    time_steps = build.plan.time_steps
    inputs = random_inputs(build.plan, 6, time_steps=time_steps, density=0.3, seed=5)
    inputs[1] &= ~inputs[0]  # a neuron that spikes in both would count twice
    merged = np.concatenate([inputs[:1] | inputs[1:2], inputs[2:]])
    beats: list[int] = []
    for k in range(6):
        sample = _unpack(build, vectors(build, inputs[:, k : k + 1], time_steps=time_steps)["beats"])
        first = next(beat for beat in sample if beat.marker == STEP)
        first.marker = NONE
        beats += _pack(build, sample)
    content = vectors(build, merged, time_steps=time_steps - 1)
    verify_vectors(build, {**content, "beats": beats})
