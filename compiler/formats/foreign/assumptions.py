"""What a network made elsewhere does not say about itself: options, which are recorded wherever they were needed."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

from snnc.compiler.errors import OptionError
from snnc.compiler.formats.interface import ReadOptions
from snnc.compiler.ir import Comparison, Encoding

__all__ = ["Assumption", "Assumptions", "Decoding", "Leak", "ResetKind", "as_assumptions"]


class ResetKind(Enum):
    """What a spike does to the membrane, as libraries mean it."""

    SOFT = "soft"
    """Subtract the threshold in the step of the spike."""
    HARD = "hard"
    """Set to the reset potential in the step of the spike."""
    LATE = "late"
    """Subtract the threshold in the next step, after its leak: snnTorch's ``subtract`` with its default delay."""


class Leak(Enum):
    """How a differential equation becomes a step of length ``dt``."""

    EULER = "euler"
    """``beta = 1 - dt / tau``."""
    EXPONENTIAL = "exponential"
    """``beta = exp(-dt / tau)``."""


class Decoding(Enum):
    """What the network's answer is."""

    OWN = "own"
    """What its last node is: the spikes of a firing one, counted; the sum of a linear one; an integrator's membrane."""
    SUM = "sum"
    """As `OWN`, and a leaky integrator at the end is taken for one that does not leak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions(ReadOptions):
    """Options of every reader of networks made elsewhere; what a source says itself has precedence.

    Attributes
    ----------
    dt
        Length of a time step, in the source's unit of time; None where it has not been said.
    reset, comparison, leak
        Of the neurons.
    encoding, bits
        Of the input; `bits` of a pixel, ignored for events.
    time_steps
        ``T_max``.
    decoding
        See `Decoding`.
    fraction_bits
        The most of any layer; fewer where accumulators would be too wide.
    weight_bits
        For which the fraction bits are chosen.
    exact
        Refuse what could only be approximated.
    """

    dt: float | None = None
    reset: ResetKind = ResetKind.HARD
    comparison: Comparison = Comparison.ABOVE
    leak: Leak = Leak.EULER
    encoding: Encoding = Encoding.EVENTS
    bits: int = 8
    time_steps: int = 10
    decoding: Decoding = Decoding.OWN
    fraction_bits: int = 8
    weight_bits: int = 8
    exact: bool = False

    def __post_init__(self) -> None:
        if self.dt is not None and not 0 < self.dt < 1e9:
            raise OptionError(f"dt is {self.dt:g}; a positive length of a time step is needed.")
        for name, low, high in (("bits", 1, 8), ("fraction_bits", 0, 16), ("weight_bits", 1, 8)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise OptionError(f"{name} is {value}; {low} to {high} are possible.")
        if not 1 <= self.time_steps <= 2**16:
            raise OptionError(f"time_steps is {self.time_steps}; 1 to {2**16} are possible.")

    @staticmethod
    def of(values: Mapping[str, Any]) -> Assumptions:
        """The options of these names, each a member of its kind or the text that stands for one.

        Raises
        ------
        OptionError
            There is no such option, or it has no such value.
        """
        kinds = get_type_hints(Assumptions)
        unknown = [name for name in values if name not in kinds]
        if unknown:
            raise OptionError(
                f"There is no option '{unknown[0]}' of networks made elsewhere; known are {', '.join(kinds)}."
            )
        return Assumptions(**{name: _typed(name, value, kinds[name]) for name, value in values.items()})

    @property
    def text(self) -> str:
        """What was said, in a line: for the record of a build."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        shown = {name: value.value if isinstance(value, Enum) else value for name, value in values.items()}
        return ", ".join(f"{name} {value}" for name, value in shown.items() if value is not None)


def _typed(name: str, value: Any, kind: Any) -> Any:
    """A value of an option's type."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        known = [member.value for member in kind]
        if isinstance(value, kind) or value in known:
            return kind(value)
        raise OptionError(f"{name} is {value!r}; possible are {', '.join(known)}.")
    wanted = get_args(kind) if get_origin(kind) is types.UnionType else (kind,)
    allowed = (*wanted, int) if float in wanted else wanted
    if type(value) not in allowed:
        raise OptionError(f"{name} is {value!r}; a value of the type {wanted[0].__name__} is needed.")
    return value


def as_assumptions(options: ReadOptions) -> Assumptions:
    """What a reader was told, or the defaults where it was told nothing."""
    return options if isinstance(options, Assumptions) else Assumptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """One thing that the source did not say and that was taken to be so.

    Attributes
    ----------
    text
        A sentence.
    option
        The option that changes it, without dashes; empty where none does.
    """

    text: str
    option: str = ""
