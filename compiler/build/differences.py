"""What two builds have in common and where they differ, from what they say of themselves.

Nothing but ``manifest.json`` and ``report.json`` is read, and nothing there is taken for granted: a build of another
release, whose plan this one could not open, is compared as far as its report goes. What one of the two does not say is
missing on its side.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from snnc.compiler.build.folder import FORMAT, MANIFEST
from snnc.compiler.build.report import REPORT_JSON
from snnc.compiler.errors import BuildError

__all__ = ["Account", "Group", "Row", "compared", "facts_of", "read_account"]

MOST_BYTES: Final = 2**24
"""Of a file that is read: a thousand times what a report of many layers takes."""

_LONGEST: Final = 120
"""Characters of a value that are shown."""

Value: TypeAlias = str | int | float
Pick: TypeAlias = Callable[["Account"], Value | None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Account:
    """What a build says of itself: its folder, and the objects of its two files."""

    path: Path
    manifest: Mapping[str, Any]
    report: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fact of both builds; None where one does not say."""

    what: str
    before: Value | None
    after: Value | None

    @property
    def same(self) -> bool:
        return self.before == self.after

    @property
    def change(self) -> float | None:
        """What is added, as a fraction of `before`; None where one of them is no number, or `before` is 0."""
        if not isinstance(self.before, int | float) or not isinstance(self.after, int | float) or not self.before:
            return None
        return self.after / self.before - 1

    @property
    def texts(self) -> tuple[str, str, str]:
        """Before, after and the change, for people."""
        change = "" if self.same or self.change is None else f"{self.change:+.1%}"
        return _text(self.before), _text(self.after), change


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Facts of one kind."""

    title: str
    rows: Sequence[Row]

    @property
    def different(self) -> Sequence[Row]:
        return [row for row in self.rows if not row.same]


def read_account(path: Path) -> Account:
    """Read what a build says of itself.

    Raises
    ------
    BuildError
        `path` is no build folder, or one of the two files cannot be understood.
    """
    manifest = _object(path / MANIFEST)
    if manifest.get("format") != FORMAT:
        raise BuildError(f"'{path}' is no build folder of snnc; make one with 'snnc compile'.")
    return Account(path=path, manifest=manifest, report=_object(path / REPORT_JSON))


def compared(before: Account, after: Account) -> tuple[Group, ...]:
    """All facts of the two, those of the first in its order, what the second has more behind them."""
    groups = [
        Group(title=title, rows=[Row(what=what, before=pick(before), after=pick(after)) for what, pick in facts])
        for title, facts in _FACTS
    ]
    groups.insert(2, Group(title="Layers", rows=_listed(before, after, "layers", _LAYER)))
    groups.append(Group(title="Memories", rows=_listed(before, after, "memories", _MEMORY)))
    titles = dict.fromkeys(title for one in (before, after) for title in _sections(one))
    groups += [Group(title=title, rows=_section_rows(before, after, title)) for title in titles]
    said = [(group.title, [row for row in group.rows if (row.before, row.after) != (None, None)]) for group in groups]
    return tuple(Group(title=title, rows=rows) for title, rows in said if rows)


def facts_of(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Every row for programs."""
    return [
        {
            "group": group.title,
            "what": row.what,
            "before": row.before,
            "after": row.after,
            "change": None if row.same else row.change,
            "same": row.same,
        }
        for group in groups
        for row in group.rows
    ]


def _report(*keys: str) -> Pick:
    return lambda account: _value(_at(account.report, keys))


def _manifest(*keys: str) -> Pick:
    return lambda account: _value(_at(account.manifest, keys))


def _fact(section: str, *keys: str) -> Pick:
    return lambda account: _value(_at(_sections(account).get(section, {}).get("facts"), keys))


def _short(found: Value | None) -> Value | None:
    return found[:16] if isinstance(found, str) else found


def _microseconds(account: Account) -> float | None:
    """Mean cycles that were simulated, at the clock of the median seed."""
    cycles, clock = _fact("Verification", "cycles_mean")(account), _fact("Synthesis", "median_fmax_mhz")(account)
    numbers = isinstance(cycles, int | float) and isinstance(clock, int | float)
    return cycles / clock if numbers and clock else None  # type: ignore[operator]  # numbers, as was just seen


_FACTS: Final[Sequence[tuple[str, Sequence[tuple[str, Pick]]]]] = (
    (
        "Build",
        (
            ("source", _manifest("source")),
            ("snnc", _manifest("versions", "snnc")),
            ("contract", _manifest("versions", "semantics")),
            ("timing", _manifest("versions", "timing")),
        ),
    ),
    (
        "Network",
        (
            ("name", _report("network", "name")),
            ("hash", lambda account: _short(_report("network", "hash")(account))),
            ("time steps", _report("network", "time_steps")),
            ("encoding", _report("network", "input", "encoding")),
            ("bits of a pixel", _report("network", "input", "bits")),
            ("addresses", _report("network", "input", "addresses")),
        ),
    ),
    (
        "Area",
        (
            ("device", _report("device", "title")),
            ("block RAM", _report("device", "blocks_needed")),
            ("SPRAM", _report("device", "sprams_needed")),
            ("DSP", _report("device", "dsps_needed")),
            ("logic cells, estimated", _report("device", "cells_needed")),
            ("words to load", _report("device", "load_words")),
        ),
    ),
    (
        "Time",
        (
            ("cycles, estimated", _report("prediction", "cycles")),
            ("samples, simulated", _fact("Verification", "samples")),
            ("cycles, simulated mean", _fact("Verification", "cycles_mean")),
            ("cycles, simulated most", _fact("Verification", "cycles_most")),
            ("median Fmax, MHz", _fact("Synthesis", "median_fmax_mhz")),
            ("a mean sample, us", _microseconds),
            ("busiest layer", _report("prediction", "busiest")),
        ),
    ),
)
"""What is looked for by name, in the order in which it is shown."""

_LAYER: Final = (
    ("shape", "shape"),
    ("neuron", "neuron"),
    ("engine", "engine"),
    ("weight bits", "weight_bits"),
    ("lanes", "lanes"),
    ("column banks", "column_banks"),
    ("words", "words"),
    ("operations", "operations"),
    ("membrane bits", "residual_bits"),
    ("input current", "input_current"),
    ("after reset", "after_reset"),
)

_MEMORY: Final = (("kind", "kind"), ("width", "width"), ("depth", "depth"), ("blocks", "blocks"), ("SPRAM", "sprams"))

_NOT_COMPARED: Final = frozenset({"simulation"})
"""Rows of sections that are of the machine and not of the build."""


def _listed(before: Account, after: Account, key: str, fields: Sequence[tuple[str, str]]) -> list[Row]:
    """The facts of everything that has a name, of both builds."""
    named = [_named(account.report.get(key)) for account in (before, after)]
    return [
        Row(what=f"{name}: {what}", before=_value(one.get(field)), after=_value(other.get(field)))
        for name in dict.fromkeys([*named[0], *named[1]])
        for one, other in [(named[0].get(name, {}), named[1].get(name, {}))]
        for what, field in fields
    ]


def _section_rows(before: Account, after: Account, title: str) -> list[Row]:
    """What a later command found out, as its report says it."""
    one, other = (_texts(_sections(account).get(title, {})) for account in (before, after))
    return [
        Row(what=what, before=one.get(what), after=other.get(what))
        for what in dict.fromkeys([*one, *other])
        if what not in _NOT_COMPARED
    ]


def _sections(account: Account) -> Mapping[str, Mapping[str, Any]]:
    return _named(account.report.get("sections"), by="title")


def _texts(section: Mapping[str, Any]) -> Mapping[str, str]:
    rows = section.get("rows")
    pairs = [row for row in rows if isinstance(row, list) and len(row) == 2] if isinstance(rows, list) else []
    return ({"": "done"} if section and not pairs else {}) | {str(name): str(value) for name, value in pairs}


def _named(entries: object, by: str = "name") -> Mapping[str, Mapping[str, Any]]:
    found = entries if isinstance(entries, list) else []
    return {entry[by]: entry for entry in found if isinstance(entry, dict) and isinstance(entry.get(by), str)}


def _at(found: object, keys: Sequence[str]) -> object:
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _value(found: object) -> Value | None:
    if isinstance(found, list):
        return ", ".join(str(item) for item in found)
    return found if isinstance(found, str | int | float) else None


def _text(value: Value | None) -> str:
    match value:
        case None:
            return "not said"
        case bool() | str():
            text = "".join(letter if letter.isprintable() else " " for letter in str(value))
            return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"


def _object(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BuildError(
            f"'{path}' cannot be read ({error.strerror}); give folders that 'snnc compile' or 'snnc build' made."
        ) from None
    if len(data) > MOST_BYTES:
        raise BuildError(f"'{path}' has more than {MOST_BYTES:,} bytes: it is no file of a build; compile again.")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BuildError(f"'{path}' is damaged: it is no JSON object; compile again.")
    return found
