"""A small integer network, written from ``docs/semantics.md`` alone, that every export is held against.

It shares no code with the student: NumPy, from the contents of the checkpoint.  A disagreement in a single spike means
that what was trained is not what will be built, and the export refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from snnc.compiler.errors import TrainingError
from snnc.distill.data import quantise_pixels
from snnc.distill.students import Phase, Student

__all__ = ["IntegerLayer", "IntegerTrace", "check_exact", "encode_integers", "integer_layers", "simulate"]

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IntegerLayer:
    """``weight [out, in]``, ``bias [out]``, ``threshold [out]`` (None in the readout), shift ``f``, reset, initial."""

    weight: Integers
    bias: Integers
    threshold: Integers | None
    shift: int
    hard: bool
    half: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IntegerTrace:
    """Spikes of every hidden layer ``[T, B, N]`` and the logits ``[B, K]``."""

    spikes: tuple[Integers, ...]
    logits: Integers

    @property
    def classes(self) -> Integers:
        """Index of the largest logit, the lowest on a tie, ``[B]``."""
        return self.logits.argmax(axis=1)


def integer_layers(checkpoint: Mapping[str, Any]) -> tuple[IntegerLayer, ...]:
    """Section 4 of the contract, in float64: the layers of a checkpoint as integers."""
    state = {key: np.asarray(value, dtype=np.float64) for key, value in checkpoint["state"].items()}
    direct = checkpoint["input"]["encoding"] == "direct"
    layers = []
    for index, entry in enumerate(checkpoint["layers"]):
        name = entry["name"]
        bits, f, neuron = entry["weight_bits"], entry["fraction_bits"], entry["neuron"]
        limit = 2 ** (bits - 1) - 1
        d = state[f"{name}.step"]
        w_int = np.clip(np.round(state[f"{name}.weight"] / d[:, None]), -limit, limit)
        b = state.get(f"{name}.bias", np.zeros(len(w_int)))
        unit = 1 / (2 ** checkpoint["input"]["bits"] - 1) if direct and index == 0 else 1.0
        k = np.broadcast_to(d * unit, (len(w_int),))
        if f"{name}.norm.gain" in state:
            g = state[f"{name}.norm.gain"] / np.sqrt(state[f"{name}.norm.variance"] + state[f"{name}.norm.epsilon"])
            b = state[f"{name}.norm.offset"] + g * (b - state[f"{name}.norm.mean"])
            k = g * d * unit
        w_int = np.where(k[:, None] < 0, -w_int, w_int)
        k = np.abs(k)
        threshold = None
        with np.errstate(divide="ignore", invalid="ignore"):  # channels that are found constant just below
            bias = np.round(2.0**f * b / k)
            if neuron["kind"] == "if":
                theta = state[f"{name}.threshold"]
                threshold = np.maximum(1, np.round(2.0**f * theta / k))
        if threshold is not None:
            constant = k < 2.0**-24 * theta
            w_int = np.where(constant[:, None], 0, w_int)
            threshold = np.where(constant, 1, threshold)
            bias = np.where(constant, b >= theta / 2, bias)
        layers.append(
            IntegerLayer(
                weight=w_int.astype(np.int64),
                bias=bias.astype(np.int64),
                threshold=None if threshold is None else threshold.astype(np.int64),
                shift=f,
                hard=neuron.get("reset") == "hard",
                half=neuron.get("initial") == "half",
            )
        )
    return tuple(layers)


def encode_integers(checkpoint: Mapping[str, Any], images: npt.NDArray[np.uint8]) -> Integers:
    """Section 3: 8-bit images ``[B, C, H, W]`` to the input of every step, ``[T, B, F]``, for `direct` and `rate`."""
    bits, time_steps = checkpoint["input"]["bits"], checkpoint["time_steps"]
    x = quantise_pixels(images.reshape(len(images), -1), bits).astype(np.int64)
    if checkpoint["input"]["encoding"] == "direct":
        return np.broadcast_to(x, (time_steps, *x.shape))
    full = 2**bits - 1
    # The encoder neuron in closed form: by step t it has fired as often as full goes into (t + 1) x.
    fired = np.arange(time_steps + 1)[:, None, None] * x // full
    return np.diff(fired, axis=0)


def simulate(layers: tuple[IntegerLayer, ...], inputs: Integers, *, batch: int = 1000) -> IntegerTrace:
    """Section 2: run the network on inputs ``[T, B, F]``, ``batch`` samples at a time."""
    parts = [_simulate(layers, inputs[:, start : start + batch]) for start in range(0, inputs.shape[1], batch)]
    return IntegerTrace(
        spikes=tuple(np.concatenate(layer, axis=1) for layer in zip(*(p.spikes for p in parts), strict=True)),
        logits=np.concatenate([p.logits for p in parts]),
    )


def _simulate(layers: tuple[IntegerLayer, ...], inputs: Integers) -> IntegerTrace:
    signal = inputs
    spikes: list[Integers] = []
    for layer in layers:
        # float64 holds every integer below 2^53, and BLAS has no integer product.
        sums = (signal.astype(np.float64) @ layer.weight.T.astype(np.float64)).astype(np.int64)
        current = (sums << layer.shift) + layer.bias  # [T, B, N]
        if layer.threshold is None:
            return IntegerTrace(spikes=tuple(spikes), logits=current.sum(axis=0))
        membrane = np.broadcast_to(layer.threshold >> 1 if layer.half else np.int64(0), current.shape[1:])
        signal = np.empty_like(current)
        for step, arriving in enumerate(current):
            membrane = membrane + arriving
            fired = membrane >= layer.threshold
            signal[step] = fired
            membrane = np.where(fired, 0 if layer.hard else membrane - layer.threshold, membrane)
        spikes.append(signal)
    raise AssertionError("the last layer of a student is a readout")


def check_exact(
    checkpoint: Mapping[str, Any], student: Student, inputs: Integers, *, batch: int = 1000
) -> IntegerTrace:
    """Hold a folded student, run in float64, against the integers of its checkpoint; refuse if anything differs.

    Parameters
    ----------
    inputs
        Integers ``[T, B, F]``.

    Returns
    -------
    IntegerTrace
        What both of them computed.
    """
    assert student.phase is Phase.FOLDED
    trace = simulate(integer_layers(checkpoint), inputs)
    direct = checkpoint["input"]["encoding"] == "direct"
    student = student.eval()
    with torch.no_grad():
        for start in range(0, inputs.shape[1], batch):
            part = slice(start, start + batch)
            x = torch.from_numpy((inputs[0, part] if direct else inputs[:, part]).astype(np.float64))
            outputs = student(x)
            names = [layer["name"] for layer in checkpoint["layers"]]
            pairs = [
                *zip(names, outputs.spikes, (spikes[:, part] for spikes in trace.spikes), strict=False),
                (names[-1], outputs.readout.sum(dim=0), trace.logits[part]),
            ]
            for name, trained, exported in pairs:
                different = int((trained.numpy() != exported).sum())
                if different:
                    raise TrainingError(
                        f"Layer {name!r} of the exported network differs from the trained student in {different} of "
                        f"{exported.size} values; nothing was written. This is a fault of snnc, please report it."
                    )
    return trace
