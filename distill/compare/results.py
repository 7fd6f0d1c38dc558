"""What came of the runs of a comparison: read from its folder, summed up, and written to ``results.json``."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch

from snnc.compiler import __version__
from snnc.compiler.build.folder import replace_file
from snnc.compiler.errors import SnncError
from snnc.distill.checkpoint import read_checkpoint
from snnc.distill.compare.gains import Gain, Verdict, paired_gain, verdict
from snnc.distill.compare.plan import BASELINE, STUDENT, Candidate, Comparison, Run, Setting
from snnc.distill.compare.processes import read_attempts

__all__ = ["RESULTS", "VERSIONS", "Result", "Summary", "read_result", "read_results", "results_json", "summarise"]

RESULTS: Final = "results.json"
_FORMAT: Final = "snnc-comparison-results"
_VERSION: Final = 1

VERSIONS: Final[Mapping[str, str]] = {"snnc": __version__, "torch": str(torch.__version__)}
"""What trains: students of other versions may differ."""

VALIDATION: Final = "integer_validation"
"""The accuracy that is judged by."""
TEST: Final = "integer_test"
"""The accuracy that is shown beside it."""
SPIKES: Final = "spikes_per_sample"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one run.

    Attributes
    ----------
    state
        ``done``, ``failed``, ``interrupted`` or ``missing``.
    problem
        Why it failed, in a sentence.
    metrics
        Those of the checkpoint: accuracies as fractions, and what else it measured.
    epochs
        Of the student and its twin.
    seconds
        Wall clock of all attempts together, the teacher's training included unless it was shared; None where nobody
        was there to measure one.
    images_per_second
        Training images of the student's epochs by wall clock.
    sha256
        Of ``student.pt``.
    """

    run: Run
    state: str
    problem: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    epochs: int | None = None
    seconds: float | None = None
    images_per_second: float | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A method on a student in one setting of what is varied, over its seeds.

    Attributes
    ----------
    count
        Runs that are done.
    validation, test
        Mean and standard deviation of the accuracy of the integer network; the deviation is None for one run.
    gain, test_gain
        Over the baseline on the same student; None for the baseline itself, and where pairs are missing.
    spikes, seconds
        Mean per sample, and of the wall clock; None where a run did not tell.
    """

    architecture: str
    setting: Setting
    method: Candidate
    count: int
    validation: tuple[float, float | None] | None
    test: tuple[float, float | None] | None
    gain: Gain | None
    test_gain: Gain | None
    verdict: Verdict | None
    spikes: float | None
    seconds: float | None


def read_results(comparison: Comparison, output: Path) -> list[Result]:
    """The results of all runs of a comparison, whatever state they are in."""
    return [read_result(run, comparison, output) for run in comparison.runs]


def read_result(run: Run, comparison: Comparison, output: Path) -> Result:
    """The result of one run."""
    folder = run.folder(output)
    attempts = read_attempts(folder)
    student = folder / STUDENT
    if not student.exists():
        outcome = attempts[-1]["outcome"] if attempts else "missing"
        if outcome in (None, "interrupted", "missing"):
            return Result(run=run, state=outcome or "interrupted")
        return Result(run=run, state="failed", problem=outcome)
    try:
        checkpoint = read_checkpoint(student)
    except SnncError as error:
        return Result(run=run, state="failed", problem=str(error))
    metrics, config = checkpoint["metrics"], checkpoint["config"]
    epochs = config["epochs"] + config.get("twin_epochs", 0)
    measured = [attempt["seconds"] for attempt in attempts]
    seconds = sum(measured) if measured and None not in measured else None
    images = config.get("images") or comparison.train_images
    speed = images * epochs / seconds if seconds else None
    return Result(
        run=run,
        state="done",
        metrics=metrics,
        epochs=epochs,
        seconds=seconds,
        images_per_second=metrics.get("images_per_second", speed),
        sha256=hashlib.sha256(student.read_bytes()).hexdigest(),
    )


def summarise(results: Sequence[Result]) -> list[Summary]:
    """A summary per student and method, in the order of the runs."""
    groups: dict[tuple[str, Setting, Candidate], list[Result]] = {}
    for result in results:
        groups.setdefault((result.run.architecture, result.run.setting, result.run.method), []).append(result)
    summaries = []
    for (architecture, setting, method), group in groups.items():
        done = [result for result in group if result.state == "done"]
        reference = _reference(setting, [other for _, other, _ in groups])
        baseline = groups.get((architecture, reference, Candidate(loss=BASELINE)), [])
        gain = test_gain = judged = None
        if method.loss != BASELINE:
            gain = paired_gain(_by_seed(group, VALIDATION), _by_seed(baseline, VALIDATION))
            test_gain = paired_gain(_by_seed(group, TEST), _by_seed(baseline, TEST))
            judged = verdict(gain)
        summaries.append(
            Summary(
                architecture=architecture,
                setting=setting,
                method=method,
                count=len(done),
                validation=_mean_and_deviation(_by_seed(group, VALIDATION).values()),
                test=_mean_and_deviation(_by_seed(group, TEST).values()),
                gain=gain,
                test_gain=test_gain,
                verdict=judged,
                spikes=_mean([result.metrics.get(SPIKES) for result in done]),
                seconds=_mean([result.seconds for result in done]),
            )
        )
    return summaries


def _reference(setting: Setting, settings: Iterable[Setting]) -> Setting:
    """The setting whose baseline a setting is compared with: its own, but without labels the one with most of them."""
    if float(dict(setting).get("labelled", 1)) > 0:
        return setting
    others = {name: value for name, value in setting if name != "labelled"}
    same = [other for other in settings if {name: value for name, value in other if name != "labelled"} == others]
    return max(same, key=lambda other: float(dict(other)["labelled"]))


def results_json(output: Path, comparison: Comparison, results: Sequence[Result], summaries: Sequence[Summary]) -> None:
    """Write ``results.json``: every run, and the summaries made of them."""
    contents = {
        "format": _FORMAT,
        "version": _VERSION,
        "versions": VERSIONS,
        "shared": {name: " ".join(words[1:]) or True for name, words in comparison.shared.items()},
        "baseline": BASELINE,
        "judged_by": VALIDATION,
        "runs": [_run_facts(result, output) for result in results],
        "summary": [_summary_facts(summary) for summary in summaries],
    }
    replace_file(output / RESULTS, json.dumps(contents, indent=2, default=_plain).encode() + b"\n")


def _run_facts(result: Result, output: Path) -> dict[str, Any]:
    facts = {field.name: getattr(result, field.name) for field in dataclasses.fields(result) if field.name != "run"}
    return {
        **_names(result.run.architecture, result.run.setting, result.run.method),
        "seed": result.run.seed,
        "folder": result.run.folder(output).relative_to(output).as_posix(),
        **facts,
    }


def _summary_facts(summary: Summary) -> dict[str, Any]:
    return {
        **_names(summary.architecture, summary.setting, summary.method),
        "count": summary.count,
        "validation": _spread(summary.validation),
        "test": _spread(summary.test),
        "gain": dataclasses.asdict(summary.gain) if summary.gain else None,
        "test_gain": dataclasses.asdict(summary.test_gain) if summary.test_gain else None,
        "verdict": summary.verdict.value if summary.verdict else None,
        "spikes_per_sample": summary.spikes,
        "seconds": summary.seconds,
    }


def _names(architecture: str, setting: Setting, method: Candidate) -> dict[str, Any]:
    return {
        "architecture": architecture,
        "setting": dict(setting),
        "method": method.loss,
        "options": dict(method.settings),
    }


def _spread(values: tuple[float, float | None] | None) -> dict[str, float | None] | None:
    return {"mean": values[0], "deviation": values[1]} if values else None


def _by_seed(results: Iterable[Result], metric: str) -> dict[int, float]:
    return {result.run.seed: result.metrics[metric] for result in results if metric in result.metrics}


def _mean_and_deviation(values: Iterable[float]) -> tuple[float, float | None] | None:
    known = list(values)
    if not known:
        return None
    return statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known and len(known) == len(values) else None


def _plain(value: Any) -> Any:
    """What a checkpoint may hold beyond JSON's own kinds."""
    if isinstance(value, torch.Tensor):
        return value.tolist()
    return str(value)
