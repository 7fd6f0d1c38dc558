"""Training runs of a second or two: they learn, repeat, resume, and fail in one sentence."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional

from snnc.compiler.errors import OptionError, TrainingError
from snnc.compiler.ir.neurons import Encoding, Initial, Reset
from snnc.distill import train
from snnc.distill.batches import Purpose, generator, shuffled
from snnc.distill.checkpoint import TrainingState
from snnc.distill.config import DEFAULTS, TrainingConfig, plain
from snnc.distill.data import Dataset, Split, load
from snnc.distill.fitting import EpochReport
from snnc.distill.losses import METHODS
from snnc.distill.students import Phase
from snnc.distill.teachers import TeacherKind
from snnc.distill.train import distil_student

QUICK = dataclasses.replace(
    DEFAULTS["digits"], architecture="64-12-10", epochs=6, teacher_epochs=2, teacher=TeacherKind.MLP, copies=3
)


@pytest.fixture(scope="module")
def digits():
    """A third of the digits."""
    whole = load("digits")

    def part(split):
        return Split(images=split.images[::3], labels=split.labels[::3])

    return dataclasses.replace(whole, train=part(whole.train), validation=part(whole.validation), test=part(whole.test))


def run(config, dataset, *, state=None, save=lambda state: None, reports=None):
    return distil_student(
        config,
        dataset,
        state=state or TrainingState(config=plain(config)),
        save=save,
        on_epoch=reports.append if reports is not None else lambda report: None,
    )


def same(one, other):
    return one["metrics"] == other["metrics"] and all(
        torch.equal(one["state"][key], other["state"][key]) for key in one["state"]
    )


def test_a_seed_repeats_a_run_and_another_does_not(digits):
    reports: list[EpochReport] = []
    first = run(QUICK, digits, reports=reports)
    assert [r.stage for r in reports] == ["teacher"] * 2 + ["float"] * 2 + ["quantised"] * 2 + ["folded"] * 2
    torch.rand(17)  # the state of the global generator has no part in it
    assert same(first, run(QUICK, digits))
    assert not same(first, run(dataclasses.replace(QUICK, seed=1), digits))
    assert first["config"]["seed"] == 0
    assert set(first["metrics"]) >= {"float_validation", "float_test", "integer_validation", "integer_test"}
    activity = first["activity"]
    assert activity["samples"] == len(digits.validation)
    assert activity["pixels"].sum() == pytest.approx((digits.validation.images >= 9).sum() / len(digits.validation))


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("epochs_done", [1, 3, 4, 7])  # within the teacher, the phases, and at a change of phase
def test_a_resumed_run_ends_like_an_uninterrupted_one(digits, tmp_path, epochs_done):
    counter = itertools.count(1)

    def save(state):
        if next(counter) == epochs_done:
            torch.save({f.name: getattr(state, f.name) for f in dataclasses.fields(state)}, tmp_path / "state.pt")
            raise Interrupted

    with pytest.raises(Interrupted):
        run(QUICK, digits, save=save)
    state = TrainingState(**torch.load(tmp_path / "state.pt", weights_only=True))
    assert same(run(QUICK, digits, state=state), run(QUICK, digits))


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("loss", ["kdsnn-response", "cross-entropy"])
def test_every_encoding_and_loss_trains_and_exports_exactly(digits, encoding, loss):
    config = dataclasses.replace(QUICK, encoding=encoding, loss=loss, reset=Reset.HARD, initial=Initial.ZERO, epochs=3)
    checkpoint = run(config, digits)
    assert checkpoint["input"]["encoding"] == encoding.value
    assert checkpoint["input"]["bits"] == (1 if encoding is Encoding.EVENTS else 4)
    assert ("teacher_validation" in checkpoint["metrics"]) == (loss == "kdsnn-response")


def test_training_learns(digits):
    config = dataclasses.replace(QUICK, loss="cross-entropy", epochs=30, copies=1)
    assert run(config, digits)["metrics"]["integer_validation"] > 0.8


def test_a_loss_that_is_not_a_number_stops_the_run(digits, monkeypatch):
    calls = itertools.count()
    method = dataclasses.replace(
        METHODS["cross-entropy"],
        loss=lambda inputs, settings: inputs.step_logits.mean() * (float("nan") if next(calls) == 12 else 1.0),
    )
    monkeypatch.setattr(train, "METHODS", {"cross-entropy": method})
    saved = []
    with pytest.raises(TrainingError, match=r"nan in epoch 3 of stage 'float'.*smaller --learning-rate"):
        run(dataclasses.replace(QUICK, loss="cross-entropy", epochs=30), digits, save=lambda s: saved.append(s.epoch))
    assert saved == [1, 2]


def test_a_teacher_that_diverges_names_its_own_rate(digits, monkeypatch):
    monkeypatch.setattr(functional, "cross_entropy", lambda *_: torch.tensor(float("nan"), requires_grad=True))
    with pytest.raises(TrainingError, match=r"stage 'teacher'.*--teacher-learning-rate"):
        run(QUICK, digits)


def test_weights_that_are_not_numbers_are_never_saved(digits, monkeypatch):
    """A finite loss may have an infinite gradient: here that of the square root at 0, in the last batch of an epoch."""
    calls = itertools.count(1)
    last = 2 * (len(digits.train) // QUICK.batch_size)

    def loss(inputs, settings):
        return (inputs.step_logits * (0.0 if next(calls) == last else 1.0)).square().sum().sqrt()

    method = dataclasses.replace(METHODS["cross-entropy"], loss=loss)
    monkeypatch.setattr(train, "METHODS", {"cross-entropy": method})
    saved = []
    with pytest.raises(TrainingError, match="A weight became infinite or NaN in epoch 2"):
        run(dataclasses.replace(QUICK, loss="cross-entropy", epochs=30), digits, save=lambda s: saved.append(s.epoch))
    assert saved == [1]


@pytest.mark.parametrize(
    ("change", "alpha"),
    [
        ({"epochs": 20}, 0.2),
        ({"epochs": 20, "twin_epochs": 20}, 0.5),
        ({"epochs": 60}, 0.5),
        ({"epochs": 20, "labelled": 0.5}, 0.5),
        ({"epochs": 20, "labelled": 0.0}, 1.0),
        ({"epochs": 20, "alpha": 0.7}, 0.7),
    ],
)
def test_a_teacher_weighs_as_much_as_the_budget_lets_it_pay(change, alpha):
    config = dataclasses.replace(DEFAULTS["digits"], **change)
    assert config.loss_settings.alpha == alpha
    assert plain(config)["alpha"] == alpha


@pytest.mark.parametrize("architecture", ["63-12-10", "64-12-9"])
def test_sizes_that_do_not_fit_the_data_are_refused(digits, architecture):
    with pytest.raises(OptionError, match=r"64 pixels|10 classes"):
        run(dataclasses.replace(QUICK, architecture=architecture), digits)


@pytest.mark.parametrize(
    "change",
    [
        {"weight_bits": "0"},
        {"weight_bits": "9"},
        {"weight_bits": "4,hidden0=3"},
        {"leak_shift": 17},
        {"twin_epochs": -1},
        {"time_steps": 0},
        {"input_bits": 0},
        {"temperature": 0.5},
        {"temperature": float("nan")},
        {"alpha": 1.5},
        {"epochs": 2},
        {"seed": -1},
        {"loss": "none"},
    ],
)
def test_options_out_of_range_are_refused_by_name(change):
    with pytest.raises(OptionError, match=next(iter(change)).replace("_", "-")):
        dataclasses.replace(QUICK, **change)


@pytest.mark.parametrize("epochs", [3, 4, 10, 57, 200])
def test_phases_share_the_epochs(epochs):
    config: TrainingConfig = dataclasses.replace(QUICK, epochs=epochs)
    assert config.phases == (Phase.FLOAT, Phase.QUANTISED, Phase.FOLDED)
    assert sum(config.phase_epochs(phase) for phase in config.phases) == epochs
    after_twin = dataclasses.replace(config, twin_epochs=5)
    assert after_twin.phases == tuple(phase for phase in Phase if phase is not Phase.RIVAL)
    assert sum(after_twin.phase_epochs(phase) for phase in Phase) == epochs + 5


def test_batches_hold_every_sample_at_most_once():
    batches = list(shuffled(103, 10, generator(0, Purpose.ORDER, 0)))
    assert [len(b) for b in batches] == [10] * 10
    assert len(set(torch.cat(batches).tolist())) == 100
    assert [len(b) for b in shuffled(7, 10, generator(0, Purpose.ORDER, 0))] == [7]


def test_streams_of_random_numbers_are_independent():
    seeds = {generator(seed, purpose, i).initial_seed() for seed in (0, 1) for purpose in Purpose for i in range(5)}
    assert len(seeds) == 2 * len(Purpose) * 5


def test_test_images_are_seen_by_nothing_but_the_last_metrics(digits):
    """With other test images the student is the same."""
    blank = Split(images=np.zeros_like(digits.test.images), labels=digits.test.labels)
    other: Dataset = dataclasses.replace(digits, test=blank)
    one, two = run(QUICK, digits), run(QUICK, other)
    assert all(torch.equal(one["state"][key], two["state"][key]) for key in one["state"])
