"""Quantisation after training in Python: what ``snnc quantise`` does, with the user's own arrays."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from snnc.compiler.calibration import CalibrationSettings, calibrate
from snnc.compiler.errors import DataError
from snnc.compiler.extras import needed
from snnc.compiler.formats import import_network
from snnc.compiler.ir import Encoding
from snnc.compiler.passes.normalise import normalised
from snnc.compiler.passes.quantise import quantised
from snnc.network import Network, encode_array
from snnc.sim.models.floating import FloatNetwork
from snnc.sim.models.inputs import Samples

__all__ = ["requantised"]

_TENTH = 10


def requantised(
    network: Network,
    x: npt.NDArray[Any],
    labels: npt.NDArray[Any] | None,
    *,
    weight_bits: int,
    fraction_bits: int,
    samples: int,
    epochs: int,
    rate: float,
) -> Network:
    """See `Network.quantise`."""
    trained = dataclasses.replace(
        normalised(import_network(network.source, network.reading)), time_steps=network.time_steps
    )
    settings = CalibrationSettings(weight_bits=weight_bits, fraction_bits=fraction_bits)
    given = encode_array(trained, x[:samples], time_steps=trained.time_steps)
    found = calibrate(trained, given, settings)
    graph = found.graph
    if epochs:
        with needed():
            from snnc.distill.finetune import FinetuneSettings, finetune

        if labels is None:
            encoded = encode_array(trained, x, time_steps=trained.time_steps)
            labels = FloatNetwork(found.trained).run(encoded, time_steps=trained.time_steps).logits[-1].argmax(axis=1)
        if len(labels) != len(x) or len(x) < _TENTH:
            raise DataError(f"There are {len(x)} samples and {len(labels)} labels; as many of both, ten at least.")
        events = trained.source.encoding is Encoding.EVENTS and x.ndim == 5
        whole = Samples(name="arrays", images=x.astype(np.uint8), labels=labels, classes=(), events=events)
        held = len(x) // _TENTH
        judges = dataclasses.replace(whole, images=whole.images[-held:], labels=whole.labels[-held:])
        graph = finetune(found, whole.first(len(x) - held), judges, FinetuneSettings(epochs=epochs, rate=rate))
    return dataclasses.replace(network, path=None, graph=quantised(graph), trained=graph, weight_bits=None)
