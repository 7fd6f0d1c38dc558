"""Which memories get block RAM and SPRAM, where there is too little of them for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from snnc.compiler.lanes.memories import logic_cells
from snnc.compiler.plan import MemoryPlan
from snnc.compiler.targets import Device

__all__ = ["Menu", "chosen"]

Menu: TypeAlias = Mapping[str, tuple[MemoryPlan, ...]]
"""By a memory's name the ways to build it, the preferred one first."""


def chosen(menu: Menu, device: Device) -> Mapping[str, MemoryPlan]:
    """One way for each memory, that leaves as little as possible to logic."""
    return _within_blocks(_with_spram(menu, device), device)


def _with_spram(menu: Menu, device: Device) -> Menu:
    """What is left to choose when SPRAM has been given out: to the memory that takes the most block RAMs first."""
    left, rest = device.spram_blocks, dict(menu)
    for name in sorted(menu, key=lambda name: -menu[name][0].blocks):
        choices = menu[name]
        rest[name] = tuple(choice for choice in choices if not choice.sprams)
        for choice in choices:
            if 0 < choice.sprams <= left:
                rest[name] = (choice,)
                left -= choice.sprams
    return rest


def _within_blocks(menu: Menu, device: Device) -> Mapping[str, MemoryPlan]:
    """The preferred way of each, but while there are too few blocks, give up those that save least."""
    taken = {name: choices[0] for name, choices in menu.items()}
    places = {name: place for place, name in enumerate(menu)}
    while sum(memory.blocks for memory in taken.values()) > device.block_rams:
        exchanges = [
            ((_cells(other) - _cells(taken[name])) / (taken[name].blocks - other.blocks), places[name], other)
            for name, choices in menu.items()
            for other in choices
            if other.blocks < taken[name].blocks
        ]
        if not exchanges:
            break
        *_, other = min(exchanges, key=lambda exchange: exchange[:2])
        taken[other.name] = other
    return taken


def _cells(memory: MemoryPlan) -> int:
    """Logic cells of all its copies, as `blocks` are block RAMs of all of them."""
    return memory.copies * logic_cells(memory)
