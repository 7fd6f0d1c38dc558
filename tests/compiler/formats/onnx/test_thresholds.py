"""Thresholds of plain ReLUs: the values that lose least, and a sentence where none can be found."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from snnc.compiler.errors import CheckpointError, MissingError
from snnc.compiler.formats.onnx import thresholds
from snnc.compiler.formats.onnx.thresholds import balanced_thresholds, relu_thresholds
from tests.compiler.formats.onnx.test_reader import ann

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

IMAGES = np.random.default_rng(2).integers(0, 256, (120, 1, 8, 8), dtype=np.uint8)


def test_activations_that_are_levels_lose_nothing() -> None:
    levels = np.random.default_rng(0).integers(1, 5, (1000, 3))
    assert balanced_thresholds(levels * [0.75, 2.0, 0.0], 4).tolist() == [3.0, 8.0, 8.0]


@pytest.mark.parametrize("steps", [1, 4, 32])
def test_no_other_threshold_loses_less(steps: int) -> None:
    activations = np.maximum(np.random.default_rng(1).normal(0, [1.0, 3.0], (20_000, 2)), 0)

    def lost(threshold: np.ndarray) -> np.ndarray:
        """Of IF neurons, step by step, by channel."""
        membrane, spikes = np.tile(threshold / 2, (len(activations), 1)), np.zeros(activations.shape)
        for _ in range(steps):
            membrane += activations
            fired = membrane >= threshold
            membrane -= threshold * fired
            spikes += fired
        return np.square(spikes * threshold / steps - activations).mean(axis=0)

    found = balanced_thresholds(activations, steps)
    others = [lost(found * factor) for factor in (0.5, 0.8, 0.9, 1.1, 1.25, 2.0)]
    assert (lost(found) <= 1.001 * np.min(others, axis=0)).all()
    assert (found < activations.max(axis=0)).all()


def test_more_steps_clip_less() -> None:
    activations = np.random.default_rng(1).exponential(1.0, (20_000, 1))
    found = [float(balanced_thresholds(activations, steps)[0]) for steps in (1, 4, 16, 64)]
    assert found == sorted(set(found))


def _relu(model: Any, images: np.ndarray) -> dict[str, np.ndarray]:
    """What the two ReLUs of `ann` give, without onnxruntime."""
    stores = {item.name: onnx.numpy_helper.to_array(item).astype(np.float64) for item in model.graph.initializer}
    padded = np.pad(images[:, 0] / 255, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    sums = np.einsum("nhwij,oij->nohw", windows, stores["w0"][:, 0]) + stores["b0"].reshape(-1, 1, 1)
    scale, offset, mean, variance = (stores[name].reshape(-1, 1, 1) for name in "somv")
    first = np.maximum((sums - mean) / np.sqrt(variance + 1e-5) * scale + offset, 0)
    pooled = first.reshape(len(images), 4, 4, 2, 4, 2).mean(axis=(3, 5)).reshape(len(images), -1)
    return {"r": first, "e": np.maximum(pooled @ stores["w1"].T + stores["b1"], 0)}


@pytest.mark.parametrize("batch", [0, 40])
def test_each_relu_has_those_of_its_own_activations(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever number of images the file takes at a time."""
    monkeypatch.setattr(thresholds, "_KEPT", 10**6)
    model = ann(clip=None)
    if batch:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
    found = relu_thresholds(model, IMAGES, 8)
    expected = _relu(model, IMAGES)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        channels = np.moveaxis(values, 1, -1).reshape(-1, values.shape[1])
        assert found[name] == pytest.approx(balanced_thresholds(channels, 8), rel=1e-5)
    # The model itself is not changed.
    assert [item.name for item in model.graph.output] == ["y"]


def test_where_all_are_clipped_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert relu_thresholds(ann(), IMAGES, 8) == {}
    with pytest.raises(MissingError, match=r"snnc\[onnx\]"):
        relu_thresholds(ann(clip=None), IMAGES, 8)


def _silent(model: Any) -> None:
    bias = next(item for item in model.graph.initializer if item.name == "b1")
    bias.CopyFrom(onnx.numpy_helper.from_array(np.full(8, -1e6, np.float32), "b1"))


def _overflowing(model: Any) -> None:
    weights = next(item for item in model.graph.initializer if item.name == "w1")
    weights.CopyFrom(onnx.numpy_helper.from_array(np.full((8, 64), 3e38, np.float32), "w1"))


def _broken(model: Any) -> None:
    model.graph.node[0].input[1] = "w1"


def _crowded(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1000


@pytest.mark.parametrize(
    ("change", "images", "says"),
    [
        (_silent, IMAGES, "The Relu that gives 'e' is 0 throughout on 120 training images"),
        (_overflowing, IMAGES, "The Relu that gives 'e' is infinite"),
        (_broken, IMAGES, "cannot be read as an ONNX network"),
        (_crowded, IMAGES, "takes 1,000 images at a time"),
        (lambda model: None, IMAGES[:, :, :7], "takes inputs of 1x8x8, and the training images have 1x7x8"),
    ],
)
def test_what_has_no_threshold_is_one_sentence(change: Any, images: np.ndarray, says: str) -> None:
    model = ann(clip=None)
    change(model)
    with pytest.raises(CheckpointError, match=says) as caught:
        relu_thresholds(model, images, 8)
    assert "\n" not in str(caught.value)
