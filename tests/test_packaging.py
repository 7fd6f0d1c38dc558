"""The repository as a package: what is installed, under which names, and what its files may say."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from snnc.compiler import __version__

FOLDERS = ("compiler", "distill", "rtl", "sim")

FRONT_DOOR = "compiler/api"
"""Imported as ``snnc`` itself."""


@pytest.fixture(scope="module")
def project(repository) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))


def module_name(path: Path) -> str:
    """The name under which a folder or a file of the repository, relative to it, is imported."""
    parts = path.with_suffix("").as_posix().removesuffix("/__init__")
    inside = parts.removeprefix(FRONT_DOOR).removeprefix("/") if parts.startswith(FRONT_DOOR) else parts
    return ".".join(["snnc", *filter(None, inside.split("/"))])


@pytest.fixture(scope="module")
def tracked(repository) -> list[Path]:
    """Every tracked file with text in it; without git (a source archive), every file that would be tracked."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        files = [repository / name for name in listed.stdout.split("\0") if name]
    else:
        hidden = {".venv", ".git", "__pycache__", "build", "dist"}
        files = [path for path in repository.rglob("*") if not hidden & set(path.relative_to(repository).parts)]
    return [path for path in files if path.is_file() and not path.is_symlink() and path.suffix not in {".pt", ".png"}]


def test_the_package_list_is_the_folders(repository, project):
    folders = sorted(
        module_name(path.parent.relative_to(repository))
        for folder in FOLDERS
        for path in (repository / folder).rglob("__init__.py")
    )
    assert project["tool"]["setuptools"]["packages"] == folders


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_with_code_is_a_package(folder, repository):
    """A folder without ``__init__.py`` imports from a checkout and is missing from the wheel."""
    for path in (repository / folder).rglob("*.py"):
        assert (path.parent / "__init__.py").exists(), path


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_type_checkers_see_the_same_files(folder, repository):
    link = repository / "typings" / "snnc" / folder
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert link.resolve() == (repository / folder).resolve()


def test_the_type_checkers_see_the_front_door(repository):
    modules = {path.name for path in (repository / FRONT_DOOR).glob("*.py")}
    links = {path.name: path for path in (repository / "typings" / "snnc").glob("*.py")}
    assert set(links) == modules
    for name, link in links.items():
        assert link.is_symlink()
        assert link.resolve() == (repository / FRONT_DOOR / name).resolve()


@pytest.fixture(scope="module")
def wheel(repository, tmp_path_factory) -> zipfile.ZipFile:
    """A wheel built from a copy, so that the build leaves nothing in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    archive = subprocess.run(
        ["tar", "-c", *FOLDERS, "pyproject.toml", "README.md", "LICENSE"],
        cwd=repository,
        capture_output=True,
        check=True,
    )
    subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", "dist", "."],
        cwd=folder,
        check=True,
    )
    (path,) = (folder / "dist").glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_installs_one_name(wheel):
    names = {name.split("/")[0] for name in wheel.namelist()}
    assert names == {"snnc", f"snnc-{__version__}.dist-info"}


def test_the_wheel_holds_every_file_that_the_code_reads(wheel, repository):
    held = set(wheel.namelist())
    for folder in FOLDERS:
        for path in (repository / folder).rglob("*"):
            if path.suffix in {".py", ".v", ".vlt", ".j2", ".json", ".md"} or path.name == "py.typed":
                name = path.relative_to(repository).as_posix().removeprefix(f"{FRONT_DOOR}/")
                assert f"snnc/{name}" in held


def test_the_wheel_installs_the_command(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "snnc = snnc.compiler.cli:main" in wheel.read(name).decode()


def test_version_strings_agree(project, repository):
    assert project["project"]["version"] == __version__
    assert importlib.metadata.version("snnc") == __version__
    changelog = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d[^\]]*)\]", changelog, re.MULTILINE)
    # Between releases the package is ahead of the newest one, and says so.
    assert released[0] == __version__ or (".dev" in __version__ and "## [Unreleased]" in changelog)


def test_every_requirement_is_pinned(project, repository):
    pins = dict(
        line.split("==")
        for line in (repository / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    normal = {re.sub(r"[-_.]+", "-", name).lower() for name in pins}
    extras = project["project"]["optional-dependencies"]
    required = [*project["project"]["dependencies"], *(one for names in extras.values() for one in names)]
    for requirement in required:
        if requirement.startswith("snnc["):
            continue
        name = re.split(r"[<>=!~]", requirement)[0]
        assert re.sub(r"[-_.]+", "-", name).lower() in normal, name


def test_every_requirement_says_why_it_is_there(repository):
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    blocks = re.findall(
        r"^(?:dependencies|[a-z0-9]+) = \[\n(.*?)^\]",
        text[text.index("\ndependencies") :].split("[project.scripts]")[0],
        re.M | re.S,
    )
    assert len(blocks) > 5
    for block in blocks:
        for line in block.splitlines():
            if line.strip().startswith('"snnc['):
                continue
            assert not line.strip().startswith('"') or re.search(r'",\s+# \S', line), line


def imports(path: Path) -> set[str]:
    """The top-level names that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                found |= {alias.name.split(".")[0] for alias in node.names}
            case ast.ImportFrom(module=str(module), level=0):
                found.add(module.split(".")[0])
    return found


def test_nothing_imports_the_folders_by_their_bare_names(tracked):
    for path in tracked:
        if path.suffix == ".py":
            assert not imports(path) & set(FOLDERS), path


def test_nothing_imports_the_front_door_by_its_folder(tracked):
    """It would be there twice, as `snnc` and as `snnc.compiler.api`."""
    for path in tracked:
        if path.suffix == ".py" and path.name != "test_packaging.py":
            assert "snnc.compiler" + ".api" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize("module", ["snnc.compiler.cli", "snnc.rtl", "snnc.sim"])
def test_torch_is_imported_only_where_it_is_needed(module):
    """Compiling must not wait for torch, nor ``rtl`` and ``sim`` know of it."""
    code = f"import pkgutil, importlib, sys, {module} as m\n"
    code += "names = [i.name for i in pkgutil.walk_packages(getattr(m, '__path__', []), m.__name__ + '.')]\n"
    code += "[importlib.import_module(n) for n in names if '.benches.' not in n]\n"
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_readme_names_commands_that_the_makefile_has(repository):
    targets = set(re.findall(r"^([a-z]+):", (repository / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    readme = (repository / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^ {4}|`|\$ )make ([a-z]+)", readme, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_ci_runs_the_tests_of_the_readme_and_nothing_else(repository):
    lines = (repository / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert lines[-1] == "exec make test"
    assert sum("make" in line for line in lines) == 1


def test_no_file_names_a_place_on_somebodys_machine(tracked):
    # Split, so that this file does not name them either.
    places = re.compile("|".join(("/wo" + "rk/", "/ho" + "me/[a-z]", "/ro" + "ot/", "/Us" + "ers/", "C:" + r"\\Users")))
    for path in tracked:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a memory image, a bitstream
        assert not (found := places.search(text)), f"{path}: {found}"
