"""The table of tops: names that agree, and nothing else that knows them."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from snnc.rtl.emit import emit_top
from snnc.rtl.tops import CORE, SHELL, TOPS
from tests.compiler.networks import random_design


@pytest.mark.parametrize("top", TOPS.values(), ids=TOPS)
def test_a_top_is_listed_under_its_own_name_and_is_built_for_a_plan(top):
    assert TOPS[top.name] is top
    assert top.file == f"{top.name}.v"
    assert f"module \\{top.module}\n" in emit_top(random_design((12, 6, 3)).complete_plan, top)


def test_the_names_stand_in_the_table_alone(repository):
    names = re.compile(rf'"({SHELL.module}|{SHELL.file}|{CORE})"')
    found = {
        path.relative_to(repository).as_posix()
        for folder in ("compiler", "distill", "rtl", "sim")
        for path in (repository / folder).rglob("*.py")
        if names.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"rtl/tops/__init__.py"}


def test_the_table_imports_no_hardware():
    code = "import sys, snnc.rtl.tops; sys.exit('amaranth' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
