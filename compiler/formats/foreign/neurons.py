"""A neuron made elsewhere becomes one of ours: what folds into weights and biases, what is exact, what is refitted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from snnc.compiler.errors import CheckpointError
from snnc.compiler.formats.foreign.assumptions import ResetKind
from snnc.compiler.formats.foreign.findings import RefusalError
from snnc.compiler.formats.foreign.nodes import Firing, Floats, Integrator
from snnc.compiler.formats.foreign.synapses import per_channel
from snnc.compiler.ir import Initial, IntegrateAndFire, Readout, Reset, Shape, frozen

__all__ = ["SINGLE", "Folded", "fold", "fold_integrator"]

SINGLE: Final = 1e-6
"""Relative: parameters of files are rounded to single precision, some of them more than once."""

_MOST_SHIFT: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Folded:
    """What a layer of neurons became.

    Attributes
    ----------
    neuron
        Ours; the readout, of an integrator.
    gain, bias
        Per channel: the factor of all weights and biases into the layer, and what is added to its bias after that.
    back
        What a spike adds to its own neuron's current in the next step, per channel; None for nothing.
    said
        Sentences for the finding.
    refit
        By how much it is another neuron; empty where it is the same.
    """

    neuron: IntegrateAndFire | Readout
    gain: Floats
    bias: Floats
    back: Floats | None
    said: str
    refit: str = ""


def fold(firing: Firing, shape: Shape, *, exact: bool) -> Folded:
    """The integrate-and-fire neuron that `firing` is, in membranes from its reset potential on.

    With ``V' = V - v_reset``: ``U' = beta V' + gain I + drive - (1 - beta) v_reset``, ``threshold' = threshold -
    v_reset``; a soft reset keeps ``v_reset`` out of it.

    Parameters
    ----------
    exact
        Refuse a leak that has no shift.

    Raises
    ------
    CheckpointError
        A parameter has an impossible value or shape.
    RefusalError
        No neuron of ours is near to it.
    """
    names = ("beta", "gain", "threshold", "drive", "v_reset", "initial")
    values = {name: per_channel(getattr(firing, name), shape, f"values of {name}") for name in names}
    if not all(np.isfinite(array).all() for array in values.values()):
        raise CheckpointError("it has a parameter that is NaN or infinite.")
    hard = firing.reset is ResetKind.HARD
    origin = values["v_reset"] if hard else np.zeros(shape[0])
    beta = values["beta"]
    shift, kept, refit = _leak(beta, exact=exact)
    if firing.caveat and exact:
        raise RefusalError(firing.caveat, "Allow it (without exact), or train with another setting.")
    refit = " ".join(filter(None, (refit, firing.caveat)))
    threshold = values["threshold"] - origin
    if threshold.min() <= 0:
        raise RefusalError(
            f"its threshold lies {threshold.min():g} above its reset potential; it must be above 0.",
            "A neuron that fires without a current has no counterpart.",
        )
    bias = values["drive"] - (1 - beta) * origin
    initial = _initial(values["initial"] - origin, threshold)
    floor = None
    if firing.floor is not None:
        floor = frozen(per_channel(firing.floor, shape, "floors") - origin)
    said = "IF" if shift is None else f"LIF, leak 1 - 2^-{shift}"
    said += f", {'hard' if hard else 'soft'} reset, fires at {firing.comparison.value} {_range(threshold)}"
    back, taken = None, None
    if firing.reset is ResetKind.LATE:
        said += ", subtracted in the next step"
        if kept > 0:
            # Subtracted before the leak, it is the threshold after it.
            taken = frozen(threshold / kept)
        else:
            back = -threshold
            said += " through a synapse of each neuron to itself"
    return Folded(
        neuron=IntegrateAndFire(
            threshold=frozen(threshold),
            reset=Reset.HARD if hard else Reset.SOFT,
            initial=initial,
            leak_shift=shift,
            floor=floor,
            comparison=firing.comparison,
            subtracted=taken,
        ),
        gain=_snapped(values["gain"]),
        bias=bias,
        back=back,
        said=said + ".",
        refit=refit,
    )


def fold_integrator(integrator: Integrator, shape: Shape, *, exact: bool, leak_ignored: bool) -> Folded:
    """A readout that sums, or leaks.

    Parameters
    ----------
    exact
        Refuse a leak that has no shift.
    leak_ignored
        It is to sum even where the integrator leaks.

    Raises
    ------
    RefusalError
        No readout of ours is near to it.
    """
    beta = per_channel(integrator.beta, shape, "values of beta")
    if not np.isfinite(beta).all():
        raise CheckpointError("it has a parameter that is NaN or infinite.")
    shift, refit = None, ""
    if leak_ignored:
        if (np.abs(beta - 1) > SINGLE).any():
            refit = f"it is a readout that leaks, of which a step leaves {_range(beta)}; its sum is taken."
    else:
        shift, _, refit = _leak(beta, exact=exact)
    return Folded(
        neuron=Readout(leak_shift=shift),
        gain=_snapped(per_channel(integrator.gain, shape, "values of gain")),
        bias=per_channel(integrator.drive, shape, "values of drive"),
        back=None,
        said="The readout's sum." if shift is None else f"A leaky readout, leak 1 - 2^-{shift}.",
        refit=refit,
    )


def _leak(beta: Floats, *, exact: bool) -> tuple[int | None, float, str]:
    """The shift of a leak (None for none), what it leaves of a membrane, and how far off that is, if it is."""
    low, high = float(beta.min()), float(beta.max())
    if low < -SINGLE or high > 1 + SINGLE:
        raise RefusalError(
            f"a step leaves {_range(beta)} of the membrane; 0 to 1 is possible.", "Is the length of a step right (dt)?"
        )
    mean = (low + high) / 2
    shift = _nearest(mean)
    if _nearest(low) != shift or _nearest(high) != shift:
        raise RefusalError(f"its leak differs within the layer, from {low:g} to {high:g}; one per layer is built.")
    kept = 1.0 if shift is None else 1 - 2.0**-shift
    error = max(abs(low - kept), abs(high - kept))
    if error <= SINGLE:
        return shift, kept, ""
    near = "1" if shift is None else f"1 - 2^-{shift} = {kept:g}"
    if exact:
        raise RefusalError(
            f"a step leaves {_range(beta)} of the membrane; exact are 0, 1 and 1 - 2^-k, and the nearest is {near}.",
            f"Train with {kept:g}, or allow the nearest (without exact).",
        )
    return shift, kept, f"a step leaves {near} of the membrane instead of {_range(beta)}: {error:.2g} off."


def _nearest(beta: float) -> int | None:
    if beta >= 1 - 2.0 ** -(_MOST_SHIFT + 1):
        return None
    return min(range(_MOST_SHIFT + 1), key=lambda shift: abs(beta - (1 - 2.0**-shift)))


def _snapped(gain: Floats) -> Floats:
    """Gains that single precision keeps from being powers of two are these."""
    if (gain <= 0).any():
        raise RefusalError(f"its current has the factor {_range(gain)}; a positive one is needed.")
    powers = 2.0 ** np.rint(np.log2(gain))
    return np.where(np.abs(gain / powers - 1) <= SINGLE, powers, gain)


def _initial(start: Floats, threshold: Floats) -> Initial:
    if (np.abs(start) <= SINGLE * threshold).all():
        return Initial.ZERO
    if np.allclose(start, threshold / 2, rtol=SINGLE, atol=0):
        return Initial.HALF
    raise RefusalError(
        f"its membranes start {_range(start)} above the reset potential; 0 and half the threshold are built.",
        "Start them there.",
    )


def _range(values: Floats) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.6g}" if math.isclose(low, high, rel_tol=SINGLE) else f"{low:.6g} to {high:.6g}"
