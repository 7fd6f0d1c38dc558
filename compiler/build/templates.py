"""Text from templates."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

__all__ = ["page_environment", "render"]


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


@functools.cache
def page_environment(package: str) -> jinja2.Environment:
    """The templates of HTML pages in a package's folder; what is filled in is text, never markup."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader(package, ""),
        undefined=jinja2.StrictUndefined,
        autoescape=True,  # names come from files
        trim_blocks=True,
        lstrip_blocks=True,
    )
