"""Work on several machines: those whose workers a scheduler of Dask has."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from snnc.compiler import __version__
from snnc.compiler.errors import ToolError
from snnc.compiler.explore.grid import digest_of
from snnc.compiler.extras import needed

__all__ = ["on_machines"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_SECONDS: Final = 10.0
"""In which a scheduler answers."""

_PREPARED: list[str] = []
"""Of this process: the run that it is prepared for."""


def on_machines(
    work: Callable[[_Item], _Result],
    items: Sequence[_Item],
    *,
    prepare: Callable[..., None],
    arguments: tuple[Any, ...],
    address: str,
    files: Mapping[Path, str],
) -> Iterator[tuple[_Item, _Result]]:
    """As `work.in_processes`, by the workers of the scheduler at `address`.

    Parameters
    ----------
    files
        That `work` reads, with the SHA-256 of each: every worker must find the same there.

    Raises
    ------
    MissingError
        Dask is not installed.
    ToolError
        There is no such scheduler, no worker, one without the files or of another release; or one was lost.
    """
    with needed():
        from distributed import Client, as_completed
        from distributed.comm.core import CommClosedError
        from distributed.scheduler import KilledWorker
    if not items:
        return
    try:
        client = Client(address, timeout=_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ToolError(
            f"No Dask scheduler answers at '{address}' ({str(error).splitlines()[0]}); start one with 'dask "
            "scheduler', and workers with 'dask worker ADDRESS --nthreads 1'."
        ) from None
    try:
        _check(client.run(_found, dict(files)), address, files)
        task = functools.partial(_prepared, work, prepare, arguments, str(client.id))
        futures = {client.submit(task, item, pure=False): item for item in items}
        for future in as_completed(futures, loop=client.loop):
            yield futures[future], future.result()
    except (KilledWorker, CommClosedError, TimeoutError):
        raise ToolError(f"The machines behind '{address}' were lost; run it again: what was found is kept.") from None
    finally:
        client.close()


def _prepared(
    work: Callable[[_Item], _Result], prepare: Callable[..., None], arguments: tuple[Any, ...], run: str, item: _Item
) -> _Result:
    """`work` of an item, in a process that is prepared for this run."""
    if [run] != _PREPARED:
        prepare(*arguments)
        _PREPARED[:] = [run]
    return work(item)


def _found(files: Mapping[Path, str]) -> tuple[str, list[str]]:
    """This process's release, and the files that it does not find as they should be."""
    lacking = [str(path) for path, digest in files.items() if not path.is_file() or digest_of(path) != digest]
    return __version__, lacking


def _check(answers: Mapping[str, tuple[str, list[str]]], address: str, files: Mapping[Path, str]) -> None:
    if not answers:
        raise ToolError(f"The Dask scheduler at '{address}' has no workers; start some: dask worker {address}.")
    for worker, (version, lacking) in answers.items():
        if version != __version__:
            raise ToolError(f"The worker {worker} has snnc {version}, this is {__version__}; install the same on both.")
        if lacking:
            raise ToolError(
                f"The worker {worker} does not find '{lacking[0]}' as it is here; give a path in a folder that all "
                "machines share."
            )
