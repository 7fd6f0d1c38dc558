"""Templates: what is kept of them once they are Python, and that no fault of that is anybody's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import jinja2
import pytest

from snnc.compiler.build import templates

PACKAGE, TEMPLATE = "snnc.compiler.build", "report.md.j2"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[Path]]]:
    """Reads a template as a new process does, and gives the files that are kept of it."""
    monkeypatch.setenv("SNNC_CACHE", str(tmp_path / "cache"))

    def forget() -> None:
        templates._translated.cache_clear()
        templates._environment.cache_clear()

    def read() -> list[Path]:
        forget()
        assert templates._environment(PACKAGE).get_template(TEMPLATE).blocks is not None
        folder = tmp_path / "cache" / "templates"
        return sorted(folder.iterdir()) if folder.is_dir() else []

    yield read
    forget()


def test_a_template_is_translated_once(kept: Callable[[], list[Path]], monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = kept()
    before = file.read_bytes()

    def never(*_: object) -> None:
        raise AssertionError("translated again")

    monkeypatch.setattr(jinja2.Environment, "_generate", never)
    assert kept() == [file]
    assert file.read_bytes() == before


@pytest.mark.parametrize("part", ["head", "digest", "code", "cut", "empty"])
def test_a_file_that_is_not_whole_is_passed_over(part: str, kept: Callable[[], list[Path]]) -> None:
    (file,) = kept()
    before = file.read_bytes()
    head = before.index(b"\n")
    changed = bytearray(before)
    if part in ("cut", "empty"):
        changed = changed[: len(changed) // 2 if part == "cut" else 0]
    else:
        changed[{"head": 0, "digest": head - 1, "code": head + 40}[part]] ^= 1
    file.write_bytes(changed)
    assert kept() == [file]
    assert file.read_bytes() == before


def test_where_nothing_can_be_kept_it_is_translated_each_time(kept: Callable[[], list[Path]], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert kept() == []
