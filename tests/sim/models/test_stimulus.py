"""The input beats against docs/timing.md, "Beats": by hand, and read back into what they were made from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnc.compiler.ir import Encoding
from snnc.compiler.plan import InputPlan, LayoutPlan
from snnc.sim.models.stimulus import Stimulus, from_images, from_spikes, stimulus

NONE, STEP, SAMPLE = 0, 1, 2


def beats(stimulus: Stimulus) -> list[list[tuple[int, int, bool, int]]]:
    """``(address, value, event, marker)`` per sample."""
    fields = (stimulus.address, stimulus.value, stimulus.event, stimulus.marker)
    return [
        list(zip(*(field[stimulus.sample(index)].tolist() for field in fields), strict=True))
        for index in range(len(stimulus))
    ]


def port(encoding: Encoding) -> InputPlan:
    """Of two neurons."""
    layout = LayoutPlan(channels=2, rows=1, columns=1, lanes=1)
    return InputPlan(name="input", encoding=encoding, layout=layout, value_bits=4)


def test_an_image_comes_once_and_then_a_marker_per_step() -> None:
    images = np.array([[0, 5, 0, 9], [0, 0, 0, 0], [7, 0, 0, 0]])
    later = [(0, 0, False, STEP), (0, 0, False, SAMPLE)]
    assert beats(from_images(images, time_steps=3)) == [
        [(1, 5, True, NONE), (3, 9, True, STEP), *later],
        [(0, 0, False, STEP), *later],
        [(0, 7, True, STEP), *later],
    ]
    assert beats(from_images(images, time_steps=1)) == [
        [(1, 5, True, NONE), (3, 9, True, SAMPLE)],
        [(0, 0, False, SAMPLE)],
        [(0, 7, True, SAMPLE)],
    ]


def test_spikes_come_in_address_order_and_the_marker_on_the_last() -> None:
    spikes = np.array([[[1, 0, 1], [0, 0, 0]], [[0, 0, 0], [0, 1, 0]]])
    assert beats(from_spikes(spikes)) == [
        [(0, 1, True, NONE), (2, 1, True, STEP), (0, 0, False, SAMPLE)],
        [(0, 0, False, STEP), (1, 1, True, SAMPLE)],
    ]


@given(
    steps=st.integers(1, 4), batch=st.integers(0, 4), size=st.integers(1, 6), density=st.floats(0, 1),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_spikes_round_trip(steps: int, batch: int, size: int, density: float, seed: int) -> None:
    spikes = np.random.default_rng(seed).random((steps, batch, size)) < density
    made = from_spikes(spikes)
    assert len(made) == batch
    assert made.time_steps == steps
    assert made.beats == sum(max(1, int(step.sum())) for step in spikes.reshape(-1, size))
    back = np.zeros_like(spikes)
    for index, sample in enumerate(beats(made)):
        t = 0
        for address, value, event, marker in sample:
            assert value == event
            if event:
                assert not back[t, index, address]
                back[t, index, address] = True
            t += marker != NONE
        assert t == steps
        assert [marker for *_, marker in sample if marker] == [STEP] * (steps - 1) + [SAMPLE]
        assert sample[-1][3] == SAMPLE
    np.testing.assert_array_equal(back, spikes)


@given(
    steps=st.integers(1, 4), batch=st.integers(0, 4), size=st.integers(1, 6), highest=st.integers(0, 5),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_images_round_trip(steps: int, batch: int, size: int, highest: int, seed: int) -> None:
    images = np.random.default_rng(seed).integers(0, highest, size=(batch, size), endpoint=True, dtype=np.uint8)
    made = from_images(images, time_steps=steps)
    assert len(made) == batch
    back = np.zeros_like(images)
    for index, sample in enumerate(beats(made)):
        for address, value, event, _ in sample:
            if event:
                assert value > 0
                back[index, address] = value
        assert [marker for *_, marker in sample if marker] == [STEP] * (steps - 1) + [SAMPLE]
        assert sample[-1][3] == SAMPLE
        assert not any(event for _, _, event, _ in sample[len(sample) - steps + 1 :])
    np.testing.assert_array_equal(back, images)


def test_by_encoding() -> None:
    images = np.array([[0, 3], [1, 2]])
    spikes = np.array([[[0, 1]], [[1, 1]]])
    assert beats(stimulus(port(Encoding.DIRECT), images, time_steps=2)) == beats(from_images(images, time_steps=2))
    for encoding in (Encoding.RATE, Encoding.EVENTS):
        assert beats(stimulus(port(encoding), spikes, time_steps=2)) == beats(from_spikes(spikes))
        with pytest.raises(ValueError, match="first dimension, 2, not 3"):
            stimulus(port(encoding), spikes, time_steps=3)


def test_a_beat_brings_the_pixels_of_a_word() -> None:
    """Side by side, at the neuron of the lowest channel; a word of zeros is not sent."""
    layout = LayoutPlan(channels=4, rows=1, columns=2, lanes=2)
    words = InputPlan(name="input", encoding=Encoding.DIRECT, layout=layout, value_bits=4)
    images = np.array([[[[1, 2]], [[3, 0]], [[0, 0]], [[0, 7]]]])  # channels of 1 x 2
    assert beats(stimulus(words, images, time_steps=2)) == [
        [(0, 1 | 3 << 4, True, NONE), (1, 2, True, NONE), (5, 7 << 4, True, STEP), (0, 0, False, SAMPLE)]
    ]
    assert beats(stimulus(words, images.reshape(1, 8), time_steps=2)) == beats(stimulus(words, images, time_steps=2))


def test_images_are_flattened() -> None:
    images = np.arange(8).reshape(2, 2, 2)
    assert beats(from_images(images, time_steps=2)) == beats(from_images(images.reshape(2, 4), time_steps=2))
