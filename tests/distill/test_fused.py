"""Neurons in compiled steps against the same step by step."""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from snnc.compiler.errors import OptionError
from snnc.compiler.ir.neurons import Initial, Reset
from snnc.distill import fused
from snnc.distill.neurons import NeuronSettings, Surrogate, integrate_and_fire

STEPS = 4


@pytest.fixture
def compiled() -> Iterator[None]:
    try:
        fused.use_fused(True)
    except OptionError as error:
        pytest.skip(str(error))
    yield
    fused.use_fused(False)


def currents(batch: int, *, constant: bool, whole: bool) -> Tensor:
    generator = torch.Generator().manual_seed(batch)
    values = torch.randn(batch if constant else STEPS * batch, 5, 3, 4, generator=generator)
    values = (8 * values).round() if whole else values
    values = values.contiguous(memory_format=torch.channels_last)
    return values if constant else values.unflatten(0, (STEPS, batch))


def trained(
    current: Tensor, settings: NeuronSettings, *, constant: bool, whole: bool, follows: bool = False
) -> list[Tensor]:
    """Spikes, membranes and the gradients of current and thresholds, for a loss that looks at every spike."""
    current = current.detach().clone().requires_grad_()
    threshold = torch.tensor([4.0, 8, 2, 6, 10] if whole else [0.5, 1, 0.7, 0.2, 2]).view(-1, 1, 1).requires_grad_()
    spikes, membranes = integrate_and_fire(
        current, threshold, settings, time_steps=STEPS, constant=constant, whole=whole
    )
    looks = torch.randn(spikes.shape, generator=torch.Generator().manual_seed(1))
    loss = (spikes * looks).sum() + (membranes.square().sum() if follows else 0.0)
    loss.backward()
    assert current.grad is not None
    assert threshold.grad is not None
    return [spikes.detach(), membranes.detach(), current.grad, threshold.grad]


KINDS = [
    (Reset.SOFT, Surrogate.ATAN, None, False, False),
    (Reset.SOFT, Surrogate.TRIANGLE, 2, False, True),
    (Reset.HARD, Surrogate.ATAN, 1, True, False),
    (Reset.HARD, Surrogate.TRIANGLE, None, False, True),
    (Reset.SOFT, Surrogate.TRIANGLE, None, True, False),
]


@pytest.mark.heavy
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize(("reset", "surrogate", "leak", "constant", "whole"), KINDS)
def test_compiled_steps_are_the_same(
    reset: Reset, surrogate: Surrogate, leak: int | None, constant: bool, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = NeuronSettings(reset=reset, initial=Initial.HALF, surrogate=surrogate, leak_shift=leak)
    for batch in (6, 2):
        current = currents(batch, constant=constant, whole=whole)
        found = trained(current, settings, constant=constant, whole=whole)
        with monkeypatch.context() as patch:
            patch.setattr(fused, "takes", lambda _: False)
            expected = trained(current, settings, constant=constant, whole=whole)
        assert 0 < expected[0].mean() < 1
        for one, other in zip(found[:2], expected[:2], strict=True):
            assert torch.equal(one, other)
            assert one.stride() == other.stride()
        for one, other in zip(found[2:], expected[2:], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.heavy
@pytest.mark.usefixtures("compiled")
def test_membranes_that_are_followed_have_their_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = NeuronSettings(reset=Reset.SOFT, initial=Initial.ZERO, surrogate=Surrogate.ATAN)
    current = currents(3, constant=False, whole=False)
    found = trained(current, settings, constant=False, whole=False, follows=True)
    monkeypatch.setattr(fused, "takes", lambda _: False)
    for one, other in zip(found, trained(current, settings, constant=False, whole=False, follows=True), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.heavy
@pytest.mark.usefixtures("compiled")
def test_the_last_batch_is_not_compiled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = NeuronSettings(reset=Reset.SOFT, initial=Initial.HALF, surrogate=Surrogate.ATAN)
    trained(currents(6, constant=False, whole=False), settings, constant=False, whole=False)
    monkeypatch.setattr(torch._dynamo.config, "error_on_recompile", True)
    trained(currents(4, constant=False, whole=False), settings, constant=False, whole=False)


def test_not_everything_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = torch.empty(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    assert not fused.takes(maps)
    monkeypatch.setitem(fused._state, "fused", True)
    assert fused.takes(maps)
    assert not fused.takes(maps.contiguous())
    assert not fused.takes(maps.flatten(1))


def test_what_it_needs_is_asked_for_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda name: name)
    with pytest.raises(OptionError, match=r"Python.h is missing"):
        fused.use_fused(True)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(OptionError, match=r"C\+\+ compiler, and there is none"):
        fused.use_fused(True)
    fused.use_fused(False)
