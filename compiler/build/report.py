"""The report of a build: ``report.json`` holds the facts, ``report.md`` shows them.

`snnc verify` and `snnc synth` add sections with `update_report`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from snnc.compiler.build.folder import replace_file
from snnc.compiler.build.templates import render

__all__ = ["REPORT_JSON", "REPORT_MARKDOWN", "Section", "render_report", "report_json", "update_report"]

REPORT_JSON: Final = "report.json"
REPORT_MARKDOWN: Final = "report.md"

_TEMPLATE: Final = "report.md.j2"


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
    path = folder / REPORT_JSON
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        sections = [known for known in report["sections"] if known["title"] != section.title]
    except (OSError, ValueError, KeyError, TypeError):
        # The user may do what he likes with the report: the result is in the command's own folder as well.
        return
    sections.append(
        {
            "title": section.title,
            "summary": section.summary,
            "rows": [list(row) for row in section.rows],
            "facts": dict(section.facts),
        }
    )
    report["sections"] = sections
    text = render_report(report)
    replace_file(path, report_json(report))
    replace_file(folder / REPORT_MARKDOWN, text)


def report_json(report: Mapping[str, Any]) -> str:
    """The report as text for programs."""
    return json.dumps(report, indent=2) + "\n"
