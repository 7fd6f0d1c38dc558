"""Where the types of `rtl/` say `Any`, a comment says why; and there are few such places."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

import snnc.rtl

ROOT = Path(snnc.rtl.__file__).parent

MOST = 20


def uses(source: str) -> list[tuple[int, bool]]:
    """The lines that say `Any`, imports aside; and whether a comment there, or on the line above, begins with it."""
    lines = {node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name) and node.id == "Any"}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    reasons = {
        token.start[0] for token in tokens if token.type == tokenize.COMMENT and token.string.startswith("# Any: ")
    }
    return [(line, bool(reasons & {line - 1, line})) for line in sorted(lines)]


def test_any_is_rare_and_has_its_reason():
    found = {path: uses(path.read_text(encoding="utf-8")) for path in sorted(ROOT.rglob("*.py"))}
    assert len(found) > 50
    assert sum(map(len, found.values())) <= MOST
    assert [f"{path.relative_to(ROOT)}:{line}" for path, at in found.items() for line, why in at if not why] == []


def test_it_is_found():
    source = "from typing import Any\n# Any: so\nx: Any = 1\ny: list[Any] = []\n\nz: 'int' = 1  # Any: other\n"
    assert uses(source) == [(3, True), (4, False)]
