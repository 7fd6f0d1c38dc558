"""The load image: what a host sends to the core's port ``load`` after every reset, in order.

One word of 16 bits per line, in hexadecimal: memory after memory in the plan's order, row after row from address 0, and
of a row its chunks from the lowest bits on, the last one padded with zeros. A host sends the lines as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from snnc.compiler.build.folder import LOAD_IMAGE
from snnc.compiler.plan import LOAD_BITS, MemoryPlan, Plan

__all__ = ["with_load_image"]

_DIGITS: Final = LOAD_BITS // 4


def with_load_image(plan: Plan, images: Mapping[str, str]) -> Mapping[str, str]:
    """`images` (`memory_images`) with `LOAD_IMAGE` in the place of those of memories in SPRAM, if there are any."""
    rest = dict(images)
    words: list[str] = []
    for memory in plan.loaded:
        for name in _names(memory):
            words += (word for row in rest.pop(name).split() for word in _chunks(row, memory.chunks))
    if words:
        rest[LOAD_IMAGE] = "\n".join(words) + "\n"
    return rest


def _names(memory: MemoryPlan) -> list[str]:
    if memory.banks == 1:
        return [f"images/{memory.name}.hex"]
    return [f"images/{memory.name}.{bank}.hex" for bank in range(memory.banks)]


def _chunks(row: str, count: int) -> Iterator[str]:
    """The load words of a row, lowest first."""
    padded = row.zfill(count * _DIGITS)
    return (padded[start : start + _DIGITS] for start in range((count - 1) * _DIGITS, -1, -_DIGITS))
