"""Typed access to plain values from a file that nobody trusts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from snnc.compiler.errors import CheckpointError, UnsupportedError

__all__ = ["Fields", "capital", "show"]

_Member = TypeVar("_Member", bound=Enum)


@dataclass(frozen=True, slots=True)
class Fields:
    """Typed access to a dict from a file; errors name the field and where it stands."""

    fields: Mapping[Any, Any]
    where: str

    def __post_init__(self) -> None:
        if not isinstance(self.fields, dict):
            raise CheckpointError(f"{capital(self.where)} must be a dict, not {show(self.fields)}.")

    def called(self, where: str) -> Fields:
        return Fields(self.fields, where)

    def value(self, key: str, *, optional: bool = False) -> Any:
        if key not in self.fields and not optional:
            raise CheckpointError(f"{capital(self.where)} lacks '{key}'.")
        return self.fields.get(key)

    def allow(self, keys: frozenset[str]) -> None:
        unknown = sorted(str(key)[:40] for key in self.fields if key not in keys)
        if unknown:
            known = ", ".join(sorted(keys))
            raise UnsupportedError(f"{capital(self.where)} has the unknown setting '{unknown[0]}'; known are {known}.")

    def below(self, key: str) -> Fields:
        return Fields(self.value(key), f"'{key}' of {self.where}")

    def mapping(self, key: str) -> Mapping[Any, Any]:
        return self.below(key).fields

    def sequence(self, key: str) -> list[Any] | tuple[Any, ...]:
        value = self.value(key)
        if not isinstance(value, list | tuple):
            raise self._wrong(key, "a list", value)
        return value

    def text(self, key: str) -> str:
        value = self.value(key)
        if not isinstance(value, str) or not value or len(value) > 200:
            raise self._wrong(key, "a short text", value)
        return value

    def integer(self, key: str, low: int, high: int = 2**31) -> int:
        value = self.value(key)
        if type(value) is not int or not low <= value <= high:
            raise self._wrong(key, f"an integer from {low} to {high}", value)
        return value

    def optional_integer(self, key: str, low: int, high: int) -> int | None:
        return None if self.value(key) is None else self.integer(key, low, high)

    def pair(self, key: str, low: int, high: int) -> tuple[int, int]:
        value = self.sequence(key)
        if len(value) != 2 or not all(type(item) is int and low <= item <= high for item in value):
            raise CheckpointError(f"'{key}' of {self.where} must be two integers from {low} to {high}.")
        return value[0], value[1]

    def shape(self, key: str, limit: int) -> tuple[int, int, int]:
        """``(C, H, W)`` of at most `limit` neurons."""
        value = self.sequence(key)
        if len(value) != 3 or not all(type(size) is int and 1 <= size <= limit for size in value):
            raise CheckpointError(f"'{key}' of {self.where} must be the shape (C, H, W): three positive integers.")
        if math.prod(value) > limit:
            raise CheckpointError(
                f"{capital(self.where)} has {math.prod(value):,} neurons; at most {limit:,} are read."
            )
        return value[0], value[1], value[2]

    def member(self, key: str, kind: type[_Member]) -> _Member:
        value, known = self.value(key), [member.value for member in kind]
        if not isinstance(value, str) or value not in known:
            raise UnsupportedError(f"'{key}' of {self.where} is {show(value)}; built are {', '.join(known)}.")
        return kind(value)

    def _wrong(self, key: str, wanted: str, value: object) -> CheckpointError:
        return CheckpointError(f"'{key}' of {self.where} must be {wanted}, not {show(value)}.")


def show(value: object) -> str:
    """A value from a file, short: a container from a hostile one may be exponentially long."""
    return repr(value)[:60] if isinstance(value, str | int | float | bool | None) else f"a {type(value).__name__}"


def capital(text: str) -> str:
    return text[0].upper() + text[1:]
