"""The plans in `benchmarks/` are ones that ``snnc compare`` takes, and cost what is written beside them."""

import re
from pathlib import Path

import pytest

from snnc.compiler.commands.compare import compare_command
from snnc.distill.compare.options import check_arguments, read_config
from snnc.distill.compare.plan import BASELINE, Candidate, Comparison, parse_axis, parse_method, parse_seeds, tasks_of
from snnc.distill.losses import METHODS
from snnc.distill.losses.interface import Need

PLANS = ("few-labels", "few-labels-cifar10", "wrong-labels", "no-labels", "long", "all-labels", "bits", "time-steps")


def planned(path: Path) -> Comparison:
    values = read_config(path, compare_command.params)
    own = {"methods", "axes", "architectures", "seeds"}
    options = {parameter.name: parameter for parameter in compare_command.params}
    return Comparison(
        shared={name: (options[name].opts[-1], str(value)) for name, value in values.items() if name not in own},
        files={},
        methods=(Candidate(loss=BASELINE), *map(parse_method, values["methods"])),
        architectures=tuple(values["architectures"]),
        seeds=parse_seeds(values["seeds"]),
        train_images=55_000,
        validation_images=5_000,
        test_images=10_000,
        axes=dict(map(parse_axis, values.get("axes", ()))),
    )


def test_every_plan_is_named(repository: Path) -> None:
    assert {path.stem for path in (repository / "benchmarks" / "regimes").glob("*.toml")} == set(PLANS)


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_can_be_run_and_its_runs_are_counted(repository: Path, name: str) -> None:
    comparison = planned(repository / "benchmarks" / "regimes" / f"{name}.toml")
    for task in tasks_of(comparison.runs, comparison, Path("o")).values():
        check_arguments(task.arguments[1:], of=task.name)
        assert task.after is None  # the teacher ships
        for word in task.arguments:
            assert not word.startswith("examples/") or (repository / word).is_file()
    maps = sum(bool(METHODS[run.method.loss].needs & {Need.TEACHER_FEATURES, Need.SALIENCY}) for run in comparison.runs)
    table = (repository / "benchmarks" / "regimes" / "README.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| {name}(?:: [^|]*)? \|.*\| (\d+) \((\d+)\) \| [\d.]+ \|$", table, re.MULTILINE)
    assert row is not None
    assert (int(row[1]), int(row[2])) == (len(comparison.runs), maps)
