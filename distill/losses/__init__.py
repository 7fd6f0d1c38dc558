"""Distillation losses: one file per method, with its formula and its paper.

A new method is one file with a `Method` called ``METHOD``, and one line in the table below.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from snnc.distill.losses import (
    bkdsnn,
    ckdsnn,
    ckdsnn_nld,
    ckdsnn_samd,
    cross_entropy,
    energy,
    hybrid_blocks,
    kdsnn_feature,
    kdsnn_response,
    lasnn,
    membrane,
    mixed_steps,
    sakd,
    spike_window,
    tks,
    tser,
    tssd,
    twkd,
)
from snnc.distill.losses.interface import Method

__all__ = ["METHODS"]

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "kdsnn-response": kdsnn_response.METHOD,
        "cross-entropy": cross_entropy.METHOD,
        "kdsnn-feature": kdsnn_feature.METHOD,
        "spike-window": spike_window.METHOD,
        "twkd": twkd.METHOD,
        "tser": tser.METHOD,
        "ckdsnn-samd": ckdsnn_samd.METHOD,
        "ckdsnn-nld": ckdsnn_nld.METHOD,
        "ckdsnn": ckdsnn.METHOD,
        "bkdsnn": bkdsnn.METHOD,
        "lasnn": lasnn.METHOD,
        "tks": tks.METHOD,
        "tssd": tssd.METHOD,
        "sakd": sakd.METHOD,
        "mixed-steps": mixed_steps.METHOD,
        "hybrid-blocks": hybrid_blocks.METHOD,
        "membrane": membrane.METHOD,
        "energy": energy.METHOD,
    }
)
