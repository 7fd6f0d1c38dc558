"""What hardware computes a population: what every kind of engine must say of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from snnc.compiler.plan.faults import Fault
from snnc.compiler.plan.memories import MemoryPlan

if TYPE_CHECKING:
    from snnc.compiler.plan.engines import EnginePlan

__all__ = ["EngineKind", "multiplier_fault", "multiplier_takes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineKind(ABC):
    """The record of one kind of engine; each is a folder below `rtl/engines/`, with a subclass in its ``plan.py``.

    Attributes
    ----------
    kind
        The folder's name, which stands in ``plan.json``.
    """

    kind: ClassVar[str]

    @property
    @abstractmethod
    def memories(self) -> tuple[MemoryPlan, ...]:
        """Those that no other kind has."""

    @abstractmethod
    def steps_at_once(self, engine: EnginePlan, time_steps: int) -> int | None:
        """How many steps a word takes before the next word begins, in a sample of so many. None: one after another.

        It is the order in which a bench traces the words.
        """

    @property
    def into_maps(self) -> bool:
        """Whether its spikes go into spike maps, all steps of a word before the next word's."""
        return False

    @property
    def in_multipliers(self) -> int:
        """Lanes of each unit, the first ones, whose products are taken in a chip's multipliers."""
        return 0

    @property
    def lanes_each(self) -> int:
        """How many of these share a multiplier: two or one."""
        return 2

    @property
    def reads_maps(self) -> bool:
        """Whether it reads the spike maps of its projections by itself, in an order of its own."""
        return False

    @property
    def takes_words(self) -> bool:
        """Whether it takes beats of the network's input that bring the pixels of several channels."""
        return False

    @property
    def apart(self) -> bool:
        """Whether each column bank is a *unit* that works on words of its own at its own pace.

        Unit ``p`` of ``P`` has the words of row ``y`` and column ``x`` where ``(x + y) mod P`` is ``p``
        (`LayoutPlan.columns_of`).
        """
        return False

    def faults(self) -> Iterator[Fault]:
        """What breaks a rule of the kind's own fields."""
        yield from ()

    @abstractmethod
    def faults_in(self, engine: EnginePlan) -> Iterator[Fault]:
        """What breaks a rule between them and the engine; paths begin at the engine."""


def multiplier_fault(engine: EnginePlan, value_bits: int, sum_bits: int) -> Fault | None:
    """What a kind that has products in multipliers (`EngineKind.in_multipliers`) asks too much of them; or None.

    They take 8 bits of a weight and of a value, and add up in 16.
    """
    summed = engine.kind.in_multipliers
    if not 0 <= summed <= engine.lanes:
        return Fault("kind.summed", f"is {summed}, but there are {engine.lanes} lanes")
    if engine.kind.lanes_each not in (1, 2):
        return Fault("kind.lanes_each", f"is {engine.kind.lanes_each}; a multiplier takes 1 or 2 lanes")
    if summed and not multiplier_takes(engine.main.weight_bits, value_bits, sum_bits):
        return Fault("kind.summed", f"is {summed}, but weights, values or sums are wider than a multiplier is")
    return None


def multiplier_takes(weight_bits: int, value_bits: int, sum_bits: int) -> bool:
    """Whether a multiplier takes such products, and sums of them."""
    return weight_bits <= 8 and value_bits <= 8 and sum_bits <= 16
