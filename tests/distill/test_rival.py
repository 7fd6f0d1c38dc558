"""A student's rival: what it is made of, how it is trained, and who has none."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from snnc.compiler.errors import CheckpointError, OptionError
from snnc.distill.augment import Augmentation
from snnc.distill.checkpoint import TrainingState
from snnc.distill.config import DEFAULTS, plain
from snnc.distill.data import load
from snnc.distill.objective import encode_for
from snnc.distill.rival import ask_rival, rival_config, rival_epochs, train_rival
from snnc.distill.students import Phase

CPU = torch.device("cpu")


QUICK = dataclasses.replace(
    DEFAULTS["digits"],
    architecture="1x8x8-6c3-a2-8c3-10",
    epochs=6,
    copies=1,
    augmentation=Augmentation(),
    loss="cross-entropy",
    weight_bits="3",
)


def trained(config, *, budget=1.0, state=None, save=lambda state: None):
    state = TrainingState(config=plain(config)) if state is None else state
    return train_rival(
        config, load("digits"), budget=budget, state=state, save=save, on_epoch=lambda report: None, device=CPU
    )


@pytest.fixture(scope="module")
def rival():
    return trained(QUICK)


def test_it_has_the_students_weight_bits_and_levels_for_its_steps(rival):
    assert rival.phase is Phase.RIVAL
    images = torch.from_numpy(load("digits").test.images[:50])
    with torch.no_grad():
        outputs = rival(encode_for(rival, images, None))
        layer = rival.populations["readout"]
        weight = layer.synapses(Phase.RIVAL, torch.float32).weights[0]
    for rates in outputs.spikes.values():
        levels = rates * 7  # T = 4 needs 3 bits, which have 7 levels besides 0
        torch.testing.assert_close(levels, levels.round())
        assert 0 <= float(rates.min()) <= float(rates.max()) <= 1
    whole = weight / (layer.step * layer.unit).float()
    torch.testing.assert_close(whole, whole.round(), atol=1e-3, rtol=0)
    assert whole.abs().max().round() <= 3  # 3 bits


def test_it_learns(rival):
    found = ask_rival(rival, load("digits").test)
    assert found.accuracy > 0.8
    images = load("digits").test.images
    np.testing.assert_array_equal(found.active[0], (images.reshape(len(images), -1) > 15).mean(axis=0))
    assert [len(active) for active in found.active] == [64, 6 * 64, 8 * 16]


def test_it_goes_on_where_it_was_interrupted(rival):
    seen = []

    class Stopped(Exception):
        pass

    def stop(state):
        seen.append(state.epoch)
        if len(seen) == 4:
            raise Stopped

    state = TrainingState(config=plain(QUICK))
    with pytest.raises(Stopped):
        trained(QUICK, state=state, save=stop)
    again = trained(QUICK, state=state)
    for name, value in rival.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_its_epochs_are_the_students():
    config = dataclasses.replace(QUICK, twin_epochs=10, epochs=14)
    assert [rival_epochs(config, budget) for budget in (1, 0.5, 0.001)] == [24, 12, 2]


def test_how_a_student_was_trained_is_read_from_its_file(repository):
    digits = load("digits")
    wanted = dataclasses.replace(QUICK, loss="kdsnn-response")
    config = rival_config({"config": plain(wanted)}, digits)
    assert config == dataclasses.replace(wanted, loss="cross-entropy", loss_options={}, alpha=wanted.teacher_weight)
    # A file of an earlier version knows fewer options, and weight bits as a number.
    older = torch.load(repository / "examples/students/digits-64-32-10-int4.pt", weights_only=True)
    assert rival_config(older, digits).weight_bits == "4"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "64-8t2-10"}, "has delays or recurrence"),
        ({"architecture": "64-8R-10"}, "has delays or recurrence"),
        ({"dataset": "mnist"}, "trained on mnist, not on digits"),
    ],
)
def test_who_has_none_is_told_so(changes, message):
    with pytest.raises(OptionError, match=message):
        rival_config({"config": plain(QUICK) | changes}, load("digits"))


@pytest.mark.parametrize("config", [None, {}, {"architecture": 3}, {"architecture": "64-10", "epochs": "many"}])
def test_a_file_that_does_not_say_how_it_was_trained_is_refused(config):
    with pytest.raises(CheckpointError, match="trained"):
        rival_config({"config": config}, load("digits"))
