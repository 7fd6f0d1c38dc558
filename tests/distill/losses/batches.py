"""Random batches for losses, their settings, and the two formulas that every oracle needs."""

from __future__ import annotations

import dataclasses
from itertools import cycle

import numpy as np
import torch

from snnc.distill.losses import METHODS
from snnc.distill.losses.interface import AdapterShapes, FeaturePair, LossInputs, LossSettings, resolve


def random_inputs(
    seed, *, time_steps=3, batch=5, classes=4, teacher_steps=2, shapes=((3, 6, 6), (4, 4, 4), (7,)), teacher_map=(5, 5)
):
    """Everything that any method needs, in float64; maps of 6x6 and 4x4, and a dense population."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    maps = [(time_steps, batch, *shape) for shape in shapes]
    return LossInputs(
        step_logits=normal(time_steps, batch, classes) * 3,
        labels=torch.randint(classes, (batch,), generator=generator),
        teacher_logits=normal(batch, classes) * 3,
        teacher_step_logits=normal(teacher_steps, batch, classes) * 3,
        spikes=tuple(
            (torch.rand(*shape, generator=generator) < rate).double()
            for shape, rate in zip(maps, cycle((0.4, 0.3, 0.05)), strict=False)
        ),
        membranes=tuple(normal(*shape) for shape in maps),
        float_membranes=tuple(normal(*shape) for shape in maps),
        features=tuple(
            FeaturePair(student=normal(batch, c, n, n), teacher=normal(batch, c, n, n), margin=-normal(c).abs())
            for c, n in ((3, 6), (2, 3))
        ),
        teacher_map=normal(batch, *teacher_map),
        generator=generator,
        progress=0.3,
        longer_step_logits=normal(2 * time_steps, batch, classes) * 3,
        mixed_logits=tuple(normal(batch, classes) * 3 for _ in range(2)),
        weak_logits=normal(batch, classes) * 3,
        twin_logits=normal(batch, classes) * 3,
        twin_rates=tuple(torch.rand(batch, *shape, generator=generator, dtype=torch.float64) for shape in shapes),
        hybrid_logits=tuple(normal(batch, classes) * 3 for _ in shapes),
    )


def between(student, teacher, classes=4):
    """The shapes that an adapter stands between."""
    return AdapterShapes(student=student, teacher=teacher, classes=classes)


def replaced(inputs, **changes):
    """A copy of the inputs, with a generator that starts anew: the same noise every time."""
    return dataclasses.replace(inputs, generator=torch.Generator().manual_seed(7), **changes)


def settings_of(name, *, temperature=3.0, alpha=0.4, **options):
    """Settings with every option of the method; an underscore in a keyword is a hyphen in the option's name."""
    given = {key.replace("_", "-"): value for key, value in options.items()}
    return LossSettings(temperature=temperature, alpha=alpha, options=resolve(METHODS[name], given))


def loss_of(name, inputs, **settings):
    return METHODS[name].loss(replaced(inputs), settings_of(name, **settings))


def softmax(z):
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def cross_entropy(z, labels):
    """Of logits ``[B, K]``, the mean over the batch."""
    return -np.log(softmax(z)[np.arange(len(labels)), labels]).mean()


def divergence(p, q):
    """``KL(p || q)``: the sum over the last axis, the mean over the others."""
    return (p * np.log(p / q)).sum(axis=-1).mean()


def entropy(p):
    return -(p * np.log(p)).sum(axis=-1).mean()


def arrays(inputs):
    """Student's logits, teacher's logits and labels as arrays."""
    return inputs.step_logits.detach().numpy(), inputs.teacher_logits.detach().numpy(), inputs.labels.numpy()
