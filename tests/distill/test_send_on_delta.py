"""The encoder against its contract, written sample by sample, and in pieces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnc.compiler.errors import DataError
from snnc.distill.data.send_on_delta import SendOnDelta, thresholds_of


def one_channel(samples, threshold):
    told, events = samples[0], [(0, 0)]
    for sample in samples[1:]:
        up, down = sample - told >= threshold, sample - told <= -threshold
        told = sample if up or down else told
        events.append((int(up), int(down)))
    return events


@given(
    samples=st.lists(st.tuples(*[st.integers(-(2**15), 2**15 - 1)] * 2), min_size=1, max_size=40),
    thresholds=st.tuples(st.integers(1, 2**16), st.integers(1, 200)),
    cut=st.integers(0, 40),
)
def test_events_follow_the_contract_in_one_piece_or_two(samples, thresholds, cut):
    signal = np.array(samples, np.int16)
    encoder = SendOnDelta(thresholds=thresholds)
    events, after = encoder.encode(signal)
    expected = [one_channel([sample[channel] for sample in samples], thresholds[channel]) for channel in range(2)]
    assert events.tolist() == [[*first, *second] for first, second in zip(*expected, strict=True)]
    first, between = encoder.encode(signal[:cut])
    second, last = between.encode(signal[cut:])
    np.testing.assert_array_equal(np.concatenate([first, second]), events)
    assert last == after


def test_the_ends_of_a_wide_sample_do_not_wrap():
    signal = np.array([[-(2**31)], [2**31 - 1], [-(2**31)]], np.int32)
    events, _ = SendOnDelta(thresholds=(2**32 - 1,)).encode(signal)
    assert events.tolist() == [[0, 0], [1, 0], [0, 1]]


def test_thresholds_are_shares_of_the_deviation():
    signal = np.array([[0, 5], [100, 5], [0, 5], [100, 5]], np.int16)
    assert thresholds_of(signal, 0.25) == (12, 1)  # of 50 and 0; 12.5 rounds to even


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((5, 3), np.int16), r"shape \(5, 3\) were given to 2"),
        (np.zeros((5, 2)), "float64"),
        (np.zeros((5, 2), np.uint16), "uint16"),
        (np.zeros((5, 2), np.int64), "at most 32 bits"),
    ],
)
def test_samples_that_are_none_are_refused(samples, message):
    with pytest.raises(DataError, match=message):
        SendOnDelta(thresholds=(1, 1)).encode(samples)


def test_a_threshold_of_nothing_is_refused():
    with pytest.raises(DataError, match="channel 1 is 0"):
        SendOnDelta(thresholds=(3, 0))
