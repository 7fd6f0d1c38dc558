"""Parts of pages that a notebook shows for an object: tables that take the colours of where they stand."""

from __future__ import annotations

from collections.abc import Sequence

from snnc.compiler.build.templates import page_environment

__all__ = ["table_fragment"]


def table_fragment(
    title: str, rows: Sequence[Sequence[object]], *, headings: Sequence[str] = (), note: str = "", link: str = ""
) -> str:
    """A titled table as HTML.

    Parameters
    ----------
    headings
        Of the columns; without them the first cell of each row is its heading.
    note, link
        A sentence below, and where it leads.
    """
    template = page_environment(__package__).get_template("fragment.html.j2")
    return template.render(title=title, rows=rows, headings=headings, note=note, link=link)
