"""Networks of other libraries as modules, in Python: read, and quantised to integers, by one call.

The libraries are recognised and never imported; torch is, when one of these is called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from snnc.compiler.extras import needed
from snnc.compiler.pipeline import integer_network
from snnc.network import Network, assumed

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["from_norse", "from_sinabs", "from_snntorch", "from_spikingjelly"]


def from_snntorch(net: nn.Module, example: torch.Tensor, **options: Any) -> Network:
    """The integer network of an snnTorch module.

    Parameters
    ----------
    net
        In any style: a forward pass that loops over time itself is run as it is, one of a single step too. It is put
        back into its mode; hidden states should be reset before it is used again.
    example
        An input for it, of any values.
    options
        ``leading``: how many dimensions of `example` come before those of one sample's step, by default 1, for
        ``(batch, ...)``. And what modules do not say (``docs/networks.md``): ``encoding="direct"``, ``bits=4``,
        ``time_steps=25``, ``weight_bits=4``, ``fraction_bits=12``, ``exact=True``, ``decoding="sum"``.

    Returns
    -------
    Its `findings` say of each layer whether it is exact, or by how much it was refitted.

    Raises
    ------
    UnsupportedError
        A layer cannot be said in the integer contract; the message says what would help.
    CheckpointError
        The module contradicts itself.
    OptionError
        There is no such option, or it has no such value.
    MissingError
        torch is not installed.
    """
    return _imported("from_snntorch", net, example, options)


def from_spikingjelly(net: nn.Module, example: torch.Tensor, **options: Any) -> Network:
    """The integer network of a SpikingJelly module; as `from_snntorch`, with ``leading=2`` in its multi-step mode."""
    return _imported("from_spikingjelly", net, example, options)


def from_norse(net: nn.Module, example: torch.Tensor, **options: Any) -> Network:
    """The integer network of a Norse module; as `from_snntorch`."""
    return _imported("from_norse", net, example, options)


def from_sinabs(net: nn.Module, example: torch.Tensor, **options: Any) -> Network:
    """The integer network of a sinabs module; as `from_snntorch`, with ``leading=1`` for its squeezing layers."""
    return _imported("from_sinabs", net, example, options)


def _imported(importer: str, net: nn.Module, example: torch.Tensor, options: dict[str, Any]) -> Network:
    with needed():
        from snnc.distill import importers

    leading, weight_bits = options.pop("leading", 1), options.get("weight_bits")
    reading = assumed(options, time_steps=None, weight_bits=None)
    read: Callable[..., Any] = getattr(importers, importer)
    found = read(net, example, leading=leading, assumptions=reading)
    trained = found.accepted()
    return Network(
        path=None,
        graph=integer_network(trained, weight_bits=weight_bits),
        weight_bits=weight_bits,
        trained=trained,
        reading=reading,
        findings=found.findings,
    )
