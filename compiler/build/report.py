"""The report of a build: ``report.json`` holds the facts, ``report.md`` and ``report.html`` show them.

`snnc verify` and `snnc synth` add sections with `update_report`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from snnc.compiler.build.build_page import REPORT_PAGE, read_results, render_build_page
from snnc.compiler.build.folder import replace_file
from snnc.compiler.build.locks import locked
from snnc.compiler.build.templates import render
from snnc.compiler.errors import BuildError

__all__ = [
    "REPORT_JSON",
    "REPORT_MARKDOWN",
    "Section",
    "render_report",
    "report_json",
    "update_report",
    "withdraw_section",
]

REPORT_JSON: Final = "report.json"
REPORT_MARKDOWN: Final = "report.md"

_TEMPLATE: Final = "report.md.j2"
_LOCK: Final = ".report.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What a later command found out.

    Attributes
    ----------
    title
        The heading; a section of the same title is replaced.
    summary
        A sentence or two, Markdown.
    rows
        A table of names and values, for people.
    facts
        The same and more, for programs; plain values only.
    """

    title: str
    summary: str
    rows: Sequence[tuple[str, str]] = ()
    facts: Mapping[str, Any]


def render_report(report: Mapping[str, Any]) -> str:
    """The report as Markdown."""
    return render(__package__, _TEMPLATE, report)


def update_report(folder: Path, section: Section) -> None:
    """Put a section into the report of the build in `folder`, in the place of an earlier one of that title."""
    entry = {
        "title": section.title,
        "summary": section.summary,
        "rows": [list(row) for row in section.rows],
        "facts": dict(section.facts),
    }
    _exchange(folder, section.title, [entry])


def withdraw_section(folder: Path, title: str) -> None:
    """Take the section of that title out of the report of the build in `folder`."""
    _exchange(folder, title, [])


def _exchange(folder: Path, title: str, entries: Sequence[Mapping[str, Any]]) -> None:
    path, lock = folder / REPORT_JSON, folder / _LOCK
    try:
        lock.touch()
    except OSError as error:
        raise BuildError(f"'{lock}' cannot be written: {error.strerror or error}.") from None
    with locked(lock, wait=True):  # another command may be about to add its own section
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            sections = [known for known in report["sections"] if known["title"] != title]
        except (OSError, ValueError, KeyError, TypeError):
            # The user may do what he likes with the report: the result is in the command's own folder as well.
            return
        if not entries and len(sections) == len(report["sections"]):
            return
        report["sections"] = [*sections, *entries]
        text, page = render_report(report), render_build_page(report, read_results(folder, report["network"]["hash"]))
        replace_file(path, report_json(report))
        replace_file(folder / REPORT_MARKDOWN, text)
        replace_file(folder / REPORT_PAGE, page)


def report_json(report: Mapping[str, Any]) -> str:
    """The report as text for programs."""
    return json.dumps(report, indent=2) + "\n"
