"""A small integer network, written from ``docs/semantics.md`` alone, that every export is held against.

It shares no code with the student: NumPy, from the contents of the checkpoint.  A disagreement in a single spike means
that what was trained is not what will be built, and the export refuses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from snnc.compiler.errors import TrainingError
from snnc.compiler.ir import Encoding, InputSource
from snnc.distill.data.tracks import Deciding
from snnc.distill.students import Phase, Student
from snnc.sim.models.inputs import encode

__all__ = ["Checked", "IntegerLayer", "IntegerTrace", "check_exact", "integer_inputs", "integer_layers", "simulate"]

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IntegerLayer:
    """One population: its integers, and the projections as the checkpoint describes them.

    Attributes
    ----------
    shape
        ``(C, H, W)``.
    weights
        Per projection: ``[out, in]``, ``[C_out, C_in / groups, k, k]`` or ``[C]``, not yet shifted.
    bias, threshold
        ``[C]``; no threshold in the readout.
    """

    name: str
    shape: tuple[int, int, int]
    projections: tuple[Mapping[str, Any], ...]
    weights: tuple[Integers, ...]
    bias: Integers
    threshold: Integers | None
    shift: int
    hard: bool
    half: bool
    leak: int | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IntegerTrace:
    """Spikes of every hidden population by name, ``[T, B, N]``, and what a step adds to the logits, ``[T, B, K]``."""

    spikes: Mapping[str, npt.NDArray[np.bool_]]
    readout: Integers

    @property
    def logits(self) -> Integers:
        """``[B, K]``."""
        return self.readout.sum(axis=0)

    @property
    def classes(self) -> Integers:
        """Index of the largest logit, the lowest on a tie, ``[B]``."""
        return self.logits.argmax(axis=1)


def integer_layers(checkpoint: Mapping[str, Any]) -> tuple[IntegerLayer, ...]:
    """Section 4 of the contract, in float64: the populations of a checkpoint as integers."""
    state = {key: np.asarray(value, dtype=np.float64) for key, value in checkpoint["state"].items()}
    return tuple(_integer_layer(entry, checkpoint["input"], state) for entry in checkpoint["layers"])


def _integer_layer(entry: Mapping[str, Any], source: Mapping[str, Any], state: Mapping[str, Floats]) -> IntegerLayer:
    name, neuron, f = entry["name"], entry["neuron"], entry["fraction_bits"]
    channels = entry["shape"][0]
    weighted = [index for index, p in enumerate(entry["projections"]) if p["kind"] != "pooling"]
    theta = state.get(f"{name}.threshold")
    b = state.get(f"{name}.bias", np.zeros(channels))
    g = np.ones(channels)
    if f"{name}.norm.gain" in state:
        g = state[f"{name}.norm.gain"] / np.sqrt(state[f"{name}.norm.variance"] + state[f"{name}.norm.epsilon"])
        b = state[f"{name}.norm.offset"] + g * (b - state[f"{name}.norm.mean"])
    k = np.ones(channels)
    d = np.ones(channels)
    if weighted:
        first = entry["projections"][weighted[0]]
        pixels = source["encoding"] == "direct" and first["source"] == "input"
        unit = (1 / (2 ** source["bits"] - 1) if pixels else 1.0) / first["pool"] ** 2
        d = np.broadcast_to(state[f"{name}.step"], (channels,))
        k = g * d * unit
    sign = np.where(k < 0, -1.0, 1.0)
    k = np.abs(k)
    with np.errstate(divide="ignore", invalid="ignore"):  # channels that are constant
        bias = np.round(2.0**f * b / k)
        threshold = None if theta is None else np.maximum(1, np.round(2.0**f * theta / k))
        weights = []
        for index, projection in enumerate(entry["projections"]):
            w = state[f"{name}.{index}.weight"]
            if projection["kind"] == "pooling":
                w_int = np.round(2.0**f * w / k)
            else:
                w_int = _quantised(w, d, projection["weight_bits"]) * _per_output(sign, w)
            weights.append(w_int)
    if threshold is not None and theta is not None and weighted:
        pooling = [index for index in range(len(weights)) if index not in weighted]
        for n in range(channels):
            moving = any(weights[index].reshape(channels, -1)[n].any() for index in weighted)
            if moving and k[n] >= 2.0**-24 * theta[n]:
                continue
            for index in weighted:
                weights[index].reshape(channels, -1)[n] = 0
            bias[n], threshold[n], resolution = _steady(b[n], theta[n], neuron.get("leak_shift"), pooled=bool(pooling))
            for index in pooling:
                weights[index][n] = np.round(resolution * state[f"{name}.{index}.weight"][n] / theta[n])
    return IntegerLayer(
        name=name,
        shape=tuple(entry["shape"]),
        projections=tuple(entry["projections"]),
        weights=tuple(weight.astype(np.int64) for weight in weights),
        bias=bias.astype(np.int64),
        threshold=None if threshold is None else threshold.astype(np.int64),
        shift=f,
        hard=neuron.get("reset") == "hard",
        half=neuron.get("initial") == "half",
        leak=neuron.get("leak_shift"),
    )


def _steady(b: float, theta: float, leak: int | None, *, pooled: bool) -> tuple[int, int, int]:
    """Bias, threshold and steps of a threshold of a channel that no weight moves."""
    if leak is None and not pooled:
        r = min(max(b / theta, 0.0), 1.0)
        p, q = max(((math.floor(q * r), q) for q in range(1, 257)), key=lambda pair: (pair[0] / pair[1], -pair[1]))
        return 2 * p, 2 * q, 2 * q
    c = 2 ** min(8 + (leak or 0), 16)
    limited = b if pooled else min(max(b, 0.0), theta)
    return round(c * limited / theta), c, c


def _quantised(w: Floats, d: Floats, bits: int) -> Floats:
    if bits == 1:
        return np.where(w >= 0, 1.0, -1.0)
    limit = 2 ** (bits - 1) - 1
    return np.clip(np.round(w / _per_output(d, w)), -limit, limit)


def _per_output(values: npt.NDArray[Any], w: Floats) -> npt.NDArray[Any]:
    return values.reshape(-1, *[1] * (w.ndim - 1))


def integer_inputs(
    checkpoint: Mapping[str, Any], images: npt.NDArray[np.uint8], *, events: bool = False, first: int = 0
) -> Integers:
    """What a data set's samples give at every step, ``[T, B, C, H, W]``, as every command encodes them.

    Parameters
    ----------
    images
        8-bit pixels ``[B, C, H, W]``, or spikes ``[B, T, C, H, W]``.
    events
        Whether they are spikes.
    first
        Place of the first of them in the data set.
    """
    time_steps, shape = checkpoint["time_steps"], images.shape[-3:]
    source = InputSource(encoding=Encoding(checkpoint["input"]["encoding"]), bits=checkpoint["input"]["bits"])
    given = encode(source, images, time_steps=time_steps, events=events, first=first).astype(np.int64)
    return np.broadcast_to(given.reshape(-1, len(images), *shape), (time_steps, len(images), *shape))


def simulate(layers: tuple[IntegerLayer, ...], inputs: Integers, *, batch: int = 250) -> IntegerTrace:
    """Section 2: run the network on inputs ``[T, B, C, H, W]``, ``batch`` samples at a time."""
    parts = [_simulate(layers, inputs[:, start : start + batch]) for start in range(0, inputs.shape[1], batch)]
    return IntegerTrace(
        spikes={name: np.concatenate([p.spikes[name] for p in parts], axis=1) for name in parts[0].spikes},
        readout=np.concatenate([p.readout for p in parts], axis=1),
    )


def _simulate(layers: tuple[IntegerLayer, ...], inputs: Integers) -> IntegerTrace:
    time_steps, batch = inputs.shape[:2]
    still = bool((inputs[1:] == inputs[:1]).all())
    emitted: dict[str, npt.NDArray[Any]] = {"input": inputs.reshape(time_steps, batch, *inputs.shape[2:])}
    readout = np.zeros((time_steps, batch, layers[-1].shape[0]), dtype=np.int64)
    membranes: dict[str, Integers] = {}
    answer = np.zeros_like(readout[0])
    first: dict[tuple[str, int], Integers] = {}
    for layer in layers:
        if layer.threshold is not None:
            emitted[layer.name] = np.zeros((time_steps, batch, *layer.shape), dtype=np.bool_)
            start = layer.threshold >> 1 if layer.half else np.zeros_like(layer.threshold)
            membranes[layer.name] = np.broadcast_to(start[:, None, None], (batch, *layer.shape))
    for t in range(time_steps):
        for layer in layers:
            current = np.broadcast_to(layer.bias[:, None, None], (batch, *layer.shape)).copy()
            for index, (projection, weight) in enumerate(zip(layer.projections, layer.weights, strict=True)):
                source = projection["source"]
                if t < projection["delay"]:
                    continue
                key = (layer.name, index)
                if source == "input" and still and projection["delay"] == 0:
                    if key not in first:
                        first[key] = _sum(projection, weight, emitted[source][0], layer)
                    current += first[key]
                else:
                    current += _sum(projection, weight, emitted[source][t - projection["delay"]], layer)
            if layer.threshold is None:
                kept = answer if layer.leak is None else answer - (answer >> layer.leak)
                readout[t], answer = kept + current[:, :, 0, 0] - answer, kept + current[:, :, 0, 0]
                continue
            v = membranes[layer.name]
            u = (v if layer.leak is None else v - (v >> layer.leak)) + current
            fired = u >= layer.threshold[:, None, None]
            emitted[layer.name][t] = fired
            membranes[layer.name] = np.where(fired, 0 if layer.hard else u - layer.threshold[:, None, None], u)
    spikes = {name: s.reshape(time_steps, batch, -1) for name, s in emitted.items() if name != "input"}
    return IntegerTrace(spikes=spikes, readout=readout)


def _sum(projection: Mapping[str, Any], weight: Integers, s: npt.NDArray[Any], layer: IntegerLayer) -> Integers:
    """``(W * s) << f`` of one step, ``[B, C, H, W]``; float64 holds every integer below 2^53, and BLAS has no other."""
    x = s.astype(np.float64)
    pool = projection.get("pool", 1)
    if pool > 1:
        b, c, h, w = x.shape
        x = x.reshape(b, c, h // pool, pool, w // pool, pool).sum(axis=(3, 5))
    if projection["kind"] == "dense":
        y = x.reshape(len(x), -1) @ weight.T.astype(np.float64)
        return y.astype(np.int64).reshape(len(x), *layer.shape) << layer.shift
    (kh, kw), (sh, sw) = projection["kernel"], projection["stride"]
    if projection["kind"] == "pooling":
        return _windows(x, kh, kw, sh, sw).sum(axis=(4, 5)).astype(np.int64) * weight[:, None, None]
    ph, pw = projection["padding"]
    assert tuple(projection["dilation"]) == (1, 1)
    patches = _windows(np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw))), kh, kw, sh, sw)  # [B, C, H, W, kh, kw]
    groups = projection["groups"]
    inputs, outputs = x.shape[1] // groups, len(weight) // groups
    parts = []
    for group in range(groups):
        own = patches[:, group * inputs : (group + 1) * inputs].transpose(0, 2, 3, 1, 4, 5)
        rows = own.reshape(-1, inputs * kh * kw)
        columns = weight[group * outputs : (group + 1) * outputs].reshape(outputs, -1).T.astype(np.float64)
        parts.append((rows @ columns).reshape(*own.shape[:3], outputs))
    y = np.concatenate(parts, axis=3).transpose(0, 3, 1, 2)
    return y.astype(np.int64) << layer.shift


def _windows(x: Floats, kh: int, kw: int, sh: int, sw: int) -> Floats:
    """Every window of a map ``[B, C, H, W]``: ``[B, C, H', W', kh, kw]``, a view."""
    view = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(2, 3))
    return view[:, :, ::sh, ::sw]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checked:
    """What both networks computed: classes ``[B]``, or of decisions ``[decision, B]``, and hidden spikes in all."""

    classes: Integers
    spikes: int


def check_exact(
    checkpoint: Mapping[str, Any],
    student: Student,
    inputs: Integers | Iterable[Integers],
    *,
    batch: int = 250,
    deciding: Deciding | None = None,
    observe: Callable[[Integers, Mapping[str, npt.NDArray[np.bool_]]], None] = lambda inputs, spikes: None,
) -> Checked:
    """Hold a folded student, run in float64, against the integers of its checkpoint; refuse if anything differs.

    Parameters
    ----------
    inputs
        Integers ``[T, B, C, H, W]``, as an array, of which ``batch`` samples are taken at a time; or batches of them.
    deciding
        When a stream is decided on; None for one decision, after the last step.
    observe
        Called with the inputs of every batch and with the spikes of the exported network, ``[T, B, N]``.
    """
    assert student.phase is Phase.FOLDED
    layers = integer_layers(checkpoint)
    direct = checkpoint["input"]["encoding"] == "direct"
    student = student.eval()
    device = next(student.parameters()).device
    classes = []
    spikes_in_all = 0
    with torch.no_grad():
        if isinstance(inputs, np.ndarray):
            whole = inputs
            inputs = (whole[:, start : start + batch] for start in range(0, whole.shape[1], batch))
        for part in inputs:
            trace = simulate(layers, part, batch=part.shape[1])
            outputs = student(torch.from_numpy((part[0] if direct else part).astype(np.float64)).to(device))
            pairs = [(name, outputs.spikes[name].flatten(2), spikes) for name, spikes in trace.spikes.items()]
            for name, trained, exported in (*pairs, ("readout", outputs.readout, trace.readout)):
                different = int((trained.cpu().numpy() != exported).sum())
                if different:
                    raise TrainingError(
                        f"Layer {name!r} of the exported network differs from the trained student in {different} of "
                        f"{exported.size} values; nothing was written. This is a fault of snnc, please report it."
                    )
            observe(part, trace.spikes)
            goes_on = student.config.readout_leak is not None
            logits = trace.logits if deciding is None else deciding.sums(trace.readout, goes_on=goes_on)
            classes.append(logits.argmax(axis=-1))
            spikes_in_all += sum(int(np.count_nonzero(spikes)) for spikes in trace.spikes.values())
    return Checked(classes=np.concatenate(classes, axis=-1), spikes=spikes_in_all)
