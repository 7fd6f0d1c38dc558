"""The encoders against docs/semantics.md section 3, in Python integers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnc.sim.models import encoders


@pytest.mark.parametrize("bits", range(1, 9))
def test_every_pixel_to_bits(bits: int) -> None:
    got = encoders.to_bits(np.arange(256, dtype=np.uint8), bits=bits)
    assert got.tolist() == [(p * (2**bits - 1) + 127) // 255 for p in range(256)]
    assert got[0] == 0
    assert got[-1] == 2**bits - 1
    assert all(abs(x - Fraction(p * (2**bits - 1), 255)) <= Fraction(1, 2) for p, x in enumerate(got.tolist()))


def test_8_bit_pixels_stay_as_they_are() -> None:
    pixels = np.arange(256, dtype=np.uint8)
    assert encoders.to_bits(pixels, bits=8).tolist() == pixels.tolist()


@given(bits=st.integers(1, 8), steps=st.integers(1, 40), data=st.data())
def test_rate_spikes(bits: int, steps: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(0, 2**bits - 1), min_size=1, max_size=5))
    spikes = encoders.rate(np.array([values]), bits=bits, time_steps=steps)
    assert spikes.shape == (steps, 1, len(values))
    for address, x in enumerate(values):
        charge, expected = 0, []
        for _ in range(steps):
            charge += x
            fires = charge >= 2**bits - 1
            charge -= (2**bits - 1) * fires
            expected.append(fires)
        assert spikes[:, 0, address].tolist() == expected
        assert sum(expected) == steps * x // (2**bits - 1)


def test_rate_flattens_images() -> None:
    images = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    spikes = encoders.rate(images, bits=4, time_steps=5)
    assert spikes.shape == (5, 3, 4)
    np.testing.assert_array_equal(spikes, encoders.rate(images.reshape(3, 4), bits=4, time_steps=5))
