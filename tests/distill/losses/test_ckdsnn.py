"""CKDSNN is the sum of its two parts, and their options do not collide."""

import torch

from snnc.distill.losses import METHODS, ckdsnn_nld, ckdsnn_samd
from snnc.distill.losses.interface import Need
from tests.distill.losses.batches import loss_of, random_inputs


def test_is_the_sum_of_its_parts():
    inputs = random_inputs(0)
    labels = loss_of("cross-entropy", inputs)
    options = {"saliency": 3, "smoothing": 0.7, "map_temperature": 0.5, "noise": 0.2}
    whole = loss_of("ckdsnn", inputs, **options)
    saliency = loss_of("ckdsnn-samd", inputs, saliency=3, map_temperature=0.5)
    smoothing = loss_of("ckdsnn-nld", inputs, smoothing=0.7, noise=0.2)
    torch.testing.assert_close(whole, saliency + smoothing - labels)


def test_without_either_the_labels_remain():
    inputs = random_inputs(1)
    torch.testing.assert_close(loss_of("ckdsnn", inputs, saliency=0, smoothing=0), loss_of("cross-entropy", inputs))


def test_its_options_and_needs_are_those_of_its_parts():
    assert not ckdsnn_samd.OPTIONS.keys() & ckdsnn_nld.OPTIONS.keys()
    assert METHODS["ckdsnn"].options == {**ckdsnn_samd.OPTIONS, **ckdsnn_nld.OPTIONS}
    assert METHODS["ckdsnn"].needs == {Need.SALIENCY, Need.TEACHER_LOGITS, Need.NOISE}
