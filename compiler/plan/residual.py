"""The residual ``X = leak(V) + bias - threshold``: what hardware keeps of a membrane ``V``, and the way there and back.

Accumulating the events of a step turns it into ``U - threshold``, whose sign is the spike. For an IF neuron one
addition of ``bias`` or of ``bias - threshold`` then gives the next step's residual: comparison, bias and soft reset
together cost one adder. A floor and a leak take further passes through the same adder (`SweepPass`). A readout keeps
``X = V``; one that leaks keeps ``X = leak(V) - 1`` from one step to the next, which is -1 at a sample's start.

Here is what the compiler and the verifier know of it: which passes a sweep has, what each of them adds, which values
the register takes on the way, and what a recorded residual says of the membrane. The hardware (`rtl/neurons.py`) and
the golden model (`sim/models/golden.py`, which knows membranes only) are written apart from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir.graph import Population
from snnc.compiler.ir.neurons import Initial, IntegrateAndFire, Readout

__all__ = ["ConstantField", "Residual", "SweepPass", "constant_fields_of", "leaked", "membrane_pass_of", "passes_of"]

_Integers: TypeAlias = npt.NDArray[np.int64]


class SweepPass(Enum):
    """What happens to every membrane word when a step ends, in this order. ``z`` is the floor, or 0 without one."""

    FIRE = "fire"
    """Spike where ``X >= 0``; then ``X = V - z``, the membrane after the reset but before the floor."""
    FLOOR = "floor"
    """``X = max(X, 0)`` and a constant: the membrane, or without a leak the next step's residual."""
    LEAK = "leak"
    """``X = X - (X >> k) - 1``, which takes no carry. In a readout it is the last one, and leaves -1 as it is."""
    BIAS = "bias"
    """``X = X + 1 + (bias - threshold)``; in a readout, ``X = V + bias``, or with a leak ``X + 1 + bias``."""


class ConstantField(Enum):
    """What a pass of a sweep adds, one value per channel."""

    FIRED = "fired"
    """By `SweepPass.FIRE` where the neuron spikes."""
    SILENT = "silent"
    """By `SweepPass.FIRE` where it does not."""
    FLOOR = "floor"
    """By `SweepPass.FLOOR`."""
    BIAS = "bias"
    """By `SweepPass.BIAS`."""
    INITIAL = "initial"
    """The residual that a sample begins with."""


_FIELDS: Mapping[SweepPass, tuple[ConstantField, ...]] = {
    SweepPass.FIRE: (ConstantField.FIRED, ConstantField.SILENT),
    SweepPass.FLOOR: (ConstantField.FLOOR,),
    SweepPass.LEAK: (),
    SweepPass.BIAS: (ConstantField.BIAS,),
}
"""What each pass reads."""


def passes_of(*, fires: bool, floor: bool, leaks: bool) -> tuple[SweepPass, ...]:
    """The passes of a sweep, in order."""
    if not fires:
        return (SweepPass.BIAS, SweepPass.LEAK) if leaks else (SweepPass.BIAS,)
    passes = [SweepPass.FIRE]
    if floor:
        passes.append(SweepPass.FLOOR)
    if leaks:
        passes += [SweepPass.LEAK, SweepPass.BIAS]
    return tuple(passes)


def membrane_pass_of(passes: tuple[SweepPass, ...]) -> int:
    """Index of the pass after which a word holds the membrane, but for `Residual.back`."""
    return passes.index(SweepPass.FLOOR) if SweepPass.FLOOR in passes else 0


def constant_fields_of(passes: tuple[SweepPass, ...], *, initial: bool) -> tuple[ConstantField, ...]:
    """The fields of a word of constants, the lowest first; `initial` says whether the first residual is among them."""
    fields = [field for sweep_pass in passes for field in _FIELDS[sweep_pass]]
    return (*fields, ConstantField.INITIAL) if initial else tuple(fields)


def leaked(membrane: _Integers, shift: int | None) -> _Integers:
    """``leak(V)``, which keeps the order of membranes."""
    return membrane if shift is None else membrane - (membrane >> min(shift, 62))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Residual:
    """The residuals of some neurons, or of one per channel.

    Attributes
    ----------
    bias
        Integers of shape ``(neurons,)``, as the others.
    threshold, floor
        None for a readout, and where membranes have no floor.
    initial
        The membrane that a sample begins with.
    leak_shift
        None for IF.
    subtracted
        By a soft reset; None for the threshold.
    """

    bias: _Integers
    threshold: _Integers | None
    floor: _Integers | None
    initial: _Integers
    leak_shift: int | None
    subtracted: _Integers | None = None

    @staticmethod
    def of(population: Population) -> Residual:
        """One neuron for each channel of an integer population."""
        bias = population.bias.astype(np.int64)
        neuron = population.neuron
        if not isinstance(neuron, IntegrateAndFire):
            leak = neuron.leak_shift if isinstance(neuron, Readout) else None
            return Residual(bias=bias, threshold=None, floor=None, initial=np.zeros_like(bias), leak_shift=leak)
        threshold = neuron.threshold.astype(np.int64)
        return Residual(
            bias=bias,
            threshold=threshold,
            floor=None if neuron.floor is None else neuron.floor.astype(np.int64),
            initial=threshold >> 1 if neuron.initial is Initial.HALF else np.zeros_like(threshold),
            leak_shift=neuron.leak_shift,
            subtracted=None if neuron.subtracted is None else neuron.subtracted.astype(np.int64),
        )

    def padded(self, count: int) -> Residual:
        """With so many neurons: those that are added never fire."""

        def longer(values: _Integers, padding: int) -> _Integers:
            return np.pad(values, (0, count - len(values)), constant_values=padding)

        return Residual(
            bias=longer(self.bias, 0),
            threshold=None if self.threshold is None else longer(self.threshold, 1),
            floor=None if self.floor is None else longer(self.floor, 0),
            initial=longer(self.initial, 0),
            leak_shift=self.leak_shift,
            subtracted=None if self.subtracted is None else longer(self.subtracted, 1),
        )

    def constants(self) -> Mapping[ConstantField, _Integers]:
        """What each field holds, ``(neurons,)``."""
        if self.threshold is None:
            return {ConstantField.BIAS: self.bias if self.leak_shift is None else self.bias + 1}
        # From the membrane to the next step's residual; the leak leaves one too few.
        onward = self.bias - self.threshold
        # Without a pass of its own, a constant is part of the one before it.
        floored = onward if self.leak_shift is None else np.zeros_like(onward)
        fired = floored if self.floor is None else -self.floor
        return {
            # What is subtracted beyond the threshold, which the residual has lost already.
            ConstantField.FIRED: fired if self.subtracted is None else fired + self.threshold - self.subtracted,
            ConstantField.SILENT: fired + self.threshold,
            ConstantField.FLOOR: floored if self.floor is None else self.floor + floored,
            ConstantField.BIAS: onward + 1,
            ConstantField.INITIAL: leaked(self.initial, self.leak_shift) + onward,
        }

    def held(self, *, before: _Integers, unclamped: _Integers, after: _Integers) -> tuple[_Integers, ...]:
        """All values that the register takes in a step which gives these membranes, each growing with all of them.

        Parameters
        ----------
        before, unclamped, after
            ``U``, the membrane after the reset but before the floor, and ``V``.
        """
        if self.threshold is None:
            return (before, after) if self.leak_shift is None else (before, after, leaked(after, self.leak_shift) - 1)
        values = [leaked(after, self.leak_shift) + (self.bias - self.threshold), before - self.threshold]
        if self.floor is not None:
            values.append(unclamped - self.floor)
        if self.leak_shift is not None:
            values += [after, leaked(after, self.leak_shift) - 1]
        return tuple(values)

    def back(self) -> _Integers:
        """What must be added to a residual recorded after the pass `membrane_pass_of` to give ``V``."""
        if self.threshold is None or self.leak_shift is not None:
            return np.zeros_like(self.bias)
        return self.threshold - self.bias
