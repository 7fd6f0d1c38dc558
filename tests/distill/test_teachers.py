"""Teachers: their declared shapes, margins against samples, class maps against Grad-CAM, and spiking ones."""

import dataclasses

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnc.compiler.errors import OptionError
from snnc.distill.teachers import TEACHERS, SpikingTeacher, TeacherKind, as_input, build_teacher, teacher_logits
from snnc.distill.teachers.interface import PooledTeacher, negative_mean

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (1, 64, 32), (2, 13, 9)]
WITH_FEATURES = [kind for kind in TeacherKind if kind not in (TeacherKind.MLP, TeacherKind.RATES)]
POOLED = [kind for kind in TeacherKind if issubclass(TEACHERS[kind], PooledTeacher)]


def teacher_for(kind, shape=(3, 12, 12), classes=5):
    """A teacher with statistics as after training: every batch norm's mean, variance, gain and offset differ."""
    torch.manual_seed(0)
    teacher = build_teacher(kind, shape, classes)
    for module in teacher.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.weight)  # gains of both signs
            nn.init.normal_(module.bias)
            module.running_mean.normal_(std=0.3)
            module.running_var.uniform_(0.5, 2)
    return teacher.eval()


def images_of(shape, count=4):
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(1))


def test_the_table_has_every_kind():
    assert set(TEACHERS) == set(TeacherKind)
    for kind, architecture in TEACHERS.items():
        assert architecture.kind == kind.value


@pytest.mark.parametrize("kind", TeacherKind)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_kind_takes_every_shape(kind, shape):
    logits = teacher_for(kind, shape, 7)(images_of(shape))
    assert logits.shape == (4, 7)
    assert logits.isfinite().all()


def test_rates_are_rooted_standardised_and_weighed():
    teacher, images = teacher_for(TeacherKind.RATES, (2, 13, 9)), images_of((2, 13, 9))
    _, _, norm, _, linear = teacher
    standard = (images.flatten(1).sqrt() - norm.running_mean) / torch.sqrt(norm.running_var + norm.eps)
    expected = (standard * norm.weight + norm.bias) @ linear.weight.T + linear.bias
    torch.testing.assert_close(teacher(images), expected)


@pytest.mark.parametrize("kind", WITH_FEATURES)
@pytest.mark.parametrize("shape", SHAPES)
def test_features_have_the_declared_shapes(kind, shape):
    teacher = teacher_for(kind, shape)
    outputs = teacher.with_features(images_of(shape))
    assert tuple(tuple(feature.shape[1:]) for feature in outputs.features) == teacher.feature_shapes
    assert [margin.shape[0] for margin in teacher.margins()] == [channels for channels, *_ in teacher.feature_shapes]


@pytest.mark.parametrize("kind", WITH_FEATURES)
def test_features_are_what_the_batch_norms_before_a_relu_return(kind):
    teacher = teacher_for(kind)
    seen = []
    for norm in teacher.feature_norms():
        norm.register_forward_hook(lambda module, inputs, output: seen.append(output.clone()))
    features = teacher.with_features(images_of((3, 12, 12))).features
    assert len(features) == 3
    for feature, output in zip(features, seen, strict=True):
        assert torch.equal(feature, output)  # nobody changed it in place
        assert feature.min() < 0


def test_the_features_of_a_residual_network_are_what_the_next_resolution_reads():
    teacher = teacher_for(TeacherKind.RESNET)
    read: list[Tensor] = []
    for module in teacher.modules():
        if isinstance(module, nn.Conv2d) and module.stride == (2, 2) and module.kernel_size == (3, 3):
            module.register_forward_hook(lambda module, inputs, output: read.append(inputs[0]))
    features = teacher.with_features(images_of((3, 12, 12))).features
    assert len(read) == 2
    for feature, input_ in zip(features, read, strict=False):
        assert torch.equal(F.relu(feature), input_)


@pytest.mark.parametrize("kind", TeacherKind)
def test_a_teacher_at_work_is_deterministic(kind):
    teacher = build_teacher(kind, (1, 12, 12), 4)
    images = torch.randint(0, 256, (30, 1, 12, 12), dtype=torch.uint8)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    once = teacher_logits(teacher, images)
    assert torch.equal(once, teacher_logits(teacher, images))
    torch.testing.assert_close(teacher_logits(teacher, images, batch=7), once)  # no statistics of the batch
    if teacher.feature_shapes:
        torch.testing.assert_close(teacher.with_features(as_input(images)).logits, once)
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("kind", [kind for kind in TeacherKind if kind is not TeacherKind.RATES])
def test_a_width_makes_a_teacher_larger(kind):
    sizes = [sum(p.numel() for p in build_teacher(kind, (1, 16, 16), 10, width=width).parameters()) for width in (2, 4)]
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize("kind", TeacherKind)
def test_every_weight_learns(kind):
    teacher = build_teacher(kind, (1, 12, 12), 4)
    F.cross_entropy(teacher(images_of((1, 12, 12), 16)), torch.arange(16) % 4).backward()
    for name, weight in teacher.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name


def norm_of(mean, deviation):
    norm = nn.BatchNorm2d(len(mean))
    with torch.no_grad():
        norm.bias.copy_(torch.tensor(mean))
        norm.weight.copy_(torch.tensor(deviation))
    return norm


def test_margins_are_the_mean_of_negative_samples():
    means, deviations = [0.0, 1.0, -1.0, 0.5, -3.0], [1.0, 1.0, -2.0, 0.4, 0.5]
    noise = torch.randn(5, 2_000_000, generator=torch.Generator().manual_seed(0))
    samples = noise * torch.tensor(deviations)[:, None] + torch.tensor(means)[:, None]
    sampled = torch.stack([row[row < 0].mean() for row in samples])
    torch.testing.assert_close(negative_mean(norm_of(means, deviations)), sampled, atol=3e-3, rtol=0)


def test_margins_are_finite_where_nothing_or_everything_is_negative():
    means, deviations = [1e3, 40.0, -1e3, 2.0, -2.0, 0.0], [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    margins = negative_mean(norm_of(means, deviations))
    expected = torch.tensor([-1 / 30, -1 / 30, -1e3, 0.0, -2.0, 0.0])
    torch.testing.assert_close(margins, expected, atol=1e-4, rtol=0)


def grad_cam(teacher, images, classes):
    """Grad-CAM by autograd (Selvaraju et al., ICCV 2017): gradients averaged over the map are the weights."""
    outputs = teacher.with_features(images)
    active = F.relu(outputs.features[-1]).detach().requires_grad_()
    logits = teacher.head(active.mean(dim=(2, 3)))
    torch.testing.assert_close(logits, outputs.logits)
    (gradient,) = torch.autograd.grad(logits.gather(1, classes[:, None]).sum(), active)
    return F.relu((gradient.mean(dim=(2, 3), keepdim=True) * active).sum(dim=1))


@pytest.mark.parametrize("kind", POOLED)
def test_class_maps_are_grad_cam(kind):
    teacher, images = teacher_for(kind), images_of((3, 12, 12), 6)
    classes = torch.tensor([0, 1, 2, 3, 4, 0])
    seen = teacher.class_map(teacher.with_features(images), classes)
    places = seen.shape[1] * seen.shape[2]
    assert seen.shape[1:] == teacher.feature_shapes[-1][1:]
    assert seen.max() > 0
    torch.testing.assert_close(seen / places, grad_cam(teacher, images, classes))


def test_what_a_kind_does_not_have_is_refused_by_name():
    mlp, cnn = teacher_for(TeacherKind.MLP), teacher_for(TeacherKind.CNN)
    images = images_of((3, 12, 12))
    assert mlp.feature_shapes == mlp.margins() == ()
    with pytest.raises(OptionError, match="mlp has no feature maps"):
        mlp.with_features(images)
    with pytest.raises(OptionError, match="cnn has no class activation map"):
        cnn.class_map(cnn.with_features(images), torch.zeros(4, dtype=torch.long))


@pytest.mark.parametrize("kind", POOLED)
def test_images_that_are_too_small_are_refused_by_size(kind):
    with pytest.raises(OptionError, match=f"{kind.value} needs .* 4x4 pixels, not 3x9"):
        build_teacher(kind, (1, 3, 9), 10)


@dataclasses.dataclass
class Steps:
    step_logits: Tensor


class Spiking(nn.Module):
    """Something that answers at three steps, and whose batch norm would notice being trained."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.readout = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Steps:
        return Steps(self.readout(self.norm(x)) * torch.arange(1, 4)[:, None, None])


def test_a_spiking_teacher_answers_at_every_step_and_never_changes():
    network = Spiking()
    pupil = nn.ModuleDict({"teacher": SpikingTeacher(network, lambda images: as_input(images).flatten(1))})
    pupil.train()  # as whoever holds the teacher would
    images = torch.randint(0, 256, (6, 1, 2, 2), dtype=torch.uint8)
    answers = pupil["teacher"](images)
    assert answers.shape == (3, 6, 5)
    assert not answers.requires_grad
    assert torch.equal(answers, pupil["teacher"](images))
    assert network.norm.num_batches_tracked == 0
    assert not any(weight.requires_grad for weight in pupil.parameters())
    torch.testing.assert_close(answers[2], 3 * answers[0])
