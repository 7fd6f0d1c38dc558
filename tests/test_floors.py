"""The floors of the house: a module imports from floors below its own, and from its own room, and from nowhere else.

`FLOORS` is the table of `docs/architecture.md`. Imports at the top of a module and inside its functions count alike;
`LAZY` lists the ones that go up, each with its reason.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

FLOORS: tuple[tuple[str, ...], ...] = (
    ("compiler.errors", "compiler.contract", "compiler.pll"),
    ("compiler.extras",),
    ("compiler.ir",),
    ("compiler.plan", "compiler.tools", "distill.data"),
    ("compiler.link",),
    ("sim.models", "rtl", "compiler.targets"),
    ("compiler.formats", "compiler.boards", "compiler.build", "compiler.design"),
    ("compiler.lanes", "sim.cosimulation"),
    ("compiler.backend", "compiler.passes"),
    ("compiler.calibration", "compiler.pipeline"),
    ("sim.evaluation", "sim.trust", "distill"),
    ("compiler.explore",),
    ("compiler.cli",),
    ("compiler.commands",),
    ("compiler.api",),
)
"""From the lowest: rooms (a package with all below it, or a module), each on one floor. The longest name counts."""

WITNESSES: Mapping[str, str] = {
    "plan": "compiler.plan",
    "memories": "compiler.lanes",
    "cells": "compiler.lanes",
    "images": "compiler.backend",
    "circuit": "rtl",
    "marks": "rtl",
    "members": "rtl",
    "neurons": "rtl",
    "skipping": "rtl",
    "turns": "rtl",
    "timing": "sim.models",
    "estimate": "sim.models",
    "bound": "sim.models",
}
"""The room of each file in a kind's folder below `KINDS`, by its name; a table itself is in `compiler.plan`'s.

They are loaded through the table, so that a room below may ask for one.
"""

KINDS = ("rtl.engines", "rtl.walkers")
"""Packages with a folder for each kind of thing, and a file in it for each witness."""

HEAVY: Mapping[str, str] = {
    "torch": "distill",
    "amaranth": "rtl",
    "cocotb": "sim.cosimulation",
}
"""The one room that may import a heavy package at the top of a module."""

LAZY: Mapping[tuple[str, str], str] = {}
"""Imports upwards, by module and what it imports, each with its reason."""

_ROOMS = {room: floor for floor, rooms in enumerate(FLOORS, start=1) for room in rooms}
_FOLDERS = ("compiler", "distill", "rtl", "sim")


def _modules(repository: Path) -> Iterator[tuple[str, Path]]:
    for folder in _FOLDERS:
        for path in sorted((repository / folder).rglob("*.py")):
            parts = path.relative_to(repository).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def _room(module: str) -> str | None:
    """The room that a module is in; None for `compiler`, `rtl` and `sim` themselves, which hold a version at most."""
    parts = module.split(".")
    if ".".join(parts[:2]) in KINDS:
        return next((WITNESSES[part] for part in parts[2:] if part in WITNESSES), "compiler.plan")
    for length in range(len(parts), 0, -1):
        if ".".join(parts[:length]) in _ROOMS:
            return ".".join(parts[:length])
    return None


def _imports(path: Path) -> Iterator[str]:
    """Modules of ours that a file imports, anywhere in it, as ``compiler.ir``; names stand behind their module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name == "snnc" or name.startswith("snnc."):
                inside = name.removeprefix("snnc").removeprefix(".")
                yield inside if inside.split(".")[0] in _FOLDERS else f"compiler.api.{inside}"  # it is `snnc` itself


def faults(repository: Path) -> list[str]:
    """A sentence for each import that goes up or sideways."""
    found = []
    for module, path in _modules(repository):
        room = _room(module)
        if room is None:
            continue
        for imported in _imports(path):
            other = _room(imported)
            if other is None or other == room or _ROOMS[other] < _ROOMS[room]:
                continue
            if not any(module == source and imported.startswith(target) for source, target in LAZY):
                found.append(f"{module} (floor {_ROOMS[room]}) imports {imported} (floor {_ROOMS[other]})")
    return found


def test_nothing_imports_upwards_or_sideways(repository: Path) -> None:
    assert not faults(repository)


def test_every_module_has_a_floor(repository: Path) -> None:
    bare = {module for module, _ in _modules(repository) if _room(module) is None}
    assert bare <= {"compiler", "rtl", "sim"}
    # What has no floor imports nothing of ours.
    assert not [name for module, path in _modules(repository) if module in bare for name in _imports(path)]


def test_every_room_exists(repository: Path) -> None:
    modules = {module for module, _ in _modules(repository)}
    assert set(_ROOMS) <= modules


@pytest.mark.parametrize("package", KINDS)
def test_a_circuit_knows_no_timing_and_a_timing_no_circuit(repository: Path, package: str) -> None:
    """Both are written from the same page, apart from each other: else their agreement means nothing."""
    found = {
        (module.rpartition(".")[2], name)
        for module, path in _modules(repository)
        if module.startswith(f"{package}.")
        for name in _imports(path)
    }
    assert ("circuit", "compiler.plan.EnginePlan") in found
    for witness, others in (("circuit", ("timing", "estimate")), ("timing", ("circuit",)), ("estimate", ("circuit",))):
        met = {name for here, name in found if here == witness and set(name.split(".")) & set(others)}
        assert not met
        assert not {name for here, name in found if here == "circuit" and name.startswith("sim.")}


@pytest.mark.parametrize("package", HEAVY)
def test_a_heavy_package_is_imported_in_its_room_alone(repository: Path, package: str) -> None:
    found = set()
    for module, path in _modules(repository):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == package for name in names):
                found.add(_room(module))
    assert found == {HEAVY[package]}


def test_the_page_has_the_same_table(repository: Path) -> None:
    page = (repository / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = page.split("## The floors")[1].split("\n## ")[0]
    rows = [line.split("|")[2] for line in section.splitlines() if line.startswith("| ") and "`" in line.split("|")[2]]
    named = [room for row in rows for room in re.findall(r"`([\w.]+)`", row)]
    assert set(named) == set(_ROOMS)
    assert named == sorted(named, key=lambda room: _ROOMS[room])
