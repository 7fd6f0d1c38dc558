"""Pages about builds, each a file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from snnc.compiler import __version__
from snnc.compiler.build.differences import Group
from snnc.compiler.build.templates import page_environment

__all__ = ["render_differences"]

_DIFFERENCES: Final = "differences.html.j2"


def render_differences(groups: Sequence[Group], *, before: Path, after: Path) -> str:
    """The page of `snnc diff`."""
    names = {"before": before.name or str(before), "after": after.name or str(after)}
    return page_environment(__package__).get_template(_DIFFERENCES).render(groups=groups, version=__version__, **names)
