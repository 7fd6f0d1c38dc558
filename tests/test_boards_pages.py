"""A beginner's page, typed line by line up to where a board would be plugged in: minutes, so `make nightly`."""

from __future__ import annotations

import re
import shlex
import shutil

import pytest

from snnc.compiler import cli

pytestmark = pytest.mark.nightly

PAGES = ("ice40", "ecp5", "gowin", "gatemate")
_NUMBER = re.compile(r"[0-9a-f]{16}|\d[\d,.]*")


def steps(text):
    """Each command of a page (a line with ``$``) and the lines that should show below it."""
    found: list[tuple[str, list[str]]] = []
    within = False
    for line in text.splitlines():
        if line.startswith("    $ "):
            found.append((line[6:], []))
            within = True
        elif within and line.startswith("    "):
            found[-1][1].append(line[4:])
        elif line:
            within = False
    return found


@pytest.mark.parametrize("name", PAGES)
def test_a_page_types_as_it_reads(name, repository, tmp_path, monkeypatch, capsys):
    (tmp_path / "examples").symlink_to(repository / "examples")
    monkeypatch.chdir(tmp_path)
    typed = steps((repository / "docs" / "boards" / f"{name}.md").read_text())
    assert len(typed) >= 3
    for command, shown in typed:
        program, *words = shlex.split(command)
        if program == "make" or ("bitstream" in words and shutil.which("icebox_vlog") is None):
            continue
        assert program == ".venv/bin/snnc"
        capsys.readouterr()
        assert cli.run(words) == 0, command
        out = _NUMBER.sub("#", capsys.readouterr().out)
        for line in shown:
            assert _NUMBER.sub("#", line.strip()) in out, command
