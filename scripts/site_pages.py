"""Pages of the documentation's site that lie elsewhere in the repository: for mkdocs, which runs this as a hook."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

REPOSITORY = Path(__file__).resolve().parents[1]


def on_files(files: Files, config: Any) -> Files:
    """Add the changelog, and a page of the Python interface from its docstrings."""
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8").replace("](docs/", "](")
    for name, text in (("changelog.md", changelog), ("api.md", _interface())):
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links to what lies above ``docs/`` go to the pages that were added."""
    return markdown.replace("](../CHANGELOG.md)", "](changelog.md)")


def _interface() -> str:
    """Every public name of ``import snnc``, by the module that it is from."""
    source = (REPOSITORY / "compiler" / "api" / "__init__.py").read_text(encoding="utf-8")
    (table,) = [
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "_WHERE"
    ]
    assert isinstance(table, ast.Call)
    where: dict[str, str] = ast.literal_eval(table.args[0])
    names = [f"::: {module}.{name}" for name, module in sorted(where.items()) if not name.startswith("__")]
    return "\n\n".join(
        ["# Python, name by name", "What `import snnc` gives; [python.md](python.md) shows how.", *names]
    )
