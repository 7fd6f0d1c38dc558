"""Text from the templates in this folder."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

__all__ = ["render"]


def render(template: str, facts: Mapping[str, Any]) -> str:
    """The template of that file name, filled in; a missing fact is an error."""
    return _environment().get_template(template).render(facts)


@functools.cache
def _environment() -> jinja2.Environment:
    # Not needed where a command stops early.
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("snnc.compiler.backend", ""),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown and Python, from names that were checked
    )
