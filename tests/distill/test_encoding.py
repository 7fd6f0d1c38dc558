"""Encoders against the contract, section 3."""

import numpy as np
import pytest
import torch

from snnc.compiler.ir.neurons import Encoding
from snnc.distill import data
from snnc.distill.encoding import bernoulli_events, channels_last, encode, quantise_pixels, rate_code

EVERY_PIXEL = np.arange(256, dtype=np.uint8)


def test_pixels_are_scaled_as_the_contract_says():
    for bits in range(1, 9):
        expected = [(p * (2**bits - 1) + 127) // 255 for p in range(256)]
        assert quantise_pixels(torch.from_numpy(EVERY_PIXEL), bits).tolist() == expected
    assert data.scale_to_8_bits(np.arange(17), 16).tolist() == [(v * 255 + 8) // 16 for v in range(17)]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_convolution_goes_on_in_the_fast_format(channels):
    maps = torch.rand(2, channels, 8, 8)
    moved = channels_last(maps)
    assert torch.equal(moved, maps)
    after = torch.nn.functional.conv2d(moved, torch.rand(4, channels, 3, 3))
    assert after.stride()[1] == 1


def test_direct_is_the_same_at_every_step_and_given_once():
    images = torch.from_numpy(EVERY_PIXEL.reshape(1, 1, 16, 16))
    x = encode(images, Encoding.DIRECT, bits=4, time_steps=7)
    assert x.shape == images.shape
    assert x[0].flatten().tolist() == quantise_pixels(torch.from_numpy(EVERY_PIXEL), 4).tolist()


def test_rate_code_is_the_encoder_neuron():
    for bits in (1, 2, 4):
        full = 2**bits - 1
        for x in range(full + 1):
            level, expected = 0, []
            for _ in range(2 * full):
                level += x
                expected.append(int(level >= full))
                level -= full * expected[-1]
            spikes = rate_code(torch.tensor([[x]]), bits=bits, time_steps=2 * full)
            assert spikes[:, 0, 0].tolist() == expected
            assert sum(expected) == 2 * x


def test_events_follow_the_seed_and_the_pixels():
    pixels = torch.tensor([[0, 128, 255]], dtype=torch.uint8).expand(2000, 3)
    once, again = (bernoulli_events(pixels, time_steps=3, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(once, again)
    rates = once.mean(dim=(0, 1))
    assert rates[0] == 0
    assert rates[2] == 1
    assert abs(float(rates[1]) - 128 / 255) < 0.03  # 6000 draws: more than four standard deviations
