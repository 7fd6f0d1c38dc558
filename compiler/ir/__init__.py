"""Populations, projections and neuron models: what the passes transform."""

from snnc.compiler.ir.activity import ActivityRecord
from snnc.compiler.ir.exits import Exit
from snnc.compiler.ir.graph import BatchNorm, Graph, Level, Population, format_graph, frozen
from snnc.compiler.ir.invariants import verify
from snnc.compiler.ir.neurons import (
    Array,
    Comparison,
    Encoding,
    Initial,
    InputSource,
    IntegrateAndFire,
    Neuron,
    Readout,
    Reset,
)
from snnc.compiler.ir.projections import (
    Convolution,
    Dense,
    Pair,
    Pooling,
    Projection,
    Shape,
    as_convolution,
    kernel_positions,
    pooled_shape,
    target_shape,
    weight_shape,
    window,
)
from snnc.compiler.ir.rival import RivalRecord

__all__ = [
    "ActivityRecord",
    "Array",
    "BatchNorm",
    "Comparison",
    "Convolution",
    "Dense",
    "Encoding",
    "Exit",
    "Graph",
    "Initial",
    "InputSource",
    "IntegrateAndFire",
    "Level",
    "Neuron",
    "Pair",
    "Pooling",
    "Population",
    "Projection",
    "Readout",
    "Reset",
    "RivalRecord",
    "Shape",
    "as_convolution",
    "format_graph",
    "frozen",
    "kernel_positions",
    "pooled_shape",
    "target_shape",
    "verify",
    "weight_shape",
    "window",
]
