"""Modules that are elaborated once, and instantiated wherever the same circuit is needed."""

import re
from collections.abc import Callable
from typing import TypeVar, cast

from amaranth.back import rtlil  # type: ignore[attr-defined]  # amaranth-stubs lacks it
from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Flow

__all__ = ["Modules", "place"]

_ComponentT = TypeVar("_ComponentT", bound=wiring.Component)


class Modules:
    """The platform of a conversion to RTLIL that gathers the modules which `place` instantiates.

    An instance has the clock and the reset of its domain; a `ResetInserter` around it does not reset it.

    Parameters
    ----------
    design
        What their names begin with.
    """

    def __init__(self, design: str) -> None:
        self._design = design
        self._made: dict[str, tuple[wiring.Signature, str]] = {}

    @property
    def text(self) -> str:
        """RTLIL of all of them."""
        return "".join(text for _, text in self._made.values())

    def instance(self, module: str, build: Callable[[], wiring.Component]) -> tuple[wiring.PureInterface, Instance]:
        """An instance of a module, which is converted the first time, and what it is connected to."""
        name = f"{self._design}_{module}"
        if module not in self._made:
            component = build()
            text = str(rtlil.convert(component, name=name, platform=self, emit_src=False))
            self._made[module] = component.signature, text.replace("attribute \\top 1\n", "")
        signature, text = self._made[module]
        interface = signature.create(path=(module,))
        ports = {}
        for path, member, value in signature.flatten(interface):
            direction = "i" if member.flow == Flow.In else "o"  # type: ignore[attr-defined]  # amaranth-stubs says Flow
            ports[f"{direction}_{'__'.join(map(str, path))}"] = Value.cast(value)
        for port, value in {"clk": ClockSignal(), "rst": ResetSignal()}.items():
            if re.search(rf"^\s*wire width 1 input \d+ +\\{port}$", text, re.MULTILINE):
                ports[f"i_{port}"] = value
        return interface, Instance(name, **ports)


def place(m: Module, platform: object, name: str, module: str, build: Callable[[], _ComponentT]) -> _ComponentT:
    """What `build` makes as the submodule `name`, of which the signature's members are for use.

    In a conversion with `Modules` it is an instance: all that is placed as the same `module` is the same circuit, and
    `build` is asked for it once. Otherwise, as in simulation, everyone gets one's own.
    """
    if not isinstance(platform, Modules):
        component = build()
        m.submodules[name] = component
        return component
    interface, m.submodules[name] = platform.instance(module, build)
    return cast(_ComponentT, interface)
