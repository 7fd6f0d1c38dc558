"""What a build may cost and must reach, which of the points to take for it, and what a better one would cost.

A budget is terms with commas between them, each a comparison and perhaps a device::

    <=20us, <=50% logic of up5k, >=99% accuracy
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from snnc.compiler.errors import OptionError
from snnc.compiler.explore.table import AXES, Row
from snnc.compiler.targets import TARGETS, load_target

__all__ = ["Answer", "Term", "answer", "parse_budget"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One term of a budget.

    Attributes
    ----------
    text
        As it was said.
    value
        What of a row is compared.
    limit
        With what.
    least
        Whether it is the least that is taken, instead of the most.
    strict
        Whether the limit itself is not.
    device
        The only device that is taken; None: any.
    quality
        Whether it is of what a build reaches, its accuracy or time, and not of what it takes.
    """

    text: str
    value: Callable[[Row], float]
    limit: float
    least: bool
    strict: bool
    device: str | None
    quality: bool

    def holds(self, row: Row) -> bool:
        if self.device not in (None, row.point.device.name):
            return False
        value = self.value(row)
        if value == self.limit:
            return not self.strict
        return value > self.limit if self.least else value < self.limit

    def excess(self, row: Row) -> float:
        """How far a row is beyond it, as a fraction of the limit; 0 where it holds, infinite on another device."""
        if self.holds(row):
            return 0.0
        if self.device not in (None, row.point.device.name):
            return float("inf")
        return abs(self.value(row) - self.limit) / (abs(self.limit) or 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to take.

    Attributes
    ----------
    taken
        The point with the least logic of those that hold every term, counted in cells of one kind, then the one with
        the least memory, then the fastest; None where none does.
    nearest
        Where none does: the one whose worst term is the least missed. None where there is no point on the devices.
    missed
        Terms that `nearest` misses.
    better
        By the axis: the point that costs the least of those that are better than `taken` in it. It holds every term or,
        where there is none that does, every term of accuracy and time.
    """

    taken: Row | None
    nearest: Row | None
    missed: Sequence[Term]
    better: Mapping[str, Row]


_TERM: Final = re.compile(
    r"(?P<sign><=|>=|<|>)\s*(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>%|[A-Za-z]+)?"
    r"(?:\s+(?P<axis>[a-z]+))?(?:\s+(?:of|on)\s+(?P<device>\S+))?"
)

_UNITS: Final[Mapping[tuple[str, str], Callable[[Row], float]]] = {
    ("ns", "time"): lambda row: 1000 * row.time_us,
    ("us", "time"): lambda row: row.time_us,
    ("ms", "time"): lambda row: row.time_us / 1000,
    ("", "cycles"): lambda row: row.cycles,
    ("%", "logic"): lambda row: 100 * row.logic_share,
    ("", "logic"): lambda row: float(row.cells),
    ("%", "memory"): lambda row: 100 * row.memory_share,
    ("kbit", "memory"): lambda row: row.memory_kbit,
    ("nJ", "energy"): lambda row: row.energy_nj,
    ("uJ", "energy"): lambda row: row.energy_nj / 1000,
    ("%", "accuracy"): lambda row: 100 * row.accuracy,
}
"""By unit and quantity, what of a row is meant. A unit that belongs to one quantity says it by itself."""

_BETTER: Final = ("accuracy", "time")


def parse_budget(text: str) -> tuple[Term, ...]:
    """The terms of a budget.

    Raises
    ------
    OptionError
        A term is none; the message says what there is.
    """
    return tuple(_term(part.strip()) for part in text.split(","))


def answer(rows: Sequence[Row], budget: Sequence[Term]) -> Answer:
    """Which of the rows that fit to take."""
    fitting = [row for row in rows if row.fits]
    within = [row for row in fitting if all(term.holds(row) for term in budget)]
    if not within:
        reached = [(row, max(term.excess(row) for term in budget)) for row in fitting]
        possible = [(excess, _price(row), k, row) for k, (row, excess) in enumerate(reached) if excess < float("inf")]
        nearest = min(possible)[-1] if possible else None
        missed = [term for term in budget if nearest is not None and not term.holds(nearest)]
        return Answer(taken=None, nearest=nearest, missed=missed, better={})
    taken = min(within, key=_price)
    reaching = [row for row in fitting if all(term.holds(row) for term in budget if term.quality)]
    better = {}
    for name in _BETTER:
        cost = AXES[name].cost
        for candidates in (within, reaching):
            found = [row for row in candidates if cost(row) < cost(taken)]
            if found:
                better[name] = min(found, key=_price)
                break
    return Answer(taken=taken, nearest=None, missed=(), better=better)


def _price(row: Row) -> tuple[float, ...]:
    """What is small of a point that costs little: logic in cells of one kind, memory, time; then what is good of it."""
    return row.cells / row.point.device.logic_scale, row.memory_kbit, row.time_us, -row.accuracy, row.energy_nj


def _term(text: str) -> Term:
    found = _TERM.fullmatch(text)
    if found is None:
        raise OptionError(f"--budget: '{text}' is no term; {_FORM}.")
    unit, axis = found["unit"] or "", found["axis"] or ""
    if unit and not axis and ("", unit) in _UNITS:  # 4000 logic
        unit, axis = "", unit
    keys = [key for key in _UNITS if key[0] == unit and axis in ("", key[1])]
    if len(keys) != 1 or not (unit or axis):
        raise OptionError(f"--budget: '{text}' does not say one quantity; {_FORM}.")
    device = found["device"]
    known = [name for target in TARGETS for name in load_target(target).devices]
    if device is not None and device not in known:
        raise OptionError(f"--budget: '{text}' is of no device that there is: {', '.join(known)}.")
    return Term(
        text=text,
        value=_UNITS[keys[0]],
        limit=float(found["number"]),
        least=found["sign"].startswith(">"),
        strict=len(found["sign"]) == 1,
        device=device,
        quality=keys[0][1] in ("time", "cycles", "accuracy"),
    )


_FORM: Final = (
    "write such as '<=20us, <=50% logic of up5k, >=99% accuracy': time in ns, us, ms or cycles, logic in % or cells "
    "('<=4000 logic'), memory in % or kbit, energy in nJ or uJ, accuracy in %"
)
