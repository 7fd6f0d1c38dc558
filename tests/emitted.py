"""What is written for hardware, as hashes: the Verilog and the memory images of fixed networks.

    python -m tests.emitted            compare with tests/emitted.json
    python -m tests.emitted --keep     write it anew, after a change of the emitted bytes that is meant

Whoever changes the structure of the compiler shows with it that no bit of hardware moved. The cases are the students
that ship, on the devices that the README names and on the default one, and the first random networks of the tests'
generator.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from snnc.compiler.design import Engines, Options
from snnc.compiler.errors import FitError
from snnc.compiler.ir import Readout
from snnc.compiler.pipeline import compile_network
from snnc.compiler.targets import find_device
from tests.networks import compile_graph
from tests.sim.random_spatial import BANKED, random_case

__all__ = ["KEPT", "RANDOM", "STUDENTS", "Chip", "case_name", "digests", "kept", "random_files", "student_files"]

KEPT = Path(__file__).with_suffix(".json")

RANDOM = 40
"""Seeds of random networks."""

_EXAMPLES = Path(__file__).parents[1] / "examples" / "students"

Chip: TypeAlias = tuple[str, str | None, str | None, Engines]
"""Family, device, lanes and engines; None for what the command chooses by itself."""

_UP5K: Chip = ("ice40", None, None, Engines.AUTO)
_ECP5: Chip = ("ecp5", "25k", None, Engines.AUTO)


def _either(target: str, device: str | None) -> tuple[Chip, Chip]:
    """With what the command chooses, and scattered."""
    return (target, device, None, Engines.AUTO), (target, device, None, Engines.SCATTER)


STUDENTS: Mapping[str, tuple[Chip, ...]] = {
    "cifar10-conv-int4": (("ecp5", "85k", "32,64,48,56,48,10", Engines.SCATTER), *_either("ecp5", "85k")),
    "digits-64-32-10-int4": (_UP5K, _ECP5),
    "fashion-mnist-conv-int4": (("ecp5", "45k", "24,48,64,64,10", Engines.SCATTER), *_either("ecp5", "45k")),
    "mnist-784-128-10-int4": (("ice40", "up5k", "11,10", Engines.AUTO), _UP5K, _ECP5),
    "mnist-784-32-10-int4": (_UP5K,),
    "mnist-a2-160-100-10-int4": (_UP5K, _ECP5),
    "mnist-conv-int4": _either("ice40", None),
    "mnist-conv-ternary": _either("ice40", None),
    "saccade-mnist-conv-int4": (_UP5K,),
    "spoken-events-int4": (_ECP5,),
    "watch-fine-int4": (_ECP5,),
    "spoken-digits-conv-int4": (*_either("ecp5", "25k"), *_either("ecp5", "45k")),
}


def student_files(name: str, chip: Chip) -> Mapping[str, bytes]:
    """The build's files of a student that ships."""
    target, device, lanes, engines = chip
    widths = None if lanes is None else tuple(int(count) for count in lanes.split(","))
    options = Options(lanes=widths, engines=engines)
    return compile_network(_EXAMPLES / f"{name}.pt", find_device(target, device), options).files


def random_files(seed: int) -> Mapping[str, bytes]:
    """The build's files of a random network, on the chip on which the tests simulate it; none exits or leaks last."""
    case = random_case(seed)
    readout = dataclasses.replace(case.graph.readout, neuron=Readout())
    graph = dataclasses.replace(case.graph, exit=None, populations=(*case.graph.populations[:-1], readout))
    for target, device in [("ice40", "hx8k")] * (seed % 2) + [BANKED]:
        banks = case.column_banks if (target, device) == BANKED else None
        with contextlib.suppress(FitError):
            return compile_graph(graph, lanes=case.lanes, column_banks=banks, target=target, device=device).files
    raise AssertionError("the largest chip takes every one")


def digests(files: Mapping[str, bytes]) -> Mapping[str, str]:
    """SHA-256 of each Verilog file, and one of all memory images by name and content."""
    images = hashlib.sha256()
    for name, data in sorted(files.items()):
        if name.startswith("images/"):
            images.update(f"{name} {len(data)}\n".encode() + data)
    sources = {name: data for name, data in sorted(files.items()) if name.startswith("rtl/") and name.endswith(".v")}
    return {**{name: hashlib.sha256(data).hexdigest() for name, data in sources.items()}, "images": images.hexdigest()}


def kept() -> Mapping[str, Mapping[str, str]]:
    """The hashes that are kept, by case."""
    found: Mapping[str, Mapping[str, str]] = json.loads(KEPT.read_text(encoding="utf-8"))
    return found


def _cases() -> Iterator[tuple[str, Mapping[str, bytes]]]:
    for name, chips in STUDENTS.items():
        for chip in chips:
            yield case_name(name, chip), student_files(name, chip)
    for seed in range(RANDOM):
        yield f"random {seed}", random_files(seed)


def case_name(name: str, chip: Chip) -> str:
    """Of a student on a chip, as `kept` calls it."""
    target, device, lanes, engines = chip
    given = [
        *([f"--lanes {lanes}"] if lanes else []),
        *([f"--engines {engines.value}"] * (engines is not Engines.AUTO)),
    ]
    return " ".join([name, target, *([device] if device else []), *given])


def _main() -> None:
    keep, known = "--keep" in sys.argv[1:], kept() if KEPT.exists() else {}
    found, changed = {}, 0
    for name, files in _cases():
        found[name] = dict(digests(files))
        differs = [file for file, digest in found[name].items() if known.get(name, {}).get(file) != digest]
        changed += bool(differs)
        print(f"{name}: {'changed: ' + ', '.join(differs) if differs else 'the same'}", flush=True)
    print(f"{changed} of {len(found)} changed")
    if keep:
        KEPT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.exit(bool(changed) and not keep)


if __name__ == "__main__":
    _main()
