"""Build folders: whole or not at all, and nobody else's."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import zipfile

import pytest

from snnc.compiler import __version__, cli
from snnc.compiler.build import folder as artefacts
from snnc.compiler.build.folder import MANIFEST, open_build, replace_file, using_build, write_build
from snnc.compiler.contract import SEMANTICS_VERSION
from snnc.compiler.errors import BuildError, VerificationError
from snnc.compiler.ir.model import load_model, model_hash, model_to_bytes
from snnc.compiler.plan import plan_to_json
from tests.compiler.networks import random_design

DESIGN = random_design((12, 6, 3))
OTHER = random_design((12, 5, 3))


def files(design=DESIGN, **more: bytes) -> dict[str, bytes]:
    return {
        "model.npz": model_to_bytes(design.graph),
        "plan.json": plan_to_json(design.complete_plan).encode(),
        "rtl/core.v": b"module snnc_core; endmodule\n",
        "images/a.hex": b"00\n",
        "tb/test_core.py": b"# bench\n",
        "report.md": b"# report\n",
        **more,
    }


@pytest.fixture
def build(tmp_path):
    path = tmp_path / "build"
    write_build(path, files(), source="a test")
    return path


def alone(path) -> bool:
    """Nothing was left beside the build."""
    return [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_there_and_back(build):
    opened = open_build(build)
    assert opened.plan == DESIGN.complete_plan
    assert opened.model_hash == model_hash(DESIGN.graph) == model_hash(opened.load_graph())
    assert [path.name for path in opened.verilog] == ["core.v"]
    assert opened.manifest["versions"]["semantics"] == SEMANTICS_VERSION
    assert alone(build)


def test_the_same_network_gives_the_same_bytes(build, tmp_path):
    write_build(tmp_path / "again", files(), source="a test")
    assert (tmp_path / "again" / MANIFEST).read_bytes() == (build / MANIFEST).read_bytes()


@pytest.mark.parametrize("name", ["model.npz", "plan.json", "rtl/core.v", "images/a.hex"])
def test_an_edited_or_missing_file_is_named(name, build):
    (build / name).write_bytes((build / name).read_bytes() + b" ")
    with pytest.raises(BuildError, match=f"{name}' was changed after"):
        open_build(build)
    (build / name).unlink()
    with pytest.raises(BuildError, match=f"{name}' is missing"):
        open_build(build)


def test_the_bench_and_the_report_may_be_edited(build):
    (build / "tb/test_core.py").write_text("mine\n")
    (build / "tb/extra.py").write_text("also mine\n")
    (build / "report.md").unlink()
    (build / "synth").mkdir()
    open_build(build)


def test_a_source_that_was_put_beside_the_generated_ones_is_not_used(build):
    (build / "rtl/aaa.v").write_text("module snnc_core; endmodule\n")
    assert [path.name for path in open_build(build).verilog] == ["core.v"]


def test_a_link_to_a_build_stays_a_link(build, tmp_path):
    link = tmp_path / "link"
    link.symlink_to("build")
    write_build(link, files(OTHER), source="another test")
    assert link.is_symlink()
    assert open_build(build).plan == open_build(link).plan == OTHER.complete_plan
    assert {entry.name for entry in tmp_path.iterdir()} == {"build", "link"}


def test_results_that_cannot_be_written_are_named(build):
    with pytest.raises(BuildError, match=r"no/result\.json' cannot be written: No such file"):
        replace_file(build / "no" / "result.json", "")


def test_what_the_user_wrote_survives(build):
    (build / "tb/test_core.py").write_text("mine\n")
    (build / "tb/extra.py").write_text("also mine\n")
    for _ in range(2):
        write_build(build, files(OTHER), source="another test")
        assert (build / "tb/test_core.py").read_text() == "mine\n"
        assert (build / "tb/extra.py").read_text() == "also mine\n"
    assert open_build(build).plan == OTHER.complete_plan


def test_an_unedited_bench_is_renewed(build):
    write_build(build, files(OTHER, **{"tb/test_core.py": b"# newer\n"}), source="another test")
    assert (build / "tb/test_core.py").read_bytes() == b"# newer\n"


def test_results_of_the_earlier_build_are_gone(build):
    (build / "synth").mkdir()
    write_build(build, files(OTHER), source="another test")
    assert not (build / "synth").exists()


@pytest.mark.parametrize("name", ["notes", "manifest.json"])
def test_foreign_folders_are_left_alone(name, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / name).write_text("{}")
    with pytest.raises(BuildError, match="left alone"):
        write_build(tmp_path / "home", files(), source="a test")
    assert (tmp_path / "home" / name).read_text() == "{}"
    with pytest.raises(BuildError, match="no build folder"):
        open_build(tmp_path / "home")
    with pytest.raises(BuildError, match="not a folder"):
        write_build(tmp_path / "home" / name, files(), source="a test")


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "build").mkdir()
    write_build(tmp_path / "build", files(), source="a test")
    open_build(tmp_path / "build")
    assert alone(tmp_path / "build")


@pytest.mark.parametrize("name", ["manifest.json", "model.npz", "tb/test_core.py"])
def test_a_failure_while_writing_keeps_the_old_build(name, build, monkeypatch):
    original = type(build).write_bytes

    def failing(self, data):
        if self.as_posix().endswith(name):
            raise OSError(28, "No space left on device")
        return original(self, data)

    monkeypatch.setattr(type(build), "write_bytes", failing)
    with pytest.raises(BuildError, match="No space left"):
        write_build(build, files(OTHER), source="another test")
    monkeypatch.undo()
    assert open_build(build).plan == DESIGN.complete_plan
    assert alone(build)


def test_a_failure_of_the_exchange_keeps_the_old_build(build, monkeypatch):
    original = type(build).rename

    def failing(self, target):
        if self.name.endswith(".part"):
            raise OSError(5, "Input/output error")
        return original(self, target)

    monkeypatch.setattr(type(build), "rename", failing)
    with pytest.raises(BuildError, match="Input/output error"):
        write_build(build, files(OTHER), source="another test")
    monkeypatch.undo()
    assert open_build(build).plan == DESIGN.complete_plan
    assert alone(build)


@pytest.mark.parametrize("after", range(7))
def test_a_kill_within_any_file_keeps_the_old_build(after, build, repository):
    """The process ends without a chance to clean up."""
    code = f"""
import os, pathlib
from snnc.compiler import __version__, cli
from snnc.compiler.build import folder as artefacts
from tests.compiler.build.test_folder import OTHER, files
original, count = pathlib.Path.write_bytes, 0
def counting(self, data):
    global count
    if count == {after}:
        original(self, data[: len(data) // 2])
        os._exit(9)
    count += 1
    return original(self, data)
pathlib.Path.write_bytes = counting
artefacts.write_build(pathlib.Path({str(build)!r}), files(OTHER), source="another test")
"""
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 9
    assert open_build(build).plan == DESIGN.complete_plan


@pytest.mark.parametrize("then", ["open", "write"])
def test_a_kill_within_the_exchange_is_undone(then, build):
    """Between its two renames the old build lies beside its place."""
    build.rename(build.with_name(".build.abc.old"))
    if then == "write":
        write_build(build, files(OTHER), source="another test")
    assert open_build(build).plan == (DESIGN if then == "open" else OTHER).complete_plan
    assert alone(build)


def test_manifests_of_other_versions_are_refused(build):
    manifest = json.loads((build / MANIFEST).read_text())
    for change, named in (
        ({"version": 9}, "version 9 of its manifest where this one has 2"),
        ({"versions": 3}, "unknown of its semantics"),
        ({"files": {}}, "what was built"),
        ({"files": 3}, "built"),
    ):
        (build / MANIFEST).write_text(json.dumps(manifest | change))
        with pytest.raises(BuildError, match=named):
            open_build(build)
    (build / MANIFEST).write_text("{")
    with pytest.raises(BuildError, match="no build folder"):
        open_build(build)


@pytest.mark.parametrize("what", ["semantics", "timing", "plan"])
@pytest.mark.parametrize("theirs", [0, "9.9", None, ["x" * 1000]])
def test_another_version_of_a_contract_is_refused(what, theirs, build):
    manifest = json.loads((build / MANIFEST).read_text())
    manifest["versions"] |= {"snnc": "7.8.9", what: theirs}
    (build / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BuildError) as error:
        open_build(build)
    text = str(error.value)
    assert "was made by snnc 7.8.9" in text
    assert f"of its {what} where this one has " in text
    assert text.endswith(f"compile it again with this one ({__version__}), from a test.")
    assert len(text) < 400 + len(str(build))


@pytest.mark.parametrize("command", ["verify", "synth"])
def test_a_build_of_release_0_1_0_is_refused(command, repository, tmp_path, capsys):
    with zipfile.ZipFile(repository / "tests" / "release-0.1.0-build.zip") as archive:
        archive.extractall(tmp_path / "old")
    assert cli.run([command, str(tmp_path / "old")]) == 1
    assert capsys.readouterr().err == (
        f"snnc: error: '{tmp_path / 'old'}' was made by snnc 0.1.0, with version 1 of its semantics where this one has "
        f"{SEMANTICS_VERSION}; compile it again with this one ({__version__}), from --random 6-4-3 --seed 0.\n"
    )


def test_the_model_of_release_0_1_0_is_still_read(repository, tmp_path):
    """Its integers mean what they meant."""
    with zipfile.ZipFile(repository / "tests" / "release-0.1.0-build.zip") as archive:
        archive.extract("model.npz", tmp_path)
        plan = json.loads(archive.read("plan.json"))
    graph = load_model(tmp_path / "model.npz")
    assert model_hash(graph) == plan["model_hash"]


def test_names_cannot_leave_the_folder(build, tmp_path):
    """A manifest from elsewhere must not make us read other files."""
    manifest = json.loads((build / MANIFEST).read_text())
    for name in ("../secret", str(tmp_path / "secret")):
        (build / MANIFEST).write_text(json.dumps(manifest | {"files": manifest["files"] | {name: "0" * 64}}))
        with pytest.raises(BuildError, match="outside"):
            open_build(build)


def test_model_and_plan_of_different_networks(tmp_path):
    mixed = files() | {"plan.json": plan_to_json(OTHER.complete_plan).encode()}
    write_build(tmp_path / "build", mixed, source="a test")
    with pytest.raises(BuildError, match="different networks"):
        open_build(tmp_path / "build").load_graph()


def test_an_interrupt_leaves_nothing(tmp_path):
    def interrupted():
        with artefacts.replacing_folder(tmp_path / "build") as folder:
            (folder / "half").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_build_in_use_is_not_replaced(build):
    """`snnc compile` into it used to take the files away under a command at work."""
    with using_build(build) as opened:
        with pytest.raises(BuildError, match="is at work: another snnc command uses this build"):
            write_build(build, files(OTHER), source="another test")
        opened.check_unchanged()
        assert alone(build)
        with using_build(build):
            pass
    write_build(build, files(OTHER), source="another test")
    assert open_build(build).plan == OTHER.complete_plan


def test_the_lock_of_a_killed_process_is_gone(build):
    code = (
        "import os, signal, sys; from pathlib import Path; from snnc.compiler.build.folder import using_build\n"
        "with using_build(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(build)]).returncode < 0
    write_build(build, files(OTHER), source="another test")


def test_a_failure_in_a_build_that_changed_meanwhile_says_that_it_changed(build):
    """What the command read may be of two builds: no word about the hardware."""

    def swapped():
        with using_build(build):
            build.rename(build.with_name("mine"))
            write_build(build, files(OTHER), source="another test")
            raise VerificationError("The hardware differs from the golden model.")

    with pytest.raises(BuildError, match="was changed while this command worked in it"):
        swapped()


def test_a_file_that_cannot_be_written_leaves_the_earlier_one_and_nothing_else(build, monkeypatch):
    (build / "report.md").write_text("good")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BuildError, match="No space left"):
        replace_file(build / "report.md", "half")
    assert (build / "report.md").read_text() == "good"
    assert not list(build.glob(".*.part"))
