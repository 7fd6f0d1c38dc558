"""The statistics of a comparison against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from snnc.distill.compare.gains import Verdict, paired_gain, verdict


@pytest.mark.parametrize("count", [2, 3, 5, 21, 22, 60])
def test_the_interval_is_that_of_a_paired_t_test(count):
    random = np.random.default_rng(count)
    first, second = random.normal(0.9, 0.01, (2, count))
    gain = paired_gain(dict(enumerate(first)), dict(enumerate(second)))
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert gain is not None
    assert gain.count == count
    assert (gain.low, gain.high) == pytest.approx(tuple(expected), rel=1e-5)
    assert (gain.mean, gain.deviation) == pytest.approx(((first - second).mean(), (first - second).std(ddof=1)))


def test_an_interval_worked_out_by_hand():
    """Differences 1, 2, 3: mean 2, deviation 1, and 4.3027 is Student's t at 0.975 for 2 degrees of freedom."""
    gain = paired_gain({0: 1.0, 1: 2.0, 2: 3.0}, {0: 0.0, 1: 0.0, 2: 0.0})
    assert gain is not None
    assert (gain.low, gain.high) == pytest.approx((2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), abs=1e-4)


def test_only_seeds_that_both_have_are_pairs():
    gain = paired_gain({0: 0.9, 1: 0.8, 2: 0.7, 5: 0.0}, {0: 0.8, 2: 0.5, 4: 0.9})
    assert gain is not None
    assert gain.count == 2
    assert gain.mean == pytest.approx(0.15)
    assert paired_gain({0: 0.9, 1: 0.8}, {1: 0.8, 2: 0.7}) is None


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ((0.01, 0.012, 0.011), Verdict.HELPED),
        ((-0.01, -0.012, -0.011), Verdict.HINDERED),
        ((0.01, -0.01, 0.02), Verdict.UNCLEAR),
        ((0.0, 0.0, 0.0), Verdict.UNCLEAR),
        ((0.5,), Verdict.UNKNOWN),
    ],
)
def test_the_verdict_is_where_the_interval_lies(differences, expected):
    gain = paired_gain(dict(enumerate(differences)), dict.fromkeys(range(len(differences)), 0.0))
    assert verdict(gain) is expected
