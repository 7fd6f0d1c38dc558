"""Networks of other libraries as modules: run once on an example, read as it runs, no exporter in between.

The libraries are recognised by the names of their classes and never imported. What comes out is what a reader of files
gives: a graph, and a finding for each node.

>>> found = from_snntorch(net, torch.zeros(1, 784), assumptions=Assumptions(time_steps=25))
>>> graph = found.accepted()
"""

from __future__ import annotations

import torch
from torch import nn

from snnc.compiler.formats.foreign.assumptions import Assumptions
from snnc.compiler.formats.foreign.build import build
from snnc.compiler.formats.foreign.findings import Imported
from snnc.distill.importers import norse, sinabs, snntorch, spikingjelly
from snnc.distill.importers.trace import Neurons, traced

__all__ = ["from_norse", "from_sinabs", "from_snntorch", "from_spikingjelly"]


def from_snntorch(
    net: nn.Module, example: torch.Tensor, *, leading: int = 1, assumptions: Assumptions | None = None
) -> Imported:
    """The network of an snnTorch module.

    Parameters
    ----------
    net
        In any style: a forward pass that loops over time itself is run as it is, one of a single step too.
    example
        An input for it, of any values.
    leading
        How many dimensions of `example` come before those of one sample's step: 1 for ``(batch, ...)``, 2 for
        ``(time, batch, ...)`` or ``(batch, time, ...)``.
    assumptions
        What modules do not say: encoding, time steps, fraction bits. Their neurons say the rest.

    Notes
    -----
    The pass changes states and batch statistics as any other: nothing is trained, and `net` is put back into its mode,
    but hidden states should be reset before it is used again.

    Raises
    ------
    CheckpointError
        The module contradicts itself.
    """
    return _imported(net, example, leading, assumptions, snntorch.meaning)


def from_spikingjelly(
    net: nn.Module, example: torch.Tensor, *, leading: int = 1, assumptions: Assumptions | None = None
) -> Imported:
    """The network of a SpikingJelly module; as `from_snntorch`, with ``leading=2`` in its multi-step mode."""
    return _imported(net, example, leading, assumptions, spikingjelly.meaning)


def from_norse(
    net: nn.Module, example: torch.Tensor, *, leading: int = 1, assumptions: Assumptions | None = None
) -> Imported:
    """The network of a Norse module; as `from_snntorch`."""
    return _imported(net, example, leading, assumptions, norse.meaning)


def from_sinabs(
    net: nn.Module, example: torch.Tensor, *, leading: int = 1, assumptions: Assumptions | None = None
) -> Imported:
    """The network of a sinabs module; as `from_snntorch`, with ``leading=1`` for its squeezing layers."""
    return _imported(net, example, leading, assumptions, sinabs.meaning)


def _imported(
    net: nn.Module, example: torch.Tensor, leading: int, assumptions: Assumptions | None, neurons: Neurons
) -> Imported:
    network = traced(net, example, leading=leading, neurons=neurons)
    return build(network, assumptions or Assumptions())
