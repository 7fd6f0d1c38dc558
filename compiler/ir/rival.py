"""How the quantised artificial network of the same architecture did, recorded beside a spiking one.

An activation of ``ceil(log2(T + 1))`` bits can say what the spikes of ``T`` steps can say (Yan, Bai and Wong,
"Reconsidering the energy efficiency of spiking neural networks", arXiv 2409.08290), and an addition for each of its
bits is what its product with a weight costs: work is compared as ``MACs * bits`` against synaptic operations, each an
addition.  It is no part of what the network computes: no hash knows of it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

__all__ = ["RivalRecord", "rival_bits"]


def rival_bits(time_steps: int) -> int:
    """Bits of an activation that can say what so many steps of spikes can: ``ceil(log2(T + 1))``."""
    return time_steps.bit_length()


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalRecord:
    """Both networks on the same samples; work is that of a mean sample.

    Attributes
    ----------
    data, samples
        What was run, for people, and how many.
    time_steps
        ``T`` of the spiking network.
    epochs
        That the artificial network was trained for.
    accuracy, spiking_accuracy
        Of the artificial and of the spiking network, fractions.
    macs
        Products of a weight and an activation in the layers behind the first: one for each synapse. What reads pixels
        is the same in both networks, and left out.
    active_macs
        Those of activations that are not 0.
    operations
        Synaptic operations of the spiking network behind its spikes.
    """

    data: str
    samples: int
    time_steps: int
    epochs: int
    accuracy: float
    spiking_accuracy: float
    macs: float
    active_macs: float
    operations: float

    @property
    def bits(self) -> int:
        """Of an activation."""
        return rival_bits(self.time_steps)

    @property
    def additions(self) -> float:
        """``MACs * bits``."""
        return self.macs * self.bits

    @property
    def active_additions(self) -> float:
        """The same of a machine that skips activations of 0, as ours skips neurons that are silent."""
        return self.active_macs * self.bits

    @property
    def rate(self) -> float:
        """Spikes a synapse carries in a step, in the mean."""
        return self.operations / (self.macs * self.time_steps) if self.macs else 0.0

    @property
    def break_even(self) -> float:
        """Of that rate: below it spikes take fewer additions than activations."""
        return self.bits / self.time_steps

    @property
    def active_break_even(self) -> float:
        """The same against a machine that skips activations of 0."""
        return self.break_even * self.active_macs / self.macs if self.macs else 0.0

    @property
    def facts(self) -> dict[str, Any]:
        """All of it, and what follows, as plain values."""
        return dataclasses.asdict(self) | {
            "bits": self.bits,
            "additions": self.additions,
            "active_additions": self.active_additions,
            "rate": self.rate,
            "break_even": self.break_even,
            "active_break_even": self.active_break_even,
            "verdict": self.verdict,
        }

    @property
    def verdict(self) -> str:
        """On which side the spiking network stands, in a sentence."""
        if self.operations < self.active_additions:
            side = "Spikes take fewer additions, even where activations of 0 are skipped."
        elif self.operations < self.additions:
            side = "Spikes take fewer additions than all activations, and more than those that are not 0."
        else:
            side = "Spikes take more additions than activations do."
        gap = 100 * (self.spiking_accuracy - self.accuracy)
        return f"{side} The spiking network is {abs(gap):.2f} points {'better' if gap >= 0 else 'worse'}."
