"""Fully connected integrate-and-fire students, in three phases of precision.

A student is described by its layer sizes, ``784-32-10``: input, hidden layers, classes.  Every hidden layer is dense,
batch norm, IF; the readout is dense with a bias and never fires.  Its forward pass depends on the phase:

==============  ===============================  =========================================
phase           weights                          normalisation, threshold, bias
==============  ===============================  =========================================
``FLOAT``       real                             batch norm, real threshold
``QUANTISED``   ``d * w_int``                    batch norm over the quantised sums
``FOLDED``      ``w_int``                        integers, rounded in the graph
==============  ===============================  =========================================

In the last phase the network counts in integers, so what is trained is what is exported.  The threshold ``theta`` is a
constant 1 per channel: the gain of the batch norm already is a learned threshold, and two would only be redundant.

Batch norm takes its statistics over time and batch together (tdBN, Zheng et al., AAAI 2021): one set, so it folds.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnc.compiler.errors import OptionError
from snnc.compiler.ir.neurons import Encoding, Initial, Reset
from snnc.distill.folding import FoldedLayer, Norm, check_range, fold, folded_initial
from snnc.distill.neurons import Surrogate, initial_membrane, integrate_and_fire
from snnc.distill.quantisers import initial_log_step, integer_weights, step_size

__all__ = ["DenseLayer", "Phase", "Student", "StudentConfig", "StudentOutputs", "parse_sizes"]

_LARGEST_LAYER = 1 << 16
_MOST_WEIGHTS = 1 << 26


class Phase(Enum):
    """How much of the integer network is already there; phases are entered in this order."""

    FLOAT = "float"
    QUANTISED = "quantised"
    FOLDED = "folded"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentConfig:
    """Everything that shapes a student.

    Attributes
    ----------
    sizes
        Neurons per population, input and readout included.
    time_steps
        ``T``.
    input_bits
        Width of a pixel; without a part in `events`.
    weight_bits
        2 to 8, the same in every layer.
    fraction_bits
        ``f``: extra bits of membranes, thresholds and biases below one weight step.
    """

    sizes: tuple[int, ...]
    time_steps: int
    encoding: Encoding
    input_bits: int
    weight_bits: int
    fraction_bits: int
    reset: Reset
    initial: Initial
    surrogate: Surrogate


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentOutputs:
    """One forward pass.

    Attributes
    ----------
    readout
        The readout's current at every step, ``[T, B, K]``: integers in the folded phase.
    scale
        Real value of one unit of it, ``[1]``.
    spikes
        Of every hidden layer, ``[T, B, N]``.
    """

    readout: Tensor
    scale: Tensor
    spikes: tuple[Tensor, ...]

    @property
    def step_logits(self) -> Tensor:
        """The readout's current in real units, ``[T, B, K]``; its mean over time are the logits of a loss."""
        return self.readout * self.scale

    @property
    def classes(self) -> Tensor:
        """Index of the largest sum over time, ``[B]``; summed before scaling, so that integers stay integers."""
        return self.readout.sum(dim=0).argmax(dim=1)


def parse_sizes(architecture: str) -> tuple[int, ...]:
    """``"784-32-10"`` to ``(784, 32, 10)``."""
    try:
        sizes = tuple(int(part) for part in architecture.split("-"))
    except ValueError:
        sizes = ()
    if len(sizes) < 2 or not all(1 <= size <= _LARGEST_LAYER for size in sizes):
        raise OptionError(
            f"Architecture {architecture!r} must be layer sizes from input to classes, each 1 to {_LARGEST_LAYER}, "
            "joined by '-', such as 784-32-10."
        )
    weights = sum(a * b for a, b in itertools.pairwise(sizes))
    if weights > _MOST_WEIGHTS:
        raise OptionError(
            f"Architecture {architecture!r} has {weights:,} weights, more than the allowed {_MOST_WEIGHTS:,}."
        )
    return sizes


class DenseLayer(nn.Module):
    """All synapses into one population, with its normalisation and threshold.

    Parameters
    ----------
    spiking
        False for the readout, which has a bias and one step for all weights instead of a batch norm, a threshold and a
        step per channel.
    unit
        Real value of an input of 1.
    """

    threshold: Tensor | None
    """``theta``, ``[out]``; None in the readout."""

    def __init__(self, inputs: int, outputs: int, *, spiking: bool, unit: float, bits: int, fraction_bits: int) -> None:
        super().__init__()
        self.unit = unit
        self.bits = bits
        self.fraction_bits = fraction_bits
        self.spiking = spiking
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        self.log_step = nn.Parameter(initial_log_step(self.weight, bits, per_channel=spiking))
        self.norm = nn.BatchNorm1d(outputs) if spiking else None
        self.bias = nn.Parameter(torch.zeros(outputs)) if not spiking else None
        self.register_buffer("threshold", torch.ones(outputs) if spiking else None)

    @property
    def step(self) -> Tensor:
        """Quantiser steps ``d``, ``[out]`` or ``[1]``, float64."""
        return step_size(self.log_step)

    def start_quantiser(self) -> None:
        """Set the quantiser steps from the weights as they are now."""
        with torch.no_grad():
            self.log_step.copy_(initial_log_step(self.weight, self.bits, per_channel=self.spiking))

    def current(self, x: Tensor, phase: Phase) -> Tensor:
        """Input current in real units, ``[..., in]`` to ``[..., out]``; not for the folded phase."""
        weight: Tensor = self.weight
        if phase is Phase.QUANTISED:
            step = self.step
            weight = (integer_weights(weight, step, self.bits) * step[:, None]).to(weight.dtype)
        y = F.linear(x * self.unit, weight, self.bias)
        return self.norm(y.flatten(0, -2)).view_as(y) if self.norm is not None else y

    def fold(self) -> FoldedLayer:
        """The layer in integers, from the running statistics of its batch norm."""
        norm = None
        if self.norm is not None:
            assert self.norm.running_mean is not None
            assert self.norm.running_var is not None
            norm = Norm(
                gain=self.norm.weight,
                offset=self.norm.bias,
                mean=self.norm.running_mean,
                variance=self.norm.running_var,
                epsilon=self.norm.eps,
            )
        return fold(
            weight=self.weight,
            step=self.step,
            bias=self.bias,
            norm=norm,
            threshold=self.threshold,
            unit=self.unit,
            bits=self.bits,
            fraction_bits=self.fraction_bits,
        )


class Student(nn.Module):
    """A chain of dense layers; the last is the readout.

    The input is what `snnc.distill.encoding.encode` gives: ``[B, F]`` pixels (`direct`) or ``[T, B, F]`` spikes.
    """

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        self.config = config
        self.phase = Phase.FLOAT
        direct = config.encoding is Encoding.DIRECT
        pairs = list(itertools.pairwise(config.sizes))
        self.layers = nn.ModuleList(
            DenseLayer(
                inputs,
                outputs,
                spiking=index < len(pairs) - 1,
                unit=1 / (2**config.input_bits - 1) if direct and index == 0 else 1.0,
                bits=config.weight_bits,
                fraction_bits=config.fraction_bits if index < len(pairs) - 1 else 0,
            )
            for index, (inputs, outputs) in enumerate(pairs)
        )

    @property
    def dense_layers(self) -> Sequence[DenseLayer]:
        return [layer for layer in self.layers if isinstance(layer, DenseLayer)]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the layers, as in the checkpoint."""
        return (*(f"hidden{index}" for index in range(len(self.layers) - 1)), "readout")

    def enter(self, phase: Phase) -> None:
        """Go on to a phase; entering ``QUANTISED`` sets the quantiser steps from the weights."""
        self.phase = phase
        if phase is Phase.QUANTISED:
            for layer in self.dense_layers:
                layer.start_quantiser()

    def check_range(self) -> None:
        """Refuse membranes that float32 cannot count exactly (`snnc.distill.folding.check_range`)."""
        for index, (name, layer) in enumerate(zip(self.names, self.dense_layers, strict=True)):
            direct = self.config.encoding is Encoding.DIRECT and index == 0
            largest = 2**self.config.input_bits - 1 if direct else 1
            check_range(name, layer.fold(), largest_input=largest, time_steps=self.config.time_steps)

    def forward(self, x: Tensor) -> StudentOutputs:
        spikes: list[Tensor] = []
        for layer in self.dense_layers:
            match self.phase:
                case Phase.FLOAT | Phase.QUANTISED:
                    current = layer.current(x, self.phase)
                    scale = current.new_ones(1)
                    threshold = layer.threshold
                    start = initial_membrane(threshold, self.config.initial) if threshold is not None else None
                case Phase.FOLDED:
                    folded = layer.fold()
                    shift = 2**folded.fraction_bits
                    current = F.linear(x, folded.weight.to(x.dtype)) * shift + folded.bias.to(x.dtype)
                    scale = folded.scale.to(x.dtype)
                    threshold = folded.threshold.to(x.dtype) if folded.threshold is not None else None
                    start = folded_initial(threshold, self.config.initial) if threshold is not None else None
                case _:
                    assert_never(self.phase)
            if current.dim() == 2:  # a direct input: the same current at every step
                current = current.expand(self.config.time_steps, *current.shape)
            if threshold is None or start is None:
                return StudentOutputs(readout=current, scale=scale, spikes=tuple(spikes))
            x = integrate_and_fire(
                current, threshold, start, reset=self.config.reset, surrogate=self.config.surrogate
            )  # [T, B, N]
            spikes.append(x)
        raise AssertionError("the last layer of a student is a readout")
