"""Distillation losses: one file per method, with its formula and its paper.

A new method is one file with a `Method` called ``METHOD``, and one line in the table below.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from snnc.distill.losses import cross_entropy, kdsnn_response
from snnc.distill.losses.interface import Method

__all__ = ["METHODS"]

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "kdsnn-response": kdsnn_response.METHOD,
        "cross-entropy": cross_entropy.METHOD,
    }
)
