"""Version 1 of the student checkpoint, a chain of fully connected layers, as version 2."""

from __future__ import annotations

import math
from typing import Any, Final

from snnc.compiler.errors import CheckpointError, UnsupportedError
from snnc.compiler.formats.fields import Fields

__all__ = ["upgrade"]

_LAYER_KEYS: Final = frozenset(
    {"name", "kind", "in_features", "out_features", "weight_bits", "fraction_bits", "neuron"}
)
_NEURON_KEYS: Final = frozenset({"kind", "reset", "initial"})


def upgrade(root: Fields) -> dict[Any, Any]:
    """The checkpoint of version 2 that means the same; what is wrong in both versions is left for its reader."""
    source, size = "input", math.prod(root.below("input").shape("shape", 2**16))
    layers, state = list[dict[str, Any]](), dict(root.mapping("state"))
    for position, plain in enumerate(root.sequence("layers")):
        fields = Fields(plain, f"layer {position}")
        name = fields.text("name")
        fields = fields.called(f"layer '{name}'")
        kind = fields.text("kind")
        if kind != "dense":
            raise UnsupportedError(f"Layer '{name}' is of the kind '{kind}'; version 1 has 'dense' alone.")
        fields.allow(_LAYER_KEYS)
        inputs, outputs = fields.integer("in_features", 1, 2**16), fields.integer("out_features", 1, 2**16)
        if inputs != size:
            raise CheckpointError(f"Layer '{name}' takes {inputs} inputs, but '{source}' has {size} outputs.")
        neuron = fields.below("neuron")
        neuron.called(f"the neuron of layer '{name}'").allow(_NEURON_KEYS)
        spiking = neuron.value("kind", optional=True) == "if"
        projection = {"kind": "dense", "source": source, "pool": 1, "delay": 0}
        projection["weight_bits"] = fields.optional_integer("weight_bits", 2, 8)
        layers.append(
            {
                "name": name,
                "shape": [outputs, 1, 1],
                "fraction_bits": fields.value("fraction_bits"),
                "neuron": {**neuron.fields, "leak_shift": None} if spiking else neuron.fields,
                "projections": [projection],
            }
        )
        if f"{name}.0.weight" in root.mapping("state"):
            raise CheckpointError(f"The tensor '{name}.0.weight' belongs to no layer of version 1.")
        if f"{name}.weight" in state:
            state[f"{name}.0.weight"] = state.pop(f"{name}.weight")
        source, size = name, outputs
    return {**root.fields, "version": 2, "layers": layers, "state": state}
