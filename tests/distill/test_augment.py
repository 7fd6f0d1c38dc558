"""Distortions: nothing at zero, seeded, and where they say they are."""

import dataclasses
import hashlib

import pytest
import torch

from snnc.compiler.errors import OptionError
from snnc.distill.augment import Augmentation, augment

IMAGES = torch.randint(0, 256, (3, 1, 12, 10), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
SMOOTH = Augmentation(shift=1, rotation=10, scale=0.1, shear=0.1, elastic=0.5)
WHOLE_PIXELS = Augmentation(
    crop=2, flip=0.5, contrast=0.3, brightness=0.1, cutout=3, time_shift=2, time_mask=2, band_mask=2
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_no_distortion_is_none():
    assert torch.equal(augment(IMAGES, Augmentation(), seeded()), IMAGES)


@pytest.mark.parametrize("amount", [SMOOTH, WHOLE_PIXELS])
def test_a_seed_gives_a_copy(amount):
    before = IMAGES.clone()
    once = augment(IMAGES, amount, seeded(1))
    assert torch.equal(once, augment(IMAGES, amount, seeded(1)))
    assert not torch.equal(once, augment(IMAGES, amount, seeded(2)))
    assert torch.equal(IMAGES, before)
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


OF_SIGNALS = ("gain", "turn", "tempo", "onset")


@pytest.mark.parametrize("name", OF_SIGNALS)
def test_images_have_nothing_that_is_a_signals(name):
    with pytest.raises(OptionError, match="distort signals, and these samples are none"):
        augment(IMAGES, Augmentation(**{name: 1}), seeded())


@pytest.mark.parametrize(
    "name", [field.name for field in dataclasses.fields(Augmentation) if field.name not in OF_SIGNALS]
)
def test_every_amount_changes_something(name):
    copies = IMAGES.repeat(10, 1, 1, 1)
    assert not torch.equal(augment(copies, Augmentation(**{name: 1}), seeded()), copies)


def test_recorded_distortions_stay_what_they_were():
    """A checkpoint's seed and amounts are worth something only as long as they give the same images."""
    digest = hashlib.sha256(augment(IMAGES, SMOOTH, seeded(5)).numpy().tobytes()).hexdigest()
    assert digest[:16] == "82107c0f0bb2865e"


def windows(image, margin_rows, margin_columns):
    """All translations of one image ``[C, H, W]``."""
    height, width = image.shape[1:]
    framed = torch.nn.functional.pad(image, (margin_columns, margin_columns, margin_rows, margin_rows))
    return {
        framed[:, row : row + height, column : column + width].numpy().tobytes()
        for row in range(2 * margin_rows + 1)
        for column in range(2 * margin_columns + 1)
    }


@pytest.mark.parametrize(
    ("amount", "rows", "columns"),
    [
        (Augmentation(crop=2), 2, 2),
        (Augmentation(time_shift=3), 3, 0),
        (Augmentation(crop=1, time_shift=1), 2, 1),
    ],
)
def test_translations_are_the_windows_of_a_framed_image(amount, rows, columns):
    colours = torch.randint(1, 256, (1, 3, 6, 5), generator=seeded(), dtype=torch.uint8)
    moved = augment(colours.expand(600, -1, -1, -1), amount, seeded())
    assert {image.numpy().tobytes() for image in moved} == windows(colours[0], rows, columns)  # all of them, no other


def test_flips_swap_left_and_right_as_often_as_told():
    images = IMAGES[:1].expand(2000, -1, -1, -1)
    flipped = (augment(images, Augmentation(flip=0.3), seeded()) == images.flip(3)).flatten(1).all(dim=1)
    assert torch.equal(augment(images, Augmentation(flip=1), seeded()), images.flip(3))
    assert abs(float(flipped.float().mean()) - 0.3) < 0.03


def test_contrast_keeps_the_mean_and_brightness_moves_it():
    images = torch.randint(90, 160, (500, 3, 8, 8), generator=seeded(), dtype=torch.uint8)
    spread = images.float().std(dim=(1, 2, 3))

    sharper = augment(images, Augmentation(contrast=0.4), seeded()).float()
    torch.testing.assert_close(sharper.mean(dim=(1, 2, 3)), images.float().mean(dim=(1, 2, 3)), atol=0.2, rtol=0)
    ratio = sharper.std(dim=(1, 2, 3)) / spread
    assert 0.59 < ratio.min() < 0.63
    assert 1.37 < ratio.max() < 1.41

    lighter = augment(images, Augmentation(brightness=0.2), seeded()).int() - images
    offsets = lighter.flatten(1)
    assert (offsets == offsets[:, :1]).all()
    assert offsets.min() == -51  # a fifth of 255
    assert offsets.max() == 51


def test_light_stays_within_8_bits():
    bright = augment(IMAGES, Augmentation(brightness=1, contrast=1), seeded())
    assert bright.float().std() < 200  # clamped; wrapped around, black would become white


def cleared(size, amount, channels=2, count=3000):
    """Which pixels of white images are black: ``[n, H, W]``, the same in every channel."""
    marked = augment(torch.full((count, channels, *size), 255, dtype=torch.uint8), amount, seeded()) == 0
    assert (marked == marked[:, :1]).all()
    return marked[:, 0]


def test_cutout_clears_one_square():
    holes = cleared((9, 7), Augmentation(cutout=3))
    heights, widths = holes.any(dim=2).sum(dim=1), holes.any(dim=1).sum(dim=1)
    assert torch.equal(holes.sum(dim=(1, 2)), heights * widths)
    assert set(heights.tolist()) == set(widths.tolist()) == {2, 3}  # partly outside at the edges
    assert holes.any(dim=0).all()  # every pixel's turn comes


@pytest.mark.parametrize(("field", "axis", "size"), [("time_mask", 0, 12), ("band_mask", 1, 10)])
def test_masks_clear_neighbouring_frames_or_bands(field, axis, size):
    holes = cleared((12, 10), Augmentation(**{field: 4}))
    lines = holes.any(dim=2 - axis)  # frames, or bands, with a cleared pixel
    assert torch.equal(holes.sum(dim=(1, 2)), lines.sum(dim=1) * (120 // size))  # whole ones
    edges = (lines.int().diff(dim=1, prepend=torch.zeros(len(lines), 1)) == 1).sum(dim=1)
    assert edges.max() == 1
    assert set(lines.sum(dim=1).tolist()) == {0, 1, 2, 3, 4}
    assert lines.any(dim=0).all()


def test_a_mask_longer_than_the_map_is_no_error():
    assert cleared((4, 5), Augmentation(time_mask=100)).any()


def test_all_steps_of_events_move_together():
    frame = torch.randint(0, 2, (20, 1, 2, 9, 9), generator=seeded(), dtype=torch.uint8)
    amount = Augmentation(shift=2, rotation=10, elastic=0.5, crop=2, flip=0.5, cutout=2)
    moved = augment(frame.expand(-1, 4, -1, -1, -1), amount, seeded())
    assert moved.shape == (20, 4, 2, 9, 9)
    assert (moved == moved[:, :1]).all()
    assert moved.max() == 1
    with pytest.raises(OptionError, match="contrast"):
        augment(frame, Augmentation(contrast=0.1), seeded())
