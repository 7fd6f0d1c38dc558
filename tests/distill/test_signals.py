"""Distortions of signals: nothing at zero, seeded, what they say they are, and coded anew."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from snnc.compiler.errors import OptionError
from snnc.distill.augment import Augmentation
from snnc.distill.batches import Copies, Purpose
from snnc.distill.data.dataset import Origin, Split
from snnc.distill.signals import distort

RANDOM = np.random.default_rng(0)
WINDOWS = torch.from_numpy(RANDOM.integers(-3000, 3000, (20, 60, 6)).astype(np.int16))
ALL = Augmentation(gain=0.2, turn=20, tempo=0.1, onset=5)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_no_distortion_is_none() -> None:
    assert torch.equal(distort(WINDOWS, Augmentation(), seeded()), WINDOWS)


def test_a_seed_gives_a_copy() -> None:
    before = WINDOWS.clone()
    once = distort(WINDOWS, ALL, seeded(1))
    assert torch.equal(once, distort(WINDOWS, ALL, seeded(1)))
    assert not torch.equal(once, distort(WINDOWS, ALL, seeded(2)))
    assert torch.equal(WINDOWS, before)
    assert (once.dtype, once.shape) == (torch.int16, WINDOWS.shape)


def test_a_turn_keeps_lengths_and_angles_of_every_sensor() -> None:
    turned = distort(WINDOWS, Augmentation(turn=90), seeded()).double().unflatten(2, (2, 3))
    given = WINDOWS.double().unflatten(2, (2, 3))
    assert not torch.equal(turned, given)
    torch.testing.assert_close(turned.norm(dim=-1), given.norm(dim=-1), atol=1.0, rtol=0)
    # Both sensors are turned alike: the product of one with the other stays, but for rounding.
    torch.testing.assert_close((turned[:, :, 0] * turned[:, :, 1]).sum(-1), (given[:, :, 0] * given[:, :, 1]).sum(-1),
                               atol=9000.0, rtol=0)  # fmt: skip


def test_a_gain_is_one_factor_a_window() -> None:
    factors = distort(WINDOWS, Augmentation(gain=0.3), seeded()).double() / WINDOWS.double()
    large = WINDOWS.abs() > 1000
    for window, counts in zip(factors, large, strict=True):
        assert window[counts].max() - window[counts].min() < 0.002
    middle = factors[large]
    assert 0.69 < middle.min() < 0.8
    assert 1.2 < middle.max() < 1.31


def test_tempo_and_onset_move_time() -> None:
    ramp = (torch.arange(60) * 100).to(torch.int16)[None, :, None].expand(300, 60, 3)
    moved = distort(ramp, Augmentation(onset=4), seeded()).double() / 100 - torch.arange(60)[:, None]
    inside = moved[:, 10:50, 0]
    assert (inside.amax(1) - inside.amin(1)).max() < 0.03
    assert -4.01 < inside.min() < -3.5
    assert 3.5 < inside.max() < 4.01
    faster = distort(ramp, Augmentation(tempo=0.2), seeded()).double() / 100
    speed = (faster[:, 40, 0] - faster[:, 20, 0]) / 20
    assert 0.79 < speed.min() < 0.85
    assert 1.15 < speed.max() < 1.21
    torch.testing.assert_close(faster[:, 29:31, 0].mean(dim=1), torch.full((300,), 29.5).double(), atol=0.02, rtol=0)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Augmentation)])
def test_signals_have_nothing_that_is_an_images(name: str) -> None:
    if name in ("gain", "turn", "tempo", "onset"):
        assert not torch.equal(distort(WINDOWS, Augmentation(**{name: 1}), seeded()), WINDOWS)
        return
    with pytest.raises(OptionError, match="distorted by gain, turn, tempo and onset alone"):
        distort(WINDOWS, Augmentation(**{name: 1}), seeded())


def test_a_turn_needs_triples_of_axes() -> None:
    with pytest.raises(OptionError, match="triples of axes, and these are 4"):
        distort(WINDOWS[..., :4], Augmentation(turn=1), seeded())


def test_a_distorted_copy_of_events_is_made_of_its_origin() -> None:
    def code(values: np.ndarray, seed: int) -> np.ndarray:
        return (values > 0).astype(np.uint8)[..., None, None]

    values = WINDOWS.numpy()
    split = Split(images=code(values, 0), labels=np.arange(20) % 2, origin=Origin(values=values, code=code))
    copies = Copies(split, ALL, count=3, seed=0, purpose=Purpose.STUDENT_IMAGES)
    own = copies.images(0)
    assert isinstance(own, torch.Tensor)
    assert torch.equal(own, torch.from_numpy(split.images))
    one, two = copies.images(1), copies.images(2)
    assert isinstance(one, torch.Tensor)
    assert isinstance(two, torch.Tensor)
    assert one.shape == own.shape
    assert not torch.equal(one, own)
    assert not torch.equal(one, two)
    # Without an origin, events cannot be given what only a signal has.
    alone = Copies(dataclasses.replace(split, origin=None), ALL, count=3, seed=0, purpose=Purpose.STUDENT_IMAGES)
    with pytest.raises(OptionError, match="these samples are none"):
        alone.images(1)
