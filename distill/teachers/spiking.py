"""A trained spiking network as a teacher, which answers at every time step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, Self, cast

import torch
from torch import Tensor, nn

__all__ = ["SpikingTeacher", "StepOutputs"]


class StepOutputs(Protocol):
    """What a spiking network returns, as far as its pupil is concerned."""

    @property
    def step_logits(self) -> Tensor:
        """``[T', B, K]``."""
        ...


class SpikingTeacher(nn.Module):
    """A frozen spiking network: 8-bit images ``[B, C, H, W]`` to logits of every step ``[T', B, K]``.

    Parameters
    ----------
    network
        Maps its own encoded input to `StepOutputs`, such as the student of a checkpoint.
    encode
        8-bit images as that network takes them.
    """

    def __init__(self, network: nn.Module, encode: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network = network.requires_grad_(False).eval()
        self._encode = encode

    @property
    def goes_on(self) -> bool:
        """Whether its readout leaks, and starts again with no decision."""
        return getattr(getattr(self.network, "config", None), "readout_leak", None) is not None

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation mode: statistics that drift with the pupil's batches would change what it teaches."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        return cast(StepOutputs, self.network(self._encode(images))).step_logits
