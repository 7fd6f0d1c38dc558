"""Integrate-and-fire students of any architecture, in four phases of precision.

A student is described by its architecture string (`snnc.compiler.ir.architecture`). Every hidden population is
the sum of its synapses, batch norm, IF or LIF; the readout is dense with a bias and never fires. Its forward pass
depends on the phase (a fifth one is that of its rival, `snnc.distill.rival`):

==============  ==========================  =======================================  ==============================
phase           weights                     normalisation, threshold, bias           signal between populations
==============  ==========================  =======================================  ==============================
``TWIN``        real                        batch norm, threshold 1                  firing rates of T + 1 levels
``FLOAT``       real                        batch norm, threshold 1                  spikes
``QUANTISED``   ``d * w_int``               batch norm over the quantised sums       spikes
``FOLDED``      ``w_int``                   integers, rounded in the graph           spikes
``RIVAL``       ``d * w_int``               batch norm over the quantised sums       firing rates of T + 1 levels
==============  ==========================  =======================================  ==============================

The twin is the artificial network of the same architecture with QCFS activations (Bu et al., ICLR 2022): a soft-reset
IF neuron that starts at half its threshold and receives a constant current fires exactly that often, so its weights
are where the spiking student starts.  It has no time axis and trains several times faster.

In the last phase the network counts in integers, so what is trained is what is exported.  The threshold ``theta`` is a
constant 1 per channel: the gain of the batch norm already is a learned threshold, and two would only be redundant.

Batch norm takes its statistics over time and batch together (tdBN, Zheng et al., AAAI 2021): one set, so it folds.
Time is folded into the batch for everything but the neuron, and what a direct input gives is computed once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnc.compiler.ir.architecture import (
    INPUT,
    Architecture,
    Pair,
    PopulationSpec,
    ProjectionKind,
    ProjectionSpec,
    Role,
)
from snnc.compiler.ir.neurons import Encoding, Initial, Reset
from snnc.distill.encoding import channels_last
from snnc.distill.folding import FoldedLayer, Norm, check_range, fold
from snnc.distill.neurons import (
    NeuronSettings,
    Surrogate,
    count_levels,
    integrate_and_fire,
    leaky_additions,
)
from snnc.distill.quantisers import initial_log_step, integer_weights, step_size

__all__ = ["Phase", "PopulationLayer", "Signal", "Student", "StudentConfig", "StudentOutputs"]


_OR = NeuronSettings(reset=Reset.HARD, initial=Initial.ZERO, surrogate=Surrogate.TRIANGLE)
"""With threshold 1 and non-negative input: fires where anything arrives, and forgets it."""


class Phase(Enum):
    """How much of the integer network is already there; phases are entered in this order, but for the rival's."""

    TWIN = "twin"
    FLOAT = "float"
    QUANTISED = "quantised"
    FOLDED = "folded"
    RIVAL = "rival"

    @property
    def timeless(self) -> bool:
        """Whether the network is an artificial one, of one pass."""
        return self in (Phase.TWIN, Phase.RIVAL)

    @property
    def rounds(self) -> bool:
        """Whether weights are multiples of a quantiser's step."""
        return self in (Phase.QUANTISED, Phase.RIVAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentConfig:
    """Everything that shapes a student.

    Attributes
    ----------
    time_steps
        ``T``.
    input_bits
        Width of a pixel; without a part in `events`.
    weight_bits
        1 to 8 per population with weights, by name; 2 bits are ternary.
    fraction_bits
        ``f``: extra bits of membranes, thresholds and biases below one weight step.
    readout_leak
        ``k`` of the readout's leak; None for one that sums.
    """

    architecture: Architecture
    time_steps: int
    encoding: Encoding
    input_bits: int
    weight_bits: Mapping[str, int]
    fraction_bits: int
    neuron: NeuronSettings
    readout_leak: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What a population gives: ``[T, B, C, H, W]``, or ``[B, C, H, W]`` where it is the same at every step."""

    values: Tensor
    constant: bool

    def folded(self) -> Tensor:
        """Time folded into the batch: ``[T * B, C, H, W]``."""
        return self.values if self.constant else self.values.flatten(0, 1)

    def later(self, delay: int, steps: int | None) -> Signal:
        """The same signal ``delay`` of ``steps`` steps later, silent before; as it is where there is no time."""
        if not delay or steps is None:
            return self
        values = self.values.expand(steps, *self.values.shape) if self.constant else self.values
        late = torch.zeros_like(values)
        late[delay:] = values[: max(steps - delay, 0)]
        return Signal(values=late, constant=False)

    def regrouped(self, steps: int) -> Signal:
        """In so many steps: neighbours are summed in groups of nearly equal size, or steps are repeated."""
        have = len(self.values)
        if self.constant or have == steps:
            return self
        fewer, more = sorted((have, steps))
        ends = [round((k + 1) * more / fewer - 1e-5) for k in range(fewer)]
        sizes = [end - start for start, end in zip([0, *ends], ends, strict=False)]
        if have < steps:
            return Signal(
                values=self.values.repeat_interleave(torch.tensor(sizes).to(self.values.device), dim=0), constant=False
            )
        return Signal(values=torch.stack([group.sum(dim=0) for group in self.values.split(sizes)]), constant=False)

    def like(self, folded: Tensor) -> Signal:
        """The same signal in time, of other values."""
        values = folded if self.constant else folded.unflatten(0, self.values.shape[:2])
        return Signal(values=values, constant=self.constant)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentOutputs:
    """One forward pass.

    Attributes
    ----------
    readout
        What every step adds to the logits, ``[T, B, K]``: the readout's current, or if it leaks the change of its
        membranes; integers in the folded phase.
    scale
        Real value of one unit of it, ``[1]``; of a leaky readout so that a steady current counts as in one that sums.
    spikes
        Of every hidden population by name, ``[T, B, C, H, W]``; its firing rates ``[1, B, C, H, W]`` where there is no
        time.
    membranes
        Before the reset, in units of the threshold, ``[T, B, C, H, W]``, if they were asked for.
    """

    readout: Tensor
    scale: Tensor
    spikes: Mapping[str, Tensor]
    membranes: Mapping[str, Tensor]

    @property
    def step_logits(self) -> Tensor:
        """What every step adds in real units, ``[T, B, K]``; its mean over time are the logits of a loss."""
        return self.readout * self.scale

    @property
    def classes(self) -> Tensor:
        """Index of the largest sum over time, ``[B]``; summed before scaling, so that integers stay integers."""
        return self.readout.sum(dim=0).argmax(dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Synapses:
    """What a population computes with in one phase.

    Attributes
    ----------
    weights, constants
        Of the weighted and of the pooling projections, each in their order.
    bias
        Added to the current; None where a live batch norm does that.
    threshold
        ``[C, 1, 1]``; None in the readout.
    scale
        Real value of one unit of the current.
    """

    weights: Sequence[Tensor]
    constants: Sequence[Tensor]
    bias: Tensor | None
    threshold: Tensor | None
    scale: Tensor


class PopulationLayer(nn.Module):
    """All synapses into one population, with its normalisation and threshold.

    Parameters
    ----------
    unit
        Real value of an input of 1; after average pooling over square windows, of the sum over its window.
    """

    threshold: Tensor | None
    """``theta``, ``[C]``; None in the readout."""

    def __init__(
        self, spec: PopulationSpec, *, unit: float, bits: int, fraction_bits: int, leak_shift: int | None = None
    ) -> None:
        super().__init__()
        self.spec = spec
        self.unit = unit
        self.bits = bits
        self.fraction_bits = fraction_bits
        self.leak_shift = leak_shift
        channels = spec.shape[0]
        self.weights = nn.ParameterList()
        self.constants = nn.ParameterList()
        for projection in spec.projections:
            if projection.kind is ProjectionKind.POOLING:
                self.constants.append(nn.Parameter(torch.ones(projection.weights), requires_grad=self.spiking))
            else:
                weight = nn.Parameter(torch.empty(projection.weights))
                if projection is spec.loop:
                    # It acts with the gain of a batch norm that has not seen it: drawn at random, it fires by itself.
                    nn.init.zeros_(weight)
                else:
                    nn.init.kaiming_uniform_(weight, a=5**0.5)
                if not projection.square:  # its window is summed: the unit of a spread weight knows no division
                    with torch.no_grad():
                        weight.div_(math.prod(projection.pool))
                self.weights.append(weight)
        if len(self.weights):
            self.log_step = nn.Parameter(initial_log_step(list(self.weights), bits, per_channel=self.spiking))
        self.norm = nn.BatchNorm2d(channels) if self.spiking else None
        self.bias = nn.Parameter(torch.zeros(channels)) if spec.role is Role.READOUT else None
        self.register_buffer("threshold", None if spec.role is Role.READOUT else torch.ones(channels))

    @property
    def spiking(self) -> bool:
        """It has a batch norm, and a quantiser step per channel."""
        return self.spec.role is Role.SPIKING

    @property
    def step(self) -> Tensor:
        """Quantiser steps ``d``, ``[C]`` or ``[1]``, float64."""
        return step_size(self.log_step)

    def start_quantiser(self) -> None:
        """Set the quantiser steps from the weights as they are now."""
        if len(self.weights):
            with torch.no_grad():
                self.log_step.copy_(initial_log_step(list(self.weights), self.bits, per_channel=self.spiking))

    def fold(self) -> FoldedLayer:
        """The population in integers, from the running statistics of its batch norm."""
        if self.spec.role is Role.MAX:
            one = self.constants[0].detach().double()
            return FoldedLayer(weights=(), constants=(one,), bias=0 * one, threshold=one, scale=one, fraction_bits=0)
        return fold(
            weights=list(self.weights),
            constants=list(self.constants),
            step=self.step,
            bias=self.bias,
            norm=self._frozen_norm(),
            threshold=self.threshold,
            unit=self.unit,
            bits=self.bits,
            fraction_bits=self.fraction_bits,
            leak_shift=self.leak_shift,
        )

    def _frozen_norm(self) -> Norm | None:
        if self.norm is None:
            return None
        assert self.norm.running_mean is not None
        assert self.norm.running_var is not None
        return Norm(
            gain=self.norm.weight,
            offset=self.norm.bias,
            mean=self.norm.running_mean,
            variance=self.norm.running_var,
            epsilon=self.norm.eps,
        )

    def synapses(self, phase: Phase, dtype: torch.dtype) -> Synapses:
        """Weights, bias and threshold as this phase has them."""
        if phase is Phase.FOLDED:
            folded = self.fold()
            shift = 2**folded.fraction_bits
            return Synapses(
                weights=[(weight * shift).to(dtype) for weight in folded.weights],
                constants=[value.to(dtype) for value in folded.constants],
                bias=folded.bias.to(dtype),
                threshold=None if folded.threshold is None else folded.threshold.to(dtype).view(-1, 1, 1),
                scale=folded.scale.to(dtype),
            )
        weights = [weight * self.unit if self.unit != 1.0 else weight for weight in self.weights]
        if phase.rounds and len(self.weights):
            value = self.step * self.unit
            weights = [
                (integer_weights(weight, self.step, self.bits) * value.view(-1, *[1] * (weight.dim() - 1))).to(dtype)
                for weight in self.weights
            ]
        # A recurrent weight acts behind the batch norm, with its gain: statistics of its sums do not exist beforehand.
        if self.spec.loop is not None:
            weights[-1] = weights[-1] * self._gain()[:, None].to(dtype)
        return Synapses(
            weights=weights,
            constants=list(self.constants),
            bias=self.bias,
            threshold=None if self.threshold is None else self.threshold.view(-1, 1, 1),
            scale=weights[0].new_ones(1) if weights else self.constants[0].new_ones(1),
        )

    def _gain(self) -> Tensor:
        norm = self._frozen_norm()
        assert norm is not None
        return norm.gain / torch.sqrt(norm.variance + norm.epsilon)

    def current(self, signals: Mapping[str, Signal], synapses: Synapses, *, live: bool, steps: int | None) -> Signal:
        """Current of all projections but the loop, ``[T, B, C, H, W]``.

        Parameters
        ----------
        live
            Through the batch norm.
        steps
            ``T``; None for a twin, which has no time and so no delays.
        """
        weights, constants = iter(synapses.weights), iter(synapses.constants)
        total: Signal | None = None
        added: Signal | None = None
        for projection in self.spec.projections:
            if projection is self.spec.loop:
                continue
            source = signals[projection.source]
            if projection.kind is ProjectionKind.POOLING:
                window = _window_sum(source, projection.kernel)
                added = source.like(window * next(constants).view(-1, 1, 1)).later(projection.delay, steps)
            else:
                part = _weighted_sum(source, next(weights), projection).later(projection.delay, steps)
                total = part if total is None else _plus(total, part)
        if total is None:
            assert added is not None
            return added
        if live and self.norm is not None:
            total = total.like(self.norm(total.folded()))
        elif synapses.bias is not None:
            total = total.like(total.folded() + synapses.bias.view(-1, 1, 1))
        return total if added is None else _plus(total, added)


class Student(nn.Module):
    """A network of populations; the last is the readout.

    The input is what `snnc.distill.encoding.encode` gives: ``[B, C, H, W]`` pixels (`direct`) or ``[T, B, C, H, W]``
    spikes.
    """

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        self.config = config
        self.phase = Phase.FLOAT
        self.layers = nn.ModuleDict()
        for spec in config.architecture.populations:
            first = spec.projections[0]
            self.layers[spec.name] = PopulationLayer(
                spec,
                unit=1 / self._largest_input(first) / (math.prod(first.pool) if first.square else 1),
                bits=config.weight_bits.get(spec.name, 8),
                fraction_bits=config.fraction_bits if _counts_finely(spec, config) else 0,
                leak_shift=config.neuron.leak_shift if spec.role is Role.SPIKING else None,
            )

    @property
    def populations(self) -> Mapping[str, PopulationLayer]:
        return {name: layer for name, layer in self.layers.items() if isinstance(layer, PopulationLayer)}

    def _largest_input(self, projection: ProjectionSpec) -> int:
        pixels = self.config.encoding is Encoding.DIRECT and projection.source == INPUT
        return 2**self.config.input_bits - 1 if pixels else 1

    def enter(self, phase: Phase) -> None:
        """Go on to a phase; entering one that rounds weights sets the quantiser steps from them."""
        self.phase = phase
        if phase.rounds:
            for layer in self.populations.values():
                layer.start_quantiser()

    def check_range(self) -> None:
        """Refuse membranes that float32 cannot count exactly (`snnc.distill.folding.check_range`)."""
        for name, layer in self.populations.items():
            projections = layer.spec.projections
            check_range(
                name,
                layer.fold(),
                largest_input=self._largest_input(projections[0]) * math.prod(projections[0].pool),
                windows=[math.prod(p.kernel) for p in projections if p.kind is ProjectionKind.POOLING],
                time_steps=self.config.time_steps,
            )

    def forward(
        self,
        x: Tensor,
        *,
        time_steps: int | None = None,
        membranes: bool = False,
        given: Mapping[str, Tensor] = MappingProxyType({}),
        mixed: Mapping[str, int] = MappingProxyType({}),
    ) -> StudentOutputs:
        """Run it.

        Parameters
        ----------
        time_steps
            By default all; the spikes of a `rate` or `events` input bring their own number.
        membranes
            Whether the outputs have them.
        given
            Rates ``[B, C, H, W]`` of populations, which are then not computed: of a network without time.
        mixed
            Numbers of steps of populations that have their own; what they hear is regrouped (`Signal.regrouped`).
        """
        direct = self.config.encoding is Encoding.DIRECT
        steps = len(x) if not direct else self.config.time_steps if time_steps is None else time_steps
        signals = {INPUT: Signal(values=_as_map(x, self.config.architecture.shape), constant=direct)}
        if self.phase.timeless and not direct:
            signals[INPUT] = Signal(values=signals[INPUT].values.mean(dim=0), constant=True)
        spikes: dict[str, Tensor] = {}
        before_reset: dict[str, Tensor] = {}
        for name, layer in self.populations.items():
            if name in given:
                signals[name], spikes[name] = Signal(values=given[name], constant=True), given[name][None]
                continue
            synapses = layer.synapses(self.phase, x.dtype)
            if mixed:
                steps = mixed[name]
            heard = {source: signal.regrouped(steps) for source, signal in signals.items()} if mixed else signals
            time = None if self.phase.timeless else steps
            sums = layer.current(heard, synapses, live=self.phase is not Phase.FOLDED, steps=time)
            current = Signal(values=sums.values.to(x.dtype), constant=sums.constant)  # of mixed precision
            if synapses.threshold is None:
                readout = current.values.flatten(-3)  # [T, B, K], or [B, K] of a constant input
                if current.constant:
                    readout = readout.expand(1 if self.phase.timeless else steps, *readout.shape)
                scale, leak = synapses.scale, self.config.readout_leak
                if leak is not None and not self.phase.timeless:
                    readout = leaky_additions(readout, leak, whole=self.phase is Phase.FOLDED)
                    scale = scale * (steps / sum((1 - 2.0**-leak) ** age for age in range(steps)))
                return StudentOutputs(readout=readout, scale=scale, spikes=spikes, membranes=before_reset)
            if self.phase.timeless:
                rates = self._rates(layer, current, signals)
                signals[name], spikes[name] = Signal(values=rates, constant=True), rates[None]
            else:
                spikes[name], before = self._spikes(layer, synapses, current, steps)
                if membranes:
                    before_reset[name] = before / synapses.threshold.detach()
                signals[name] = Signal(values=spikes[name], constant=False)
        raise AssertionError("the last population of a student is a readout")

    def _rates(self, layer: PopulationLayer, current: Signal, signals: Mapping[str, Signal]) -> Tensor:
        if layer.spec.role is Role.MAX:
            projection = layer.spec.projections[0]
            return F.max_pool2d(signals[projection.source].values, projection.kernel)
        return count_levels(current.values, levels=self.config.time_steps, initial=self.config.neuron.initial)

    def _spikes(self, layer: PopulationLayer, synapses: Synapses, current: Signal, steps: int) -> tuple[Tensor, Tensor]:
        """Spikes and membranes before the reset, ``[T, B, C, H, W]``."""
        assert synapses.threshold is not None
        whole = self.phase is Phase.FOLDED
        neuron = self.config.neuron if layer.spiking else _OR
        return integrate_and_fire(
            current.values,
            synapses.threshold,
            neuron,
            time_steps=steps,
            constant=current.constant,
            whole=whole,
            loop=None if layer.spec.loop is None else synapses.weights[-1],
        )


def _counts_finely(spec: PopulationSpec, config: StudentConfig) -> bool:
    """Whether a population has fraction bits: what a sum adds up is exact without."""
    return spec.role is Role.SPIKING or (spec.role is Role.READOUT and config.readout_leak is not None)


def _as_map(x: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """``[..., C, H, W]`` in the shape of the input."""
    x = x.reshape(*x.shape[:-3], *shape)
    return channels_last(x) if x.dim() == 4 else channels_last(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def _weighted_sum(source: Signal, weight: Tensor, projection: ProjectionSpec) -> Signal:
    x = _window_sum(source, projection.pool)
    if projection.kind is ProjectionKind.DENSE:
        return source.like(F.linear(x.flatten(1), weight)[:, :, None, None])
    return source.like(
        F.conv2d(x, weight, stride=projection.stride, padding=projection.padding, groups=projection.groups)
    )


def _window_sum(source: Signal, window: Pair) -> Tensor:
    x = source.folded()
    return F.avg_pool2d(x, window, divisor_override=1) if window != (1, 1) else x


def _plus(one: Signal, other: Signal) -> Signal:
    """A constant signal is added to every step of one that is not."""
    return Signal(values=one.values + other.values, constant=one.constant and other.constant)
