"""Methods that learn from the student's own artificial twin: against NumPy, and what the training loop gives them."""

import dataclasses

import numpy as np
import pytest
import torch

from snnc.compiler.errors import OptionError
from snnc.distill.config import DEFAULTS
from snnc.distill.losses import METHODS
from snnc.distill.losses.interface import Need
from snnc.distill.objective import Lesson, Objective, Trainee, build_adapter, encode_for
from snnc.distill.students import Phase, Student
from tests.distill.losses.batches import arrays, cross_entropy, divergence, loss_of, random_inputs, settings_of, softmax

CONFIG = dataclasses.replace(DEFAULTS["digits"], architecture="1x8x8-4c3-a2-6c3-5-10", loss="cross-entropy")


def test_own_twin_equals_its_formula():
    inputs = random_inputs(0)
    steps, _, labels = arrays(inputs)
    own, twin, tau = steps.mean(0), inputs.twin_logits.numpy(), 2.0
    rates = [spikes.numpy().mean(axis=0) for spikes in inputs.spikes]
    distance = np.mean([((a - b.numpy()) ** 2).mean() for a, b in zip(rates, inputs.twin_rates, strict=True)])
    expected = 0.7 * cross_entropy(own, labels) + 0.2 * distance
    expected += 0.3 * tau**2 * divergence(softmax(twin / tau), softmax(own / tau))
    assert float(loss_of("sakd", inputs, temperature=tau, alpha=0.3, weight=0.2)) == pytest.approx(expected)


def test_hybrids_equal_their_formula():
    inputs = random_inputs(1)
    steps, _, labels = arrays(inputs)
    twin, tau = inputs.twin_logits.numpy(), 2.0
    each = [
        0.7 * cross_entropy(z.numpy(), labels)
        + 0.3 * tau**2 * divergence(softmax(twin / tau), softmax(z.numpy() / tau))
        for z in inputs.hybrid_logits
    ]
    expected = cross_entropy(steps.mean(0), labels) + 0.4 * np.mean(each)
    assert float(loss_of("hybrid-blocks", inputs, temperature=tau, alpha=0.3, weight=0.4)) == pytest.approx(expected)


def drawn(seed, phase):
    """A network of random weights that does fire."""
    torch.manual_seed(seed)
    network = Student(CONFIG.student)
    network.phase = phase
    for layer in network.populations.values():
        if layer.norm is not None:
            torch.nn.init.normal_(layer.norm.bias, mean=0.3)
    return network.eval()


def a_twin():
    return drawn(1, Phase.TWIN).requires_grad_(False)


def given_to(name, *, twin=None, phase=Phase.FLOAT):
    """The inputs of a loss for one batch of noise, and its student."""
    student = drawn(0, phase)
    seen = []

    def spy(inputs, settings):
        seen.append(inputs)
        return inputs.step_logits.mean()

    method = dataclasses.replace(METHODS[name], loss=spy)
    adapter = build_adapter(method, settings_of(name), student, None)
    objective = Objective(method, settings_of(name), teacher=None, float_copy=None, twin=twin)
    images = torch.randint(0, 256, (7, 1, 8, 8), dtype=torch.uint8)
    lesson = Lesson(
        images=images,
        labels=torch.arange(7),
        answers=None,
        events=torch.Generator(),
        noise=torch.Generator(),
        progress=0.25,
    )
    objective(Trainee(student, adapter), lesson)
    return seen[0], student, images


def test_hybrids_are_the_students_first_layers_and_the_twins_rest():
    twin = a_twin()
    inputs, student, images = given_to("hybrid-blocks", twin=twin)
    assert len(inputs.hybrid_logits) == len(inputs.twin_rates) == len(inputs.spikes) == 3
    x = encode_for(student, images, None)
    names = list(student.populations)[:-1]
    rates = dict(zip(names, (spikes.mean(dim=0) for spikes in inputs.spikes), strict=True))
    # The last hybrid is the twin's readout of the student's last rates.
    last = twin.populations["readout"]
    expected = torch.nn.functional.linear(rates[names[-1]].flatten(1), last.weights[0] * last.unit, last.bias)
    torch.testing.assert_close(inputs.hybrid_logits[-1], expected)
    # The first hears nothing of the student but its first layer.
    first = twin(x, given={names[0]: rates[names[0]]})
    torch.testing.assert_close(inputs.hybrid_logits[0], first.step_logits[0])
    assert not torch.allclose(inputs.hybrid_logits[0], inputs.twin_logits)
    own = twin(x, given=dict(zip(names, inputs.twin_rates, strict=True)))
    torch.testing.assert_close(own.step_logits[0], inputs.twin_logits)


def test_a_hybrid_teaches_through_the_frozen_twin():
    twin = a_twin()
    inputs, student, _ = given_to("hybrid-blocks", twin=twin)
    inputs.hybrid_logits[0].square().mean().backward()
    gradients = {name: layer.weights[0].grad for name, layer in student.populations.items() if len(layer.weights)}
    assert [grad is not None for grad in gradients.values()] == [True, False, False, False]
    assert all(parameter.grad is None for parameter in twin.parameters())


def test_before_there_is_a_twin_nobody_is_asked():
    inputs, _, _ = given_to("sakd")
    assert (inputs.twin_logits, inputs.twin_rates, inputs.hybrid_logits) == (None, (), ())
    assert inputs.progress == 0.25


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if Need.TWIN in method.needs])
def test_without_a_twin_phase_they_are_refused(name):
    with pytest.raises(OptionError, match="give --twin-epochs"):
        dataclasses.replace(CONFIG, loss=name, twin_epochs=0)
    assert dataclasses.replace(CONFIG, loss=name, twin_epochs=1).twin_epochs == 1


def test_of_a_longer_run_the_first_steps_are_the_students():
    inputs, student, images = given_to("tssd")
    x = encode_for(student, images, None)
    assert inputs.longer_step_logits.shape == (8, 7, 10)
    torch.testing.assert_close(inputs.longer_step_logits[:4], inputs.step_logits)
    torch.testing.assert_close(inputs.step_logits, student(x).step_logits)
    assert [len(spikes) for spikes in inputs.spikes] == [4] * 3
    assert inputs.step_logits.abs().sum() > 0
    assert inputs.weak_logits.shape == (7, 10)
    without, _, _ = given_to("tssd", phase=Phase.TWIN)
    assert without.longer_step_logits is None


def test_more_steps_than_there_are_events_are_refused():
    events = dataclasses.replace(CONFIG, encoding=type(CONFIG.encoding).EVENTS, loss="tssd")
    with pytest.raises(OptionError, match="direct encoding"):
        build_adapter(METHODS["tssd"], settings_of("tssd"), Student(events.student), None)
