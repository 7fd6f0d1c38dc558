"""Text from templates."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

__all__ = ["render"]


def render(package: str, template: str, facts: Mapping[str, Any]) -> str:
    """The template of that file name in a package's folder, filled in; a missing fact is an error."""
    return _environment(package).get_template(template).render(facts)


@functools.cache
def _environment(package: str) -> jinja2.Environment:
    # Not needed where a command stops early.
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader(package, ""),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown and Python, from names that were checked
    )
