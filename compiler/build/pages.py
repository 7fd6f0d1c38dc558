"""Pages about builds, each a file that needs nothing but itself."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from snnc.compiler import __version__
from snnc.compiler.build.differences import Group

if TYPE_CHECKING:
    import jinja2

__all__ = ["render_differences"]

_DIFFERENCES: Final = "differences.html.j2"


def render_differences(groups: Sequence[Group], *, before: Path, after: Path) -> str:
    """The page of `snnc diff`."""
    names = {"before": before.name or str(before), "after": after.name or str(after)}
    return _environment().get_template(_DIFFERENCES).render(groups=groups, version=__version__, **names)


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, ""),
        undefined=jinja2.StrictUndefined,
        autoescape=True,  # names come from files
        trim_blocks=True,
        lstrip_blocks=True,
    )
