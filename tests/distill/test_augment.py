"""Distortions: nothing at zero, seeded, and where they say they are."""

import torch

from snnc.distill.augment import Augmentation, augment

IMAGES = torch.randint(0, 256, (3, 1, 12, 10), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
EVERYTHING = Augmentation(shift=1, rotation=10, scale=0.1, shear=0.1, elastic=0.5)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_no_distortion_is_none():
    assert torch.equal(augment(IMAGES, Augmentation(), seeded()), IMAGES)


def test_a_seed_gives_a_copy():
    once = augment(IMAGES, EVERYTHING, seeded(1))
    assert torch.equal(once, augment(IMAGES, EVERYTHING, seeded(1)))
    assert not torch.equal(once, augment(IMAGES, EVERYTHING, seeded(2)))
    assert once.dtype == torch.uint8
    assert once.shape == IMAGES.shape


def test_shifts_stay_within_their_limit():
    dot = torch.zeros(500, 1, 15, 15, dtype=torch.uint8)
    dot[:, :, 7, 7] = 255
    rows, columns = augment(dot, Augmentation(shift=2), seeded())[:, 0].nonzero()[:, 1:].unbind(1)
    for position in (rows, columns):
        assert position.min() == 5  # the farthest pixels are reached, and none beyond
        assert position.max() == 9


def test_elastic_fields_have_the_stated_size():
    ramp = torch.arange(40).mul(6).expand(200, 1, 40, 40).to(torch.uint8)  # 6 grey levels a pixel, along x
    moved = augment(ramp, Augmentation(elastic=1.0), seeded())
    inside = (moved.float() - ramp.float())[:, 0, 5:-5, 5:-5] / 6
    assert abs(float(inside.square().mean().sqrt()) - 1) < 0.15
