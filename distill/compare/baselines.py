"""Baselines of another comparison, taken over where training them again would give the same students.

What labels alone make of a student does not depend on any teacher, so comparisons of other methods or other teachers on
the same data with the same budget share their baselines.  They are the same where all that a baseline follows from is:
the data themselves, the versions of snnc and torch, the student, the seed, and every option but those about teachers
and what is said of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click

from snnc.compiler.build.folder import replace_file
from snnc.compiler.errors import OptionError
from snnc.distill.compare.folder import read_comparison
from snnc.distill.compare.options import shareable
from snnc.distill.compare.plan import BASELINE, STUDENT, Comparison, Run
from snnc.distill.compare.processes import ATTEMPTS, LOG

__all__ = ["take_baselines"]

_UNHEARD: Final = frozenset({"temperature", "alpha", "stage-teacher"})
"""Options that have no part in the baseline, beside those that are called after the teacher."""


def take_baselines(runs: Iterable[Run], comparison: Comparison, output: Path, source: Path) -> int:
    """Copy the students of the baseline's runs that are done in the folder `source`, and not yet in `output`.

    Returns
    -------
    How many were taken.

    Raises
    ------
    OptionError
        The other comparison is of other data or versions, or has none of these runs with these options.
    """
    other = read_comparison(source)
    for what, theirs, ours in (
        ("data", other.data, comparison.data),
        ("versions", dict(other.versions), dict(comparison.versions)),
    ):
        if theirs != ours:
            raise OptionError(
                f"The baselines in '{source}' were made with other {what}; leave --baseline-from out, and they are "
                "trained here."
            )
    known = {_facts(run, other): run for run in other.runs if run.method.loss == BASELINE}
    wanted = [run for run in runs if run.method.loss == BASELINE]
    pairs = [(run, known[_facts(run, comparison)]) for run in wanted if _facts(run, comparison) in known]
    if wanted and not pairs:
        raise OptionError(
            f"'{source}' has no baseline with the students, seeds and options of this comparison; leave "
            "--baseline-from out, and they are trained here."
        )
    taken = 0
    for run, same in pairs:
        folder, found = run.folder(output), same.folder(source)
        if not (found / STUDENT).exists() or (folder / STUDENT).exists():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        if (found / ATTEMPTS).exists():
            replace_file(folder / ATTEMPTS, (found / ATTEMPTS).read_bytes())
        replace_file(folder / LOG, f"taken from {found}\n".encode())
        replace_file(folder / STUDENT, (found / STUDENT).read_bytes())  # last: with it the run is done
        taken += 1
    return taken


def _facts(run: Run, comparison: Comparison) -> tuple[object, ...]:
    """All that a baseline's student follows from, within the same data and versions."""
    names = {option.name: _spelling(option) for option in shareable(())}
    options = {names.get(name, name): words[1:] for name, words in comparison.shared.items()}
    options |= {name: (value,) for name, value in run.setting}
    heard = {name: words for name, words in options.items() if name not in _UNHEARD and not name.startswith("teacher")}
    files = {name: digest for name, digest in comparison.files.items() if not name.startswith("--teacher")}
    return run.architecture, run.seed, tuple(sorted(heard.items())), tuple(sorted(files.items()))


def _spelling(option: click.Option) -> str:
    return option.opts[-1].removeprefix("--")
