"""What a record of the plan says of itself when it is read from a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Checked", "Fault", "at_least"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One field that breaks a rule.

    Attributes
    ----------
    field
        Its path within the record that found it, such as ``depth`` or ``engines[0].staged``.
    sentence
        What is wrong, to follow the field's name: ``is -2; 1 is the least``.
    """

    field: str
    sentence: str


class Checked(Protocol):
    """A record that knows its own rules. Those of the records inside it have been checked before."""

    def faults(self) -> Iterator[Fault]:
        """What breaks a rule, the first one first; nothing in a plan that the compiler has made."""


def at_least(record: Any, least: int, *fields: str) -> Iterator[Fault]:
    """A fault for each of the fields that is a smaller number; None is no number."""
    for field in fields:
        value = getattr(record, field)
        if value is not None and value < least:
            yield Fault(field, f"is {value}; {least} is the least")
