"""snnc compiles distilled spiking neural networks into bit-exact event-driven FPGA cores, with open tools only.

    import snnc

    network = snnc.load("student.pt")
    result = network.run(images)                          # uint8 (N, C, H, W): classes, logits, spikes, membranes
    build = network.compile(device="up5k", out="build")   # Verilog, memory images, plan, report
    build.verify(images)                                  # the Verilog equals the golden model, or an error
    build.synthesise(seeds=range(1, 6))                   # utilisation, Fmax, bitstream

``docs/python.md`` is the page of this module, ``docs/stability.md`` says what of it is stable. Everything is imported
when it is first asked for (PEP 562): every ``import snnc.x`` runs this file.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from snnc.building import Build, open_build
    from snnc.compiler import __version__
    from snnc.compiler.errors import SnncError
    from snnc.connecting import connect
    from snnc.modules import from_norse, from_sinabs, from_snntorch, from_spikingjelly
    from snnc.network import Network, Run, load
    from snnc.streaming import Stream
    from snnc.training import train

__all__ = [
    "Build",
    "Network",
    "Run",
    "SnncError",
    "Stream",
    "__version__",
    "connect",
    "from_norse",
    "from_sinabs",
    "from_snntorch",
    "from_spikingjelly",
    "load",
    "open_build",
    "train",
]

_WHERE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Build": "snnc.building",
        "Network": "snnc.network",
        "Run": "snnc.network",
        "SnncError": "snnc.compiler.errors",
        "Stream": "snnc.streaming",
        "__version__": "snnc.compiler",
        "from_norse": "snnc.modules",
        "from_sinabs": "snnc.modules",
        "from_snntorch": "snnc.modules",
        "from_spikingjelly": "snnc.modules",
        "connect": "snnc.connecting",
        "load": "snnc.network",
        "open_build": "snnc.building",
        "train": "snnc.training",
    }
)
"""The module of every public name."""


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'snnc' has no attribute {name!r}")
    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
