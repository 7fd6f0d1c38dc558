"""Work that a scheduler of Dask hands out: the same as here, by workers that have the same files."""

from __future__ import annotations

import sys

import pytest

from snnc.compiler.errors import MissingError, ToolError
from snnc.compiler.explore import machines
from snnc.compiler.explore.grid import digest_of
from snnc.compiler.explore.machines import on_machines

distributed = pytest.importorskip("distributed")

_FACTOR: list[int] = []


def _prepare(factor):
    _FACTOR[:] = [factor]


def _scaled(number):
    return number * _FACTOR[0]


def _fails(number):
    raise ValueError(number)


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", protocol="tcp"
    ) as found:
        yield found


def _run(address, work=_scaled, factor=3, files=None):
    return sorted(
        on_machines(work, [1, 2, 5], prepare=_prepare, arguments=(factor,), address=address, files=files or {})
    )


def test_each_run_is_prepared_once(cluster):
    address = cluster.scheduler_address
    assert _run(address) == [(1, 3), (2, 6), (5, 15)]
    assert _run(address, factor=4) == [(1, 4), (2, 8), (5, 20)]


def test_a_fault_is_not_hidden(cluster):
    with pytest.raises(ValueError, match=r"^[125]$"):
        _run(cluster.scheduler_address, work=_fails)


def test_other_files_and_other_releases_are_refused(cluster, tmp_path, monkeypatch):
    path = tmp_path / "student.pt"
    path.write_bytes(b"weights")
    address = cluster.scheduler_address
    with pytest.raises(ToolError, match=r"does not find '.*student.pt' as it is here"):
        _run(address, files={path: "0" * 64})
    assert len(_run(address, files={path: digest_of(path)})) == 3
    monkeypatch.setattr(machines, "_found", lambda files: ("0.1.0", []))
    with pytest.raises(ToolError, match=r"has snnc 0\.1\.0, this is"):
        _run(address)


def test_no_workers_and_no_scheduler(monkeypatch):
    monkeypatch.setattr(machines, "_SECONDS", 1.0)
    with distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=":0", protocol="tcp") as empty:
        with pytest.raises(ToolError, match="has no workers"):
            _run(empty.scheduler_address)
    with pytest.raises(ToolError, match="No Dask scheduler answers at 'tcp://127"):
        _run("tcp://127.0.0.1:9")


def test_without_dask_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingError, match=r"pip install 'snnc\[explore\]'"):
        _run("tcp://127.0.0.1:9")
