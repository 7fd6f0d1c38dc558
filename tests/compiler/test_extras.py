"""What works without the extras, and what is said where one is needed: whole processes that cannot import them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from snnc.compiler.errors import MissingError
from snnc.compiler.extras import EXTRAS, needed

STUDENT = "examples/students/digits-64-32-10-int4.pt"

_WITHOUT = f"""
import importlib.abc, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {{*{sorted(EXTRAS)}, "sklearn"}}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from snnc.compiler.cli import main
sys.argv[0] = "snnc"
main()
"""


def snnc(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", _WITHOUT, *arguments], cwd=cwd, capture_output=True, text=True)


def test_a_student_is_compiled_without_any_extra(repository: Path, tmp_path: Path) -> None:
    done = snnc("compile", str(repository / STUDENT), "-o", "b", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "b" / "rtl" / "core.v").exists()


def test_test_images_are_read_without_any_extra(tmp_path: Path) -> None:
    code = _WITHOUT.split("from snnc")[0] + "from snnc.distill.data import load; print(len(load('digits').test))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "360\n", done.stderr


@pytest.mark.parametrize(
    ("arguments", "package", "extra"),
    [
        (["distill"], "torch", "distill"),
        (["compare", "--method", "twkd"], "torch", "distill"),
        (["evaluate", STUDENT, "--samples", "1"], "matplotlib", "evaluate"),
    ],
)
def test_a_missing_extra_is_one_sentence(
    repository: Path, tmp_path: Path, arguments: list[str], package: str, extra: str
) -> None:
    words = [str(repository / word) if word == STUDENT else word for word in arguments]
    done = snnc(*words, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"snnc: error: This needs the Python package {package}, which is not installed: pip install 'snnc[{extra}]'."
    ]
    assert not list(tmp_path.rglob("*.json"))


def test_help_needs_no_extra(tmp_path: Path) -> None:
    assert snnc("--help", cwd=tmp_path).returncode == 0


def test_another_missing_module_is_a_bug() -> None:
    with pytest.raises(ModuleNotFoundError, match="nonsense"), needed():
        raise ModuleNotFoundError("No module named 'nonsense'", name="nonsense")


def test_the_sentence_is_an_error_of_the_user() -> None:
    with pytest.raises(MissingError, match=re.escape("pip install 'snnc[distill]'")), needed():
        raise ModuleNotFoundError("No module named 'torch'", name="torch.nn")


def test_every_extra_that_is_named_exists(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert set(EXTRAS.values()) <= set(extras)
    (everything,) = extras["all"]
    # What users of the tool need; not what this project is written, tested and documented with.
    assert set(re.findall(r"[a-z0-9]+", everything)) - {"snnc"} == set(extras) - {"all", "dev", "docs"}
