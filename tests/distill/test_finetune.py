"""Training after quantisation: better than its start, never worse than it on validation samples, and as asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from snnc.compiler.calibration import Calibrated, CalibrationSettings, calibrate
from snnc.compiler.errors import OptionError, TrainingError
from snnc.compiler.formats.student import read_student
from snnc.compiler.passes.normalise import normalised
from snnc.compiler.passes.quantise import quantised
from snnc.distill.finetune import FinetuneReport, FinetuneSettings, finetune
from snnc.sim.models.inputs import Samples, encode, load_samples

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def start(repository: Path) -> Calibrated:
    """The digits' student in two bits, where four were trained."""
    graph = normalised(read_student(repository / "examples" / "students" / "digits-64-32-10-int4.pt"))
    few = load_samples(graph, "digits", data=None, samples=200, part="train")
    inputs = encode(graph.source, few.images, time_steps=graph.time_steps, events=False)
    return calibrate(graph, inputs, CalibrationSettings(weight_bits=2))


@pytest.fixture(scope="module")
def parts(start: Calibrated) -> tuple[Samples, Samples]:
    train = load_samples(start.graph, "digits", data=None, part="train")
    return train, load_samples(start.graph, "digits", data=None, part="validation")


def test_it_gains_without_a_label(start: Calibrated, parts: tuple[Samples, Samples]) -> None:
    told: list[FinetuneReport] = []
    train, validation = parts
    unlabelled = Samples(name="x", images=train.images, labels=np.zeros_like(train.labels), classes=())
    graph = finetune(start, unlabelled, validation, FinetuneSettings(epochs=6), on_epoch=told.append)
    assert [report.epoch for report in told] == list(range(7))
    assert told[-1].best == max(report.accuracy for report in told)
    assert told[-1].best > told[0].accuracy + 0.01
    integers = quantised(graph)
    assert all(np.abs(item.weight).max() == 1 for item in integers.projections)
    again = finetune(start, unlabelled, validation, FinetuneSettings(epochs=6))
    assert all(
        np.array_equal(one.weight, other.weight)
        for one, other in zip(integers.projections, quantised(again).projections, strict=True)
    )


def test_a_rate_that_ruins_it_gives_the_start_back(start: Calibrated, parts: tuple[Samples, Samples]) -> None:
    train, validation = parts
    graph = finetune(start, train.first(200), validation, FinetuneSettings(epochs=1, rate=10))
    assert graph is start.graph


def test_options() -> None:
    with pytest.raises(OptionError, match="epochs is 0; 1 to 10000"):
        FinetuneSettings(epochs=0)
    with pytest.raises(OptionError, match="rate is nan"):
        FinetuneSettings(rate=float("nan"))


def test_a_loss_that_is_no_number(
    start: Calibrated, parts: tuple[Samples, Samples], monkeypatch: pytest.MonkeyPatch
) -> None:
    train, validation = parts
    monkeypatch.setattr("snnc.distill.finetune._spread", lambda *_: float("nan"))
    with pytest.raises(TrainingError, match=r"became nan in epoch 1; use a smaller rate\."):
        finetune(start, train.first(100), validation, FinetuneSettings(epochs=1))
