"""The notebooks run from top to bottom, as they are, and show what they promise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = Path(__file__).resolve().parents[1] / "examples" / "notebooks"


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_it_is_kept_without_what_it_once_gave(path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)


@pytest.mark.nightly
@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_it_runs(path: Path, tmp_path: Path) -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [html for cell in notebook.cells if (html := _html(cell))]
    assert len(shown) >= 4
    assert any("The Verilog equals the golden model on 100 samples" in html for html in shown)
    assert any("median Fmax" in html for html in shown)


def _html(cell: Any) -> str:
    outputs = [output.get("data", {}).get("text/html", "") for output in cell.get("outputs", [])]
    return "".join("".join(html) for html in outputs)
