"""How finely an accuracy is known: against exact binomial probabilities, and where a set is too small."""

import numpy as np
import pytest
from scipy import stats

from snnc.distill.resolution import coarseness, half_width, with_half_width


@pytest.mark.parametrize("count", [61, 360, 5000])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.98])
def test_the_interval_holds_the_truth_19_times_in_20(count, share):
    """Wilson's interval is centred a little towards one half; its width is what is told."""
    right = np.arange(count + 1)
    z = stats.norm.ppf(0.975)
    centre = (right / count + z**2 / (2 * count)) / (1 + z**2 / count)
    widths = np.array([half_width(number / count, count) for number in right])
    probability = stats.binom.pmf(right, count, share)
    assert probability[abs(centre - share) <= widths].sum() == pytest.approx(0.95, abs=0.025)


@pytest.mark.parametrize(("right", "count"), [(0, 10), (55, 61), (339, 360), (360, 360)])
def test_it_is_wilsons_interval(right, count):
    interval = stats.binomtest(right, count).proportion_ci(method="wilson")
    assert half_width(right / count, count) == pytest.approx((interval.high - interval.low) / 2)


def test_all_right_is_not_known_for_certain():
    assert 0.02 < half_width(1.0, 61) < 0.04
    assert with_half_width(0.9, 360) == "90.00% ± 3.11"


def test_a_set_is_too_small_where_methods_differ_by_less():
    assert coarseness("fashion-mnist", 5000) is None
    sentence = coarseness("npz", 61)
    assert sentence is not None
    assert "npz has 61 validation images: one is 1.64 points" in sentence
    assert "x_validation" in sentence
