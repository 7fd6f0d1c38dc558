"""FPGA families: one file each with its numbers and its tool calls, and one line here."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from snnc.compiler.errors import OptionError
from snnc.compiler.targets.base import Device, Implementation, Package, Pin, Resource, Synthesis, Target
from snnc.compiler.tools import VERILATOR, YOSYS, Tool

__all__ = [
    "TARGETS",
    "Device",
    "Implementation",
    "Package",
    "Pin",
    "Resource",
    "Synthesis",
    "Target",
    "every_tool",
    "find_device",
    "find_family",
    "load_target",
]

# The module of each family, which defines TARGET. Imported when asked for.
TARGETS: Mapping[str, str] = {
    "ice40": "snnc.compiler.targets.ice40",
    "ecp5": "snnc.compiler.targets.ecp5",
    "gowin": "snnc.compiler.targets.gowin",
    "gatemate": "snnc.compiler.targets.gatemate",
}


def load_target(name: str) -> Target:
    """The FPGA family of that name; :class:`OptionError` where there is none."""
    if name not in TARGETS:
        raise OptionError(f"There is no target {name!r}: the targets are {', '.join(TARGETS)}.")
    target: Target = importlib.import_module(TARGETS[name]).TARGET
    return target


def every_tool() -> tuple[Tool, ...]:
    """The tools of every family and those that belong to none, each once."""
    tools = (YOSYS, *(tool for name in TARGETS for tool in load_target(name).tools), VERILATOR)
    return tuple({tool.title: tool for tool in tools}.values())


def find_device(target: str, device: str | None = None) -> Device:
    """A device of a family by name, or the family's default; :class:`OptionError` where there is none."""
    family = load_target(target)
    if device is not None and device not in family.devices:
        other = find_family(device)
        if other is not None:
            raise OptionError(
                f"The target {target} has no device {device!r}, but {other.name} has: give --target {other.name}."
            )
    return family.device(device)


def find_family(device: str) -> Target | None:
    """The first family that has a device of that name."""
    families = (load_target(name) for name in TARGETS)
    return next((family for family in families if device in family.devices), None)
