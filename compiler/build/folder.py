"""Build folders: what stands where, written whole or not at all, and proof that nobody edited it.

::

    BUILD/manifest.json      SHA-256 of every generated file, and the versions that made them
          model.npz          the sealed integer model (`snnc.compiler.ir.model`)
          plan.json          the plan (`snnc.compiler.plan`)
          rtl/               Verilog
          images/            contents of memories, for $readmemh; paths in the Verilog are relative to BUILD
          tb/                a bench that the user may edit
          report.md, .json   for people; `verify` and `synth` fill in their sections
          verify/, stream/, synth/    results of those commands
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from snnc.compiler import __version__
from snnc.compiler.build.locks import locked
from snnc.compiler.contract import SEMANTICS_VERSION, TIMING_VERSION
from snnc.compiler.errors import BuildError, SnncError
from snnc.compiler.ir import Graph
from snnc.compiler.ir.model import load_model, model_hash
from snnc.compiler.plan import PLAN_VERSION, Plan, plan_from_json
from snnc.rtl.tops import TOPS

__all__ = [
    "FORMAT",
    "Build",
    "check_output",
    "open_build",
    "replace_file",
    "replacing_folder",
    "using_build",
    "write_build",
]

FORMAT: Final = "snnc-build"
VERSION: Final = 2
"""Of the manifest itself."""

MANIFEST: Final = "manifest.json"
MODEL: Final = "model.npz"
PLAN: Final = "plan.json"
LOAD_IMAGE: Final = "images/load.hex"

_CONTRACTS: Final[Mapping[str, str | int]] = {
    "semantics": SEMANTICS_VERSION,
    "timing": TIMING_VERSION,
    "plan": PLAN_VERSION,
}
"""What a build keeps to, beside the layout of its manifest: the hardware of another version is not the one modelled."""

_FREE: Final = ("tb/", "report.")
"""Files that may change after compilation begin so: the user's bench, and the reports, which nothing relies on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A build folder that was found intact.

    Attributes
    ----------
    path
        The folder.
    plan
        From ``plan.json``.
    manifest
        As read.
    """

    path: Path
    plan: Plan
    manifest: Mapping[str, Any]

    @property
    def model_hash(self) -> str:
        return self.plan.model_hash

    def check_unchanged(self) -> None:
        """Whether the folder still holds what was opened.

        Raises
        ------
        BuildError
            It was changed or replaced since.
        """
        try:
            if open_build(self.path).manifest == self.manifest:
                return
        except BuildError:
            pass
        raise BuildError(
            f"'{self.path}' was changed while this command worked in it, so that what it found is of neither build; "
            "run it again."
        )

    def load_graph(self) -> Graph:
        """The integer network, checked to be the one that the plan was made for."""
        graph = load_model(self.path / MODEL)
        if model_hash(graph) != self.plan.model_hash:
            raise BuildError(f"The model and the plan in '{self.path}' are of different networks; compile again.")
        return graph

    @property
    def verilog(self) -> tuple[Path, ...]:
        """The Verilog sources that were generated; other files may lie beside them."""
        names = [name for name in self.manifest["files"] if name.startswith("rtl/") and name.endswith(".v")]
        return tuple(sorted(self.path / name for name in names))

    @property
    def core_verilog(self) -> tuple[Path, ...]:
        """Those of the core alone, without the tops that are placed and routed around it."""
        tops = {top.file for top in TOPS.values()}
        return tuple(path for path in self.verilog if path.name not in tops)


def write_build(path: Path, files: Mapping[str, bytes], *, source: str) -> None:
    """Write a whole build folder; an earlier build at `path` is replaced at the very end.

    What the user changed below ``tb/`` in the earlier build is kept.

    Parameters
    ----------
    files
        Contents by name relative to the folder; the manifest is added.
    source
        What it was compiled from, for people.

    Raises
    ------
    BuildError
        There is something at `path` that is no build folder of ours or that a command works in, or it cannot be
        written.
    """
    check_output(path)
    kept = _edited_bench(path)
    contents = {**files, **kept}
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "source": source,
        "versions": {"snnc": __version__, **_CONTRACTS},
        "files": {name: _digest(data) for name, data in sorted(files.items()) if not name.startswith(_FREE)},
        # As generated, to tell whether the user changed them.
        "free": {name: _digest(data) for name, data in sorted(files.items()) if name.startswith(_FREE)},
    }
    contents[MANIFEST] = (json.dumps(manifest, indent=2) + "\n").encode()
    with replacing_folder(path) as folder:
        for name, data in contents.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)


def check_output(path: Path) -> None:
    """Refuse what `write_build` would refuse, before there is anything to write.

    Raises
    ------
    BuildError
        There is something at `path` that is no build folder of ours, or a command works in the build that is there.
    """
    _finish_exchange(path)
    _refuse_foreign(path)
    if path.is_dir():
        with _replacing(path):
            pass


@contextlib.contextmanager
def using_build(path: Path) -> Iterator[Build]:
    """Open a build and hold it for a command: it is not replaced by `write_build` until the block ends.

    Raises
    ------
    BuildError
        As of `open_build`; also where the block fails after somebody changed the build by other means, since the
        failure is then no word about the build that was opened.
    """
    with contextlib.ExitStack() as held:
        _finish_exchange(path)
        with contextlib.suppress(OSError):  # `open_build` says what is missing
            held.enter_context(locked(path, shared=True, wait=True))
        build = open_build(path)
        try:
            yield build
        except (SnncError, OSError):
            build.check_unchanged()
            raise


def open_build(path: Path) -> Build:
    """Check every generated file of a build folder.

    Raises
    ------
    BuildError
        It is none, a file is missing or was edited, or another version wrote it; the message names the file.
    """
    _finish_exchange(path)
    manifest = _manifest(path)
    if manifest is None:
        raise BuildError(f"'{path}' is no build folder of snnc (it has no {MANIFEST}); make one with 'snnc compile'.")
    _check_versions(path, manifest)
    files = manifest.get("files")
    if not isinstance(files, dict) or MODEL not in files or PLAN not in files:
        raise BuildError(f"'{path / MANIFEST}' does not list what was built; compile again.")
    for name, digest in files.items():
        file = path / name
        if not file.resolve().is_relative_to(path.resolve()):
            raise BuildError(f"'{path / MANIFEST}' names '{name}', which is outside the build; compile again.")
        try:
            data = file.read_bytes()
        except OSError as error:
            raise BuildError(f"'{file}' is missing or unreadable ({error.strerror}); compile again.") from None
        if _digest(data) != digest:
            raise BuildError(
                f"'{file}' was changed after it was compiled (its SHA-256 differs from {MANIFEST}); compile again. "
                "Only tb/ may be edited."
            )
    plan = plan_from_json((path / PLAN).read_text(encoding="utf-8"))
    return Build(path=path, plan=plan, manifest=manifest)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A new folder beside `path` to fill; it takes the place of `path` only if the block ends without an exception."""
    folder = None
    path = _place(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
        folder.chmod(0o755)
        yield folder
        _swap(folder, path)
    except OSError as error:
        raise BuildError(f"'{path}' cannot be written: {error.strerror or error}.") from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def replace_file(path: Path, data: str | bytes) -> None:
    """Write beside `path` under a name of its own, then rename: others may write the same file meanwhile.

    Raises
    ------
    BuildError
        It cannot be written; what was there before is untouched.
    """
    part = None
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        part = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())  # where a full disk shows only later
        part.chmod(0o644)
        part.replace(path)
    except OSError as error:
        raise BuildError(f"'{path}' cannot be written: {error.strerror or error}.") from None
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def _place(path: Path) -> Path:
    """Where the folder itself lies: a link to it stays a link."""
    return path.resolve() if path.is_symlink() else path


def _swap(new: Path, path: Path) -> None:
    if not path.exists():
        new.rename(path)
        return
    # A folder with contents cannot be renamed over: set the old one aside first, and back if the new one will not go.
    aside = new.with_suffix(".old")
    with _replacing(path):
        path.rename(aside)
        try:
            new.rename(path)
        except BaseException:
            aside.rename(path)
            raise
    shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[None]:
    """Hold a build so that no command begins to work in it; refuse where one does."""
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(path))
        except BlockingIOError:
            raise BuildError(
                f"'{path}' is at work: another snnc command uses this build; wait until it ends, or give another "
                "folder with -o."
            ) from None
        except PermissionError:  # one who may not read it; whether he may rename it shows then
            pass
        yield


def _finish_exchange(path: Path) -> None:
    """Put back a build that a process set aside and then did not live to replace."""
    path = _place(path)
    if not path.exists():
        for aside in path.parent.glob(f".{glob.escape(path.name)}.*.old"):
            if _manifest(aside) is not None:
                with contextlib.suppress(OSError):
                    aside.rename(path)
                return


def _refuse_foreign(path: Path) -> None:
    if not os.path.lexists(path):
        return
    if not path.is_dir():
        raise BuildError(f"'{path}' is not a folder; give another one with -o.")
    if _manifest(path) is None and any(path.iterdir()):
        raise BuildError(
            f"'{path}' holds files that are no build of snnc, and is left alone; give another one with -o."
        )


def _manifest(path: Path) -> Mapping[str, Any] | None:
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) and manifest.get("format") == FORMAT else None


def _check_versions(path: Path, manifest: Mapping[str, Any]) -> None:
    """Refuse what another version made, with one sentence that says which release it was and what to do."""
    versions = manifest.get("versions")
    stated = {**(versions if isinstance(versions, dict) else {}), "manifest": manifest.get("version")}
    for what, ours in {**_CONTRACTS, "manifest": VERSION}.items():
        theirs = stated.get(what)
        if theirs != ours:
            release, source = stated.get("snnc", "of unknown version"), manifest.get("source", "its source")
            raise BuildError(
                f"'{path}' was made by snnc {_short(release)}, with version {_short(theirs)} of its {what} where this "
                f"one has {ours}; compile it again with this one ({__version__}), from {_short(source, 200)}."
            )


def _short(value: object, most: int = 40) -> str:
    """A value of a manifest that anyone may have written, for a message."""
    return str(value)[:most] if isinstance(value, str | int) else "unknown"


def _edited_bench(path: Path) -> dict[str, bytes]:
    """Files below ``tb/`` of an earlier build that are not as they were generated."""
    manifest, folder = _manifest(path), path / "tb"
    if manifest is None or not folder.is_dir():
        return {}
    generated = manifest.get("free", {})
    edited = {}
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(path).as_posix()
        if file.is_file() and "__pycache__" not in file.parts and "sim_build" not in file.parts:
            data = file.read_bytes()
            if generated.get(name) != _digest(data):
                edited[name] = data
    return edited


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
