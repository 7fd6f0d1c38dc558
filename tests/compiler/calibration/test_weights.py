"""Steps and integers: what the samples see decides, and each rounding is as good as it should be."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.compiler.calibration.settings import CalibrationSettings, Rounding, Scales
from snnc.compiler.calibration.weights import Synapses, chosen_steps, moments, rounded
from snnc.compiler.ir import Convolution, Dense, frozen

RNG = np.random.default_rng(3)


def correlated(synapses: int, groups: int = 1) -> np.ndarray:
    """Second moments of inputs that resemble each other."""
    seen = RNG.normal(size=(groups, 400, 3)) @ RNG.normal(size=(groups, 3, synapses))
    seen += 0.3 * RNG.normal(size=seen.shape)
    return seen.transpose(0, 2, 1) @ seen / 400


def error(synapses: Synapses, step: np.ndarray, whole: np.ndarray) -> float:
    """Mean squared error of all currents."""
    left = synapses.rows - whole * np.repeat(step, len(whole) // len(step))[:, None]
    grouped = left.reshape(len(synapses.moments), -1, left.shape[1])
    return float(((grouped @ synapses.moments) * grouped).sum())


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("bits", [2, 3, 4])
def test_compensated_rounding_of_correlated_inputs_is_far_better(bits: int, groups: int) -> None:
    synapses = Synapses(rows=RNG.normal(size=(8, 40)), moments=correlated(40, groups))
    nearest = CalibrationSettings(weight_bits=bits, rounding=Rounding.NEAREST)
    step = chosen_steps([synapses], 8, nearest, per_tensor=False)
    plain = rounded(synapses, step, nearest)
    better = rounded(synapses, step, CalibrationSettings(weight_bits=bits))
    for whole in (plain, better):
        assert np.array_equal(whole, np.rint(whole))
        assert np.abs(whole).max() <= 2 ** (bits - 1) - 1
    assert error(synapses, step, better) < 0.5 * error(synapses, step, plain)


def test_without_correlation_both_roundings_are_one() -> None:
    synapses = Synapses(rows=RNG.uniform(-1, 1, size=(4, 9)), moments=np.eye(9)[None])
    step = np.full(4, 1 / 7)
    one, other = (rounded(synapses, step, CalibrationSettings(rounding=kind)) for kind in Rounding)
    assert np.array_equal(one, other)


def test_steps_by_currents_look_at_what_is_seen() -> None:
    # The large weight is never seen: by its currents the channel may clip it, by its weights it may not.
    rows = np.array([[8.0, 0.9, -0.7, 0.4, 1.0]])
    moment = np.diag([0.0, 1.0, 1.0, 1.0, 1.0])[None]
    synapses = Synapses(rows=rows, moments=moment)
    currents, weights = (
        chosen_steps([synapses], 1, CalibrationSettings(scales=scales), per_tensor=False)
        for scales in (Scales.CURRENTS, Scales.WEIGHTS)
    )
    assert currents[0] < 0.6 * weights[0]
    assert weights[0] > 0.95 * 8 / 7


def test_one_bit_and_channels_of_zeros() -> None:
    synapses = Synapses(rows=np.array([[0.5, -1.5], [0.0, 0.0]]), moments=np.eye(2)[None])
    settings = CalibrationSettings(weight_bits=1)
    step = chosen_steps([synapses], 2, settings, per_tensor=False)
    assert step.tolist() == [1.0, 1.0]
    assert rounded(synapses, step, settings).tolist() == [[1.0, -1.0], [1.0, 1.0]]
    four = CalibrationSettings()
    assert rounded(synapses, chosen_steps([synapses], 2, four, per_tensor=False), four)[1].tolist() == [0.0, 0.0]


def test_a_layer_has_one_step_for_all_its_projections() -> None:
    small = Synapses(rows=RNG.uniform(-0.1, 0.1, size=(3, 5)), moments=np.eye(5)[None])
    large = Synapses(rows=RNG.uniform(-1, 1, size=(3, 5)), moments=np.eye(5)[None])
    settings = CalibrationSettings(scales=Scales.WEIGHTS)
    both = chosen_steps([small, large], 3, settings, per_tensor=False)
    alone = chosen_steps([large], 3, settings, per_tensor=False)
    assert (both > 0.5 * alone).all()
    assert chosen_steps([small, large], 3, settings, per_tensor=True).shape == (1,)


def test_moments_are_those_of_a_sum_over_windows() -> None:
    values = RNG.integers(0, 2, size=(6, 4 * 8 * 8))
    weight = frozen(RNG.normal(size=(6, 2, 3, 3)))
    convolution = Convolution(
        source="a", target="b", weight=weight, padding=(1, 1), stride=(2, 1), groups=2, pool=2, dilation=(1, 1)
    )
    found = moments(convolution, (4, 8, 8), [values[:2], values[2:]])
    assert found.shape == (2, 18, 18)
    maps = values.reshape(6, 4, 4, 2, 4, 2).sum(axis=(3, 5)).astype(float)
    padded = np.pad(maps, ((0, 0), (0, 0), (1, 1), (1, 1)))
    expected = np.zeros((2, 18, 18))
    for group in range(2):
        rows = [
            padded[n, 2 * group : 2 * group + 2, y : y + 3, x : x + 3].ravel()
            for n in range(6)
            for y in range(0, 4, 2)
            for x in range(4)
        ]
        expected[group] = np.mean([np.outer(row, row) for row in rows], axis=0)
    assert np.allclose(found, expected)
    dense = Dense(source="a", target="b", weight=frozen(RNG.normal(size=(3, 256))))
    assert np.allclose(moments(dense, (4, 8, 8), [values])[0], values.T @ values / 6)
