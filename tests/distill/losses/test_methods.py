"""What holds for every method of the table; a new method is tested here without a line."""

import dataclasses
import inspect
import re
import sys
from typing import Any

import pytest
import torch

from snnc.distill.data.regime import UNLABELLED
from snnc.distill.losses import METHODS
from snnc.distill.losses.interface import Choice, FeaturePair, LossSettings, Need
from tests.distill.losses.batches import loss_of, random_inputs, replaced, settings_of

FIELDS: dict[Need, dict[str, Any]] = {
    Need.TEACHER_LOGITS: {"teacher_logits": None},
    Need.TEACHER_STEP_LOGITS: {"teacher_step_logits": None},
    Need.TEACHER_FEATURES: {"features": ()},
    Need.SALIENCY: {"teacher_map": None},
    Need.MEMBRANES: {"membranes": (), "float_membranes": ()},
    Need.NOISE: {"generator": None},
    Need.MORE_STEPS: {"longer_step_logits": None},
    Need.MIXED_STEPS: {"mixed_logits": ()},
    Need.WEAK_CLASSIFIER: {"weak_logits": None},
    Need.TWIN: {"twin_logits": None, "twin_rates": ()},
    Need.HYBRIDS: {"hybrid_logits": ()},
}
"""The inputs that are missing when a need is not declared."""

VARIANTS = [
    (name, option, choice)
    for name, method in METHODS.items()
    for option, choices in [(None, (None,)), *((k, v.choices) for k, v in method.options.items() if type(v) is Choice)]
    for choice in choices
]
"""Every method with its defaults, and with every word of every option."""

SMOOTH: dict[str, dict[str, float]] = {
    "twkd": {"self": 0},
    "ckdsnn": {"noise": 0},
    "ckdsnn-nld": {"noise": 0},
    "tks": {"share": 0},
    "tssd": {"temporal": 0, "spatial": 0},
}
"""What is a constant to the gradient but not to a difference, turned off: it is tested with the method."""


def chosen(option, choice):
    return {} if option is None else {option: choice}


def of_teacher(inputs, change):
    """The inputs with all that comes from a teacher changed."""
    return replaced(
        inputs,
        teacher_logits=change(inputs.teacher_logits),
        teacher_step_logits=change(inputs.teacher_step_logits),
        float_membranes=tuple(map(change, inputs.float_membranes)),
        features=tuple(dataclasses.replace(pair, teacher=change(pair.teacher)) for pair in inputs.features),
        teacher_map=change(inputs.teacher_map),
        longer_step_logits=change(inputs.longer_step_logits),
        twin_logits=change(inputs.twin_logits),
        twin_rates=tuple(map(change, inputs.twin_rates)),
    )


@pytest.mark.parametrize("need", Need)
def test_a_need_says_when_it_is_computed(need):
    assert re.search(rf"^ +{need.name}$\n +``{next(iter(FIELDS[need]))}``", inspect.getsource(Need), re.MULTILINE)


@pytest.mark.parametrize("name", METHODS)
def test_is_described(name):
    method = METHODS[name]
    module = sys.modules[method.loss.__module__]
    text = module.__doc__ or ""
    assert module.METHOD is method
    assert 20 < len(method.summary) < 110
    assert "L = " in text, "the formula"
    assert re.search(r"\[(T, )?B, ", text), "shapes"
    assert name in {"cross-entropy", "sakd"} or re.search(r"arXiv \d{4}\.\d{5}", text), "the paper"
    for option in method.options.values():
        assert option.meaning
        assert option.read(option.default) == option.default
    assert (method.adapter is not None) == bool(method.needs & {Need.TEACHER_FEATURES, Need.WEAK_CLASSIFIER})


@pytest.mark.parametrize("name", sorted(METHODS.keys() - {"ckdsnn"}))  # whose options are described with its parts
def test_the_docstring_names_every_option(name):
    method = METHODS[name]
    for option in method.options:
        assert option in (sys.modules[method.loss.__module__].__doc__ or "")


@pytest.mark.parametrize(("name", "option", "choice"), VARIANTS)
def test_is_a_finite_scalar_of_what_it_declares(name, option, choice):
    """With nothing but the declared needs, at one step, too, and in the precision that students are trained in."""
    needless = {key: value for need in Need if need not in METHODS[name].needs for key, value in FIELDS[need].items()}
    for time_steps in (1, 3):
        inputs = dataclasses.replace(random_inputs(0, time_steps=time_steps), **needless)
        loss = METHODS[name].loss(inputs, settings_of(name, **chosen(option, choice)))
        assert loss.shape == ()
        assert torch.isfinite(loss)


@pytest.mark.parametrize("name", METHODS)
def test_the_loss_has_the_dtype_of_the_logits(name):
    inputs = random_inputs(1)
    floats = replaced(
        of_teacher(inputs, torch.Tensor.float),
        step_logits=inputs.step_logits.float(),
        spikes=tuple(map(torch.Tensor.float, inputs.spikes)),
        membranes=tuple(map(torch.Tensor.float, inputs.membranes)),
        features=tuple(
            FeaturePair(student=pair.student.float(), teacher=pair.teacher.float(), margin=pair.margin.float())
            for pair in inputs.features
        ),
        mixed_logits=tuple(map(torch.Tensor.float, inputs.mixed_logits)),
        weak_logits=inputs.weak_logits.float(),
        hybrid_logits=tuple(map(torch.Tensor.float, inputs.hybrid_logits)),
    )
    loss = METHODS[name].loss(floats, settings_of(name))
    assert loss.dtype == torch.float32
    # The noise of a generator is other noise in another precision.
    if Need.NOISE not in METHODS[name].needs:
        torch.testing.assert_close(loss.double(), loss_of(name, inputs), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "option", "choice"), VARIANTS)
def test_gradients_agree_with_finite_differences(name, option, choice):
    """With respect to all that belongs to the student; the random inputs keep clear of every kink."""
    inputs = random_inputs(4, batch=3)
    count = len(inputs.spikes)
    generator = torch.Generator().manual_seed(11)
    inputs = replaced(
        inputs, spikes=tuple(torch.rand(s.shape, generator=generator, dtype=torch.float64) for s in inputs.spikes)
    )

    def loss(step_logits, *rest):
        spikes, membranes, features = rest[:count], rest[count : 2 * count], rest[2 * count :]
        pairs = zip(inputs.features, features, strict=True)
        return METHODS[name].loss(
            replaced(
                inputs,
                step_logits=step_logits,
                spikes=spikes,
                membranes=membranes,
                features=tuple(dataclasses.replace(pair, student=student) for pair, student in pairs),
            ),
            settings_of(name, **chosen(option, choice), **SMOOTH.get(name, {})),
        )

    students = (inputs.step_logits, *inputs.spikes, *inputs.membranes, *(pair.student for pair in inputs.features))
    assert torch.autograd.gradcheck(loss, tuple(x.clone().requires_grad_() for x in students), fast_mode=True)


@pytest.mark.parametrize(("name", "option", "choice"), VARIANTS)
def test_the_gradient_reaches_the_student_and_never_the_teacher(name, option, choice):
    inputs = of_teacher(random_inputs(5), lambda x: x.clone().requires_grad_())
    logits = inputs.step_logits.clone().requires_grad_()
    METHODS[name].loss(replaced(inputs, step_logits=logits), settings_of(name, **chosen(option, choice))).backward()
    assert logits.grad is not None
    assert logits.grad.abs().sum() > 0
    teacher = [inputs.teacher_logits, inputs.teacher_step_logits, inputs.teacher_map, *inputs.float_membranes]
    teacher += [inputs.longer_step_logits, inputs.twin_logits, *inputs.twin_rates]
    assert all(x.grad is None for x in (*teacher, *(pair.teacher for pair in inputs.features)))


@pytest.mark.parametrize(("name", "option", "choice"), VARIANTS)
def test_a_silent_student_has_a_finite_gradient(name, option, choice):
    """No spikes and membranes at rest, as in a dead layer: nothing may divide by their length."""
    inputs = random_inputs(6)
    silent = replaced(
        inputs,
        step_logits=torch.zeros_like(inputs.step_logits).requires_grad_(),
        spikes=tuple(torch.zeros_like(s).requires_grad_() for s in inputs.spikes),
        membranes=tuple(torch.zeros_like(u).requires_grad_() for u in inputs.membranes),
    )
    loss = METHODS[name].loss(silent, settings_of(name, **chosen(option, choice)))
    loss.backward()
    assert torch.isfinite(loss)
    for tensor in (silent.step_logits, *silent.spikes, *silent.membranes):
        assert tensor.grad is None or tensor.grad.abs().max() < 100


@pytest.mark.parametrize("name", METHODS)
def test_the_batch_is_averaged(name):
    """Twice the same samples are the same loss: a sum over the batch would double it."""
    options = {"noise": 0} if "noise" in METHODS[name].options else {}
    inputs = random_inputs(7)

    def twice(x, dim):
        return torch.cat([x, x], dim)

    doubled = replaced(
        inputs,
        step_logits=twice(inputs.step_logits, 1),
        labels=twice(inputs.labels, 0),
        teacher_logits=twice(inputs.teacher_logits, 0),
        teacher_step_logits=twice(inputs.teacher_step_logits, 1),
        spikes=tuple(twice(s, 1) for s in inputs.spikes),
        membranes=tuple(twice(u, 1) for u in inputs.membranes),
        float_membranes=tuple(twice(u, 1) for u in inputs.float_membranes),
        features=tuple(
            FeaturePair(student=twice(p.student, 0), teacher=twice(p.teacher, 0), margin=p.margin)
            for p in inputs.features
        ),
        teacher_map=twice(inputs.teacher_map, 0),
        longer_step_logits=twice(inputs.longer_step_logits, 1),
        mixed_logits=tuple(twice(logits, 0) for logits in inputs.mixed_logits),
        weak_logits=twice(inputs.weak_logits, 0),
        twin_logits=twice(inputs.twin_logits, 0),
        twin_rates=tuple(twice(rates, 0) for rates in inputs.twin_rates),
        hybrid_logits=tuple(twice(logits, 0) for logits in inputs.hybrid_logits),
    )
    torch.testing.assert_close(loss_of(name, doubled, **options), loss_of(name, inputs, **options))


@pytest.mark.parametrize("name", sorted(METHODS.keys() - {"twkd", "tser", "spike-window", "tks"}))
def test_logits_are_the_mean_over_time(name):
    """Neither the order of the steps nor repeating them all changes a loss, so tau means the same at every T."""
    inputs = random_inputs(8)
    for steps in (inputs.step_logits.flip(0), inputs.step_logits.repeat(2, 1, 1)):
        torch.testing.assert_close(loss_of(name, replaced(inputs, step_logits=steps)), loss_of(name, inputs))


@pytest.mark.parametrize("name", ["twkd", "tser", "spike-window", "tks"])
def test_losses_per_step_are_means_over_time(name):
    """The same logits at every step are the same loss at every T."""
    one = random_inputs(9, time_steps=1)
    for time_steps in (2, 5):
        more = replaced(one, step_logits=one.step_logits.repeat(time_steps, 1, 1))
        options: dict[str, Any] = {"window": 1} if name == "spike-window" else {}
        if name == "tks":
            options = {"together": "mean"}
        constant = replaced(more, teacher_step_logits=one.teacher_step_logits[:1])
        expected = loss_of(name, replaced(one, teacher_step_logits=one.teacher_step_logits[:1]), **options)
        torch.testing.assert_close(loss_of(name, constant, **options), expected)


@pytest.mark.parametrize(("name", "option", "choice"), [v for v in VARIANTS if v[0] != "spike-window" or v[2] != "l2"])
def test_a_constant_added_to_all_logits_changes_nothing(name, option, choice):
    """But for squares of the logits themselves."""
    options = {**chosen(option, choice), **({"noise": 0} if "noise" in METHODS[name].options else {})}
    inputs = random_inputs(10)
    shifted = replaced(
        inputs,
        step_logits=inputs.step_logits + 5,
        teacher_logits=inputs.teacher_logits - 2,
        teacher_step_logits=inputs.teacher_step_logits - 2,
    )
    torch.testing.assert_close(loss_of(name, shifted, **options), loss_of(name, inputs, **options))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0])
def test_a_method_says_whether_it_can_do_without_labels(name, alpha):
    """Whether anything reaches the readout of samples that have none; their penalties and rewards do not teach."""
    inputs = random_inputs(15)
    unlabelled = torch.full_like(inputs.labels, UNLABELLED)
    own = (SMOOTH | {"tser": {"entropy": 0}}).get(name, {})
    logits = inputs.step_logits.clone().requires_grad_()
    loss = loss_of(name, replaced(inputs, step_logits=logits, labels=unlabelled), alpha=alpha, **own)
    gradient = torch.autograd.grad(loss, logits, allow_unused=True)[0]
    reached = gradient is not None and bool(gradient.abs().sum() > 0)
    assert reached == METHODS[name].labels_optional(settings_of(name, alpha=alpha, **own))


@pytest.mark.parametrize("name", METHODS)
def test_a_sample_without_a_label_has_no_part_in_the_label_term_and_changes_no_other(name):
    """With the label of one sample unknown, the gradients of the others are what they were."""
    inputs = random_inputs(16)
    some = inputs.labels.clone()
    some[2] = UNLABELLED
    gradients = []
    for labels in (inputs.labels, some):
        logits = inputs.step_logits.clone().requires_grad_()
        loss = loss_of(name, replaced(inputs, step_logits=logits, labels=labels))
        gradients.append(torch.autograd.grad(loss, logits)[0])
    others = [0, 1, 3, 4]
    torch.testing.assert_close(gradients[0][:, others], gradients[1][:, others])
    assert not torch.equal(gradients[0][:, 2], gradients[1][:, 2])


def test_correct_steps_of_a_sample_without_a_label_are_all_steps():
    inputs = random_inputs(17)
    unlabelled = replaced(inputs, labels=torch.full_like(inputs.labels, UNLABELLED))
    by_label, by_mean = (loss_of("twkd", unlabelled, ensemble=word) for word in ("correct", "mean"))
    torch.testing.assert_close(by_label, by_mean)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(("knob", "value"), [("temperature", 5.0), ("alpha", 0.7)])
def test_a_method_says_which_shared_settings_it_ignores(name, knob, value):
    inputs = random_inputs(11)
    same = torch.equal(loss_of(name, inputs), loss_of(name, inputs, **{knob: value}))
    assert same == (knob in METHODS[name].ignores)


ELSEWHERE = {("tssd", "factor"), ("bkdsnn", "drop"), ("mixed-steps", "samples")}
"""Options of what is computed for a loss: tested with the method."""


@pytest.mark.parametrize(
    ("name", "option"),
    [
        (name, option)
        for name, method in METHODS.items()
        for option in method.options
        if (name, option) not in ELSEWHERE
    ],
)
def test_every_option_has_an_effect(name, option):
    """So no option is read under the wrong name, or not at all."""
    inputs = random_inputs(12, batch=30)
    kind = METHODS[name].options[option]
    values = kind.choices if isinstance(kind, Choice) else (kind.default, min(2 * kind.default, kind.high))
    losses = [METHODS[name].loss(replaced(inputs), settings_of(name, **{option: value})) for value in values]
    assert len({float(loss) for loss in losses}) == len(values)


@pytest.mark.parametrize("name", METHODS)
def test_is_a_function_of_its_arguments(name):
    """The same inputs and the same generator give the same loss, whatever torch's own generator has drawn."""
    inputs = random_inputs(13)
    first = loss_of(name, inputs)
    torch.rand(3)
    assert torch.equal(first, loss_of(name, inputs))


@pytest.mark.parametrize("name", ["cross-entropy", "kdsnn-response"])
def test_a_method_without_options_runs_without_any(name):
    METHODS[name].loss(random_inputs(14), LossSettings(temperature=2, alpha=0.5))


def test_no_loss_imports_the_training_loop():
    for method in METHODS.values():
        source = inspect.getsource(sys.modules[method.loss.__module__])
        imported = re.findall(r"^from (snnc\.[\w.]+)", source, re.MULTILINE)
        assert imported
        assert all(name.startswith(("snnc.distill.losses", "snnc.compiler.errors")) for name in imported)
