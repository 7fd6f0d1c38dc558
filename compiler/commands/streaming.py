"""`snnc verify` of builds for streams: one stream as long as wanted, beside the samples."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from snnc.compiler.build.folder import Build
from snnc.compiler.build.report import Section
from snnc.compiler.build.results import results_folder, write_result
from snnc.compiler.errors import DataError, OptionError
from snnc.compiler.ir import Graph
from snnc.distill.data.recordings import recorded
from snnc.sim.trust.streams import StreamVerdict, verify_stream

__all__ = ["STREAM_STEPS", "random_stream", "read_stream", "run_stream", "stream_lines"]

STREAM_STEPS: Final = 10_000
"""Of a stream, where nobody says how many."""

_FOLDER: Final = "stream"
_SECTION: Final = "Verification of a stream"


def random_stream(graph: Graph, steps: int, *, density: float, seed: int) -> npt.NDArray[np.bool_]:
    """Random events ``(time, address)``, a fraction `density` of them 1."""
    return np.random.default_rng(seed).random((steps, graph.input.size), dtype=np.float32) < density


def read_stream(graph: Graph, path: Path, *, step: int | None = None, merge: bool = False) -> npt.NDArray[Any]:
    """The events of a recording, ``(time, address)``, of the network's shape behind the time.

    Parameters
    ----------
    path
        A ``.npy`` file of bytes; or an ``.npz`` file of events, whose recordings of the test part then follow each
        other (`snnc.distill.data.recordings.recorded`).
    step, merge
        Of address events: microseconds of a step, and whether several events of an address in one count as one.

    Raises
    ------
    DataError
        It is missing, no such file, or not the network's.
    OptionError
        `step` is missing, or about nothing.
    """
    if path.suffix.lower() == ".npz":
        return _recordings(graph, path, step=step, merge=merge)
    if step is not None or merge:
        raise OptionError(f"'{path}' has steps already: --bin and --merge are of address events; leave them out.")
    shape = graph.input.shape
    wanted = f"numpy.save a uint8 array (time, {math.prod(shape)}) or (time, {', '.join(map(str, shape))})"
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"There is no file '{path}'; {wanted}.") from None
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"'{path}' is no array of events ({error}); {wanted}.") from None
    if not isinstance(stored, np.ndarray) or stored.dtype not in (np.uint8, np.bool_):
        raise DataError(f"'{path}' holds no bytes; {wanted}.")
    if stored.ndim < 2 or not len(stored) or stored.shape[1:] not in (shape, (math.prod(shape),)):
        raise DataError(f"'{path}' has the shape {stored.shape}, but '{graph.name}' takes other events; {wanted}.")
    if int(stored.max()) > 1:
        raise DataError(
            f"'{path}' reaches {stored.max()}, but an address has one event in a step, or none: give 0 or 1."
        )
    return stored.reshape(len(stored), -1)


def _recordings(graph: Graph, path: Path, *, step: int | None, merge: bool) -> npt.NDArray[np.uint8]:
    """All of them, one after another, ``(time, address)``."""
    shape, recordings = recorded(path, step=step, merge=merge)
    if graph.input.shape not in (shape, (math.prod(shape), 1, 1)):
        own = " x ".join(map(str, shape))
        wanted = " x ".join(map(str, graph.input.shape))
        raise DataError(f"'{path}' holds events of {own} addresses, but '{graph.name}' takes {wanted}.")
    return np.concatenate([one.events[0 : len(one)] for one in recordings])


def run_stream(
    build: Build, events: npt.NDArray[Any], *, every: int | None, source: str, seed: int = 0
) -> StreamVerdict:
    """Verify a stream; the result goes into the build's folder ``stream/`` and into its report."""
    from snnc.compiler.commands.console import progress_bar

    with results_folder(build, _FOLDER, section=_SECTION) as folder, progress_bar() as bar:
        task = bar.add_task("a stream", total=len(events))
        verdict = verify_stream(
            build, events, every=every, seed=seed + 1, progress=lambda done: bar.update(task, advance=done)
        )
        write_result(build, folder, _section(build, verdict, source))
    return verdict


def stream_lines(verdict: StreamVerdict) -> list[str]:
    """What the command says of a stream that is equal."""
    return [
        f"Equal: a stream of {verdict.steps:,} steps, {verdict.answers:,} answers, {verdict.spikes:,} spikes, "
        f"{verdict.membranes:,} membranes, and the cycles of {verdict.predicted:,} answers.",
        f"  cycles a step     {verdict.cycles / verdict.steps:.1f}",
    ]


def _section(build: Build, verdict: StreamVerdict, source: str) -> Section:
    rows = [
        ("steps", f"{verdict.steps:,} ({source}), without a pause of the network's state"),
        ("answers equal", f"{verdict.answers:,} of {verdict.answers:,}"),
        ("cycles of answers as predicted", f"{verdict.predicted:,} of {verdict.predicted:,}, from the first on"),
        ("spikes equal", f"{verdict.spikes:,} of {verdict.spikes:,}"),
        ("membranes equal", f"{verdict.membranes:,} of {verdict.membranes:,}"),
        ("cycles a step", f"{verdict.cycles / verdict.steps:.1f}"),
    ]
    summary = (
        f"The Verilog equals the golden model over a stream of {verdict.steps:,} steps: every spike and membrane, the "
        "logits of every answer, and when they leave; also with streams back to back, with gaps and with stalls."
    )
    # Of millions of answers, their classes are in nobody's way if they are not there.
    facts = {name: value for name, value in dataclasses.asdict(verdict).items() if name != "classes"}
    return Section(
        title=_SECTION, summary=summary, rows=rows, facts=facts | {"source": source, "model_hash": build.model_hash}
    )
