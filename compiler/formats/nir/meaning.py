"""What each node of NIR does in one time step, under the options.

NIR states differential equations. With a step of ``dt``: ``beta = 1 - dt / tau`` (Euler) or ``exp(-dt / tau)``, the
current's factor is ``r dt / tau`` (of IF and I: ``r dt``), and ``v_leak`` adds ``(1 - beta) v_leak`` in each step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np

from snnc.compiler.errors import CheckpointError, OptionError
from snnc.compiler.formats.foreign.assumptions import Assumption, Assumptions, Leak, ResetKind
from snnc.compiler.formats.foreign.nodes import (
    Affine,
    ChannelAffine,
    Convolve,
    Firing,
    Floats,
    Integrator,
    Operation,
    Pass,
    Pool,
    Refused,
    Sink,
    Source,
    Wait,
)
from snnc.compiler.formats.nir.flatten import Entry
from snnc.compiler.ir import Pair, Shape

__all__ = ["KINDS", "Meaning"]

_NEURONS_LIMIT: Final = 2**22
_DELAY_LIMIT: Final = 2**16
_RESET_SAID: Final = {
    ResetKind.HARD: "set to v_reset",
    ResetKind.SOFT: "subtract the threshold",
    ResetKind.LATE: "subtract the threshold in the next step",
}


@dataclass(slots=True)
class Meaning:
    """Says nodes in the words of `snnc.compiler.formats.foreign.nodes`; remembers what it had to assume."""

    options: Assumptions
    assumed: dict[str, Assumption] = field(default_factory=dict)

    def of(self, entry: Entry) -> Operation:
        """What a node does.

        Raises
        ------
        CheckpointError
            A parameter is missing or has an impossible form.
        OptionError
            It needs the length of a time step, which no option gives.
        """
        meaning = _MEANINGS.get(entry.kind)
        if meaning is None:
            known = ", ".join(sorted(_MEANINGS))
            return Refused(text=f"it is of a type that is not built; known are {known}.", shaped=False)
        return meaning(self, _Fields(entry))

    def dt(self, name: str) -> float:
        if self.options.dt is None:
            raise OptionError(
                f"'{name[:80]}' needs the length of a time step, which a .nir file does not say; give it with --dt: "
                "1e-4 for files of snnTorch and SpikingJelly, 1 for those of sinabs, else that of the simulation."
            )
        self._assume("dt", f"A time step is {self.options.dt:g} long.")
        return self.options.dt

    def beta(self, tau: Floats, name: str) -> Floats:
        if (tau < 0).any():
            raise CheckpointError(f"'{name[:80]}' has a negative time constant.")
        dt = self.dt(name)
        self._assume("leak", f"Leaks are discretised by the {self.options.leak.value} rule.")
        with np.errstate(divide="ignore"):
            match self.options.leak:
                case Leak.EULER:
                    return 1 - dt / tau
                case Leak.EXPONENTIAL:
                    return np.exp(-dt / tau)

    def firing(
        self, *, beta: Floats, gain: Floats, drive: Floats, threshold: Floats, v_reset: Floats, hard_only: bool = False
    ) -> Firing:
        options = self.options
        reset = ResetKind.HARD if hard_only else options.reset
        if not hard_only:
            self._assume("reset", f"A spike's reset is '{reset.value}': {_RESET_SAID[reset]}.")
        self._assume("comparison", f"A neuron fires where its membrane is {options.comparison.value} its threshold.")
        start = v_reset if reset is ResetKind.HARD else np.zeros(1)
        if start.any():
            self._assume("start", "Membranes start at v_reset.")
        return Firing(
            beta=beta,
            gain=gain,
            threshold=threshold,
            drive=drive,
            reset=reset,
            comparison=options.comparison,
            v_reset=v_reset,
            initial=start,
        )

    def _assume(self, option: str, text: str) -> None:
        self.assumed.setdefault(option, Assumption(text=text, option="" if option == "start" else option))


@dataclass(frozen=True, slots=True)
class _Fields:
    """Typed access to a node's datasets."""

    entry: Entry

    @property
    def name(self) -> str:
        return self.entry.name

    def array(self, key: str, dimensions: tuple[int, ...] | None = None) -> Floats:
        value = self.entry.fields.get(key)
        if not isinstance(value, np.ndarray):
            raise CheckpointError(f"{self._where} has no array '{key}'.")
        if value.size == 0 or (dimensions is not None and value.ndim not in dimensions):
            wanted = "" if dimensions is None else f", expected {dimensions[0]} dimensions"
            raise CheckpointError(f"'{key}' of {self._where} has the shape {list(value.shape)[:8]}{wanted}.")
        return value.astype(np.float64)

    def optional(self, key: str, default: float) -> Floats:
        return self.array(key) if key in self.entry.fields else np.full(1, default)

    def has(self, key: str) -> bool:
        return key in self.entry.fields

    def whole(self, key: str, low: int, high: int) -> tuple[int, ...]:
        """One integer or several."""
        values = self.array(key).reshape(-1)
        if len(values) > 8 or (values != np.rint(values)).any() or values.min() < low or values.max() > high:
            raise CheckpointError(f"'{key}' of {self._where} must be integers from {low} to {high}.")
        return tuple(int(value) for value in values)

    def pair(self, key: str, low: int) -> Pair:
        values = self.whole(key, low, 2**16)
        if len(values) > 2:
            raise CheckpointError(f"'{key}' of {self._where} has {len(values)} values; one or two are possible.")
        return values[0], values[-1]

    def padding(self, *, flat: bool) -> Pair | None:
        text = self.entry.fields.get("padding")
        if isinstance(text, str):
            if text not in ("same", "valid"):
                raise CheckpointError(
                    f"'padding' of {self._where} is '{text[:40]}'; 'same', 'valid' or numbers are known."
                )
            return None if text == "same" else (0, 0)
        return (0, self.pair("padding", 0)[0]) if flat else self.pair("padding", 0)

    @property
    def _where(self) -> str:
        return f"{self.entry.kind} '{self.name[:80]}'"


def _input(meaning: Meaning, fields: _Fields) -> Operation:
    if fields.entry.inner:
        return Pass()
    sizes = fields.whole("shape", 1, _NEURONS_LIMIT)
    shape = _shape(sizes)
    if shape is None or shape[0] * shape[1] * shape[2] > _NEURONS_LIMIT:
        raise CheckpointError(
            f"The input has the shape {list(sizes)}; one to three dimensions of at most {_NEURONS_LIMIT:,} values in "
            "all are read."
        )
    return Source(shape=shape)


def _shape(sizes: tuple[int, ...]) -> Shape | None:
    """``(C, H, W)`` of vectors, of channels of sequences, and of images."""
    match sizes:
        case (channels,):
            return channels, 1, 1
        case (channels, length):
            return channels, 1, length
        case (channels, height, width):
            return channels, height, width
        case _:
            return None


def _output(meaning: Meaning, fields: _Fields) -> Operation:
    # Its declared shape is what exporters get wrong: the network's own is what counts.
    return Pass() if fields.entry.inner else Sink()


def _affine(meaning: Meaning, fields: _Fields) -> Operation:
    return Affine(weight=fields.array("weight", (2,)), bias=fields.array("bias", (1,)))


def _linear(meaning: Meaning, fields: _Fields) -> Operation:
    return Affine(weight=fields.array("weight", (2,)))


def _conv1d(meaning: Meaning, fields: _Fields) -> Operation:
    return Convolve(
        weight=fields.array("weight", (3,))[:, :, None, :],
        bias=fields.array("bias", (1,)) if fields.has("bias") else None,
        stride=(1, fields.pair("stride", 1)[0]),
        padding=fields.padding(flat=True),
        dilation=(1, fields.pair("dilation", 1)[0]),
        groups=fields.whole("groups", 1, _NEURONS_LIMIT)[0],
        declared=_declared(fields, 1),
    )


def _conv2d(meaning: Meaning, fields: _Fields) -> Operation:
    return Convolve(
        weight=fields.array("weight", (4,)),
        bias=fields.array("bias", (1,)) if fields.has("bias") else None,
        stride=fields.pair("stride", 1),
        padding=fields.padding(flat=False),
        dilation=fields.pair("dilation", 1),
        groups=fields.whole("groups", 1, _NEURONS_LIMIT)[0],
        declared=_declared(fields, 2),
    )


def _declared(fields: _Fields, count: int) -> tuple[int, ...] | None:
    if not isinstance(fields.entry.fields.get("input_shape"), np.ndarray):
        return None
    sizes = fields.whole("input_shape", 1, _NEURONS_LIMIT)
    if len(sizes) != count:
        raise CheckpointError(f"'input_shape' of '{fields.name[:80]}' has {len(sizes)} values, expected {count}.")
    return sizes


def _scale(meaning: Meaning, fields: _Fields) -> Operation:
    return ChannelAffine(scale=fields.array("scale"))


def _sum_pool(meaning: Meaning, fields: _Fields) -> Operation:
    return _pool(fields, average=False)


def _average_pool(meaning: Meaning, fields: _Fields) -> Operation:
    return _pool(fields, average=True)


def _pool(fields: _Fields, *, average: bool) -> Pool:
    kernel, stride, padding = fields.pair("kernel_size", 1), fields.pair("stride", 1), fields.pair("padding", 0)
    return Pool(kernel=kernel, stride=stride, padding=padding, average=average)


def _flatten(meaning: Meaning, fields: _Fields) -> Operation:
    return Pass()


def _delay(meaning: Meaning, fields: _Fields) -> Operation:
    delay = fields.array("delay")
    dt = meaning.dt(fields.name)
    if delay.min() < 0 or delay.max() / dt > _DELAY_LIMIT:
        return Refused(text=f"it delays by {delay.max() / dt:.6g} steps; 0 to {_DELAY_LIMIT} are built.")
    steps = np.rint(delay / dt)
    if (steps != steps.reshape(-1)[0]).any():
        return Refused(
            text=f"its delays differ, from {steps.min():.0f} to {steps.max():.0f} steps; one per projection is built.",
            remedy="Split the layer by delay.",
        )
    return Wait(steps=int(steps.reshape(-1)[0]))


def _if(meaning: Meaning, fields: _Fields) -> Operation:
    r = fields.array("r")
    return meaning.firing(
        beta=np.ones(1),
        gain=r * meaning.dt(fields.name),
        drive=np.zeros(1),
        threshold=fields.array("v_threshold"),
        v_reset=fields.optional("v_reset", 0.0),
    )


def _lif(meaning: Meaning, fields: _Fields) -> Operation:
    beta, gain, drive = _leaky(meaning, fields, "tau")
    return meaning.firing(
        beta=beta,
        gain=gain,
        drive=drive,
        threshold=fields.array("v_threshold"),
        v_reset=fields.optional("v_reset", 0.0),
    )


def _leaky(meaning: Meaning, fields: _Fields, tau_key: str) -> tuple[Floats, Floats, Floats]:
    """``beta``, the current's factor and what ``v_leak`` adds."""
    tau, r = _fitting(fields.array(tau_key), fields.array("r"), fields)
    beta = meaning.beta(tau, fields.name)
    leak, beta_fitting = _fitting(fields.array("v_leak"), beta, fields)
    # A time constant of nothing leaves nothing of the membrane; its current has the factor r.
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(tau > 0, r * meaning.dt(fields.name) / tau, r)
    return beta, gain, (1 - beta_fitting) * leak


def _fitting(first: Floats, second: Floats, fields: _Fields) -> tuple[Floats, Floats]:
    """Two parameters of one shape, of which either may be a single value."""
    if first.size == 1:
        return np.full(second.shape, float(first.reshape(-1)[0])), second
    if second.size == 1:
        return first, np.full(first.shape, float(second.reshape(-1)[0]))
    if first.shape != second.shape:
        raise CheckpointError(
            f"'{fields.name[:80]}' has parameters of the shapes {list(first.shape)[:8]} and {list(second.shape)[:8]}."
        )
    return first, second


def _i(meaning: Meaning, fields: _Fields) -> Operation:
    return Integrator(beta=np.ones(1), gain=fields.array("r") * meaning.dt(fields.name), drive=np.zeros(1))


def _li(meaning: Meaning, fields: _Fields) -> Operation:
    beta, gain, drive = _leaky(meaning, fields, "tau")
    return Integrator(beta=beta, gain=gain, drive=drive)


def _cuba_lif(meaning: Meaning, fields: _Fields) -> Operation:
    synapse = meaning.beta(fields.array("tau_syn"), fields.name)
    if np.abs(synapse).max() > 1e-6:
        return Refused(
            text=f"its synaptic current is a second state per neuron, of which a step leaves {synapse.max():.6g}.",
            remedy="Train with LIF, or with a synaptic time constant of one step (dt).",
        )
    beta, gain, drive = _leaky(meaning, fields, "tau_mem")
    # The current of the step is w_in S dt / tau_syn, and dt = tau_syn.
    gain, w_in = _fitting(gain, fields.optional("w_in", 1.0), fields)
    return meaning.firing(
        beta=beta,
        gain=gain * w_in,
        drive=drive,
        threshold=fields.array("v_threshold"),
        v_reset=fields.optional("v_reset", 0.0),
    )


def _cuba_li(meaning: Meaning, fields: _Fields) -> Operation:
    return Refused(
        text="its synaptic current is a second state per neuron.",
        remedy="End with a linear node or with firing neurons.",
    )


def _threshold(meaning: Meaning, fields: _Fields) -> Operation:
    zero = np.zeros(1)
    threshold = fields.array("threshold")
    return meaning.firing(beta=zero, gain=np.ones(1), drive=zero, threshold=threshold, v_reset=zero, hard_only=True)


_MEANINGS: Final[Mapping[str, Callable[[Meaning, _Fields], Operation]]] = MappingProxyType(
    {
        "Input": _input,
        "Output": _output,
        "Affine": _affine,
        "Linear": _linear,
        "Conv1d": _conv1d,
        "Conv2d": _conv2d,
        "Scale": _scale,
        "SumPool2d": _sum_pool,
        "AvgPool2d": _average_pool,
        "Flatten": _flatten,
        "Delay": _delay,
        "IF": _if,
        "LIF": _lif,
        "I": _i,
        "LI": _li,
        "CubaLIF": _cuba_lif,
        "CubaLI": _cuba_li,
        "Threshold": _threshold,
    }
)

KINDS: Final = tuple(_MEANINGS)
"""Types of nodes that are known; of another one the file is refused by name."""
