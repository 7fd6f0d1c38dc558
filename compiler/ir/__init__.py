"""Populations, projections and neuron models: what the passes transform."""

from snnc.compiler.ir.graph import (
    BatchNorm,
    Dense,
    Graph,
    Level,
    Population,
    Projection,
    format_graph,
    frozen,
    verify,
)
from snnc.compiler.ir.neurons import Array, Encoding, Initial, InputSource, IntegrateAndFire, Neuron, Readout, Reset

__all__ = [
    "Array",
    "BatchNorm",
    "Dense",
    "Encoding",
    "Graph",
    "Initial",
    "InputSource",
    "IntegrateAndFire",
    "Level",
    "Neuron",
    "Population",
    "Projection",
    "Readout",
    "Reset",
    "format_graph",
    "frozen",
    "verify",
]
