"""Memory images: what ``$readmemh`` loads into the hardware's memories.

One word per line in hexadecimal, as many digits as the word has. Fields stand lane 0 lowest, in two's complement. The
parameters of a lane that stands for no neuron (the last word of a layer whose size is no multiple of its lanes) are
such that it never fires.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import (
    Graph,
    Pooling,
    Population,
    Projection,
    as_convolution,
)
from snnc.compiler.plan import (
    ConstantField,
    EnginePlan,
    MemoryPlan,
    Plan,
    ProjectionPlan,
)
from snnc.compiler.plan.residual import Residual
from snnc.rtl.engines import witness as witness_of_engine
from snnc.rtl.walkers import witness

__all__ = ["memory_images"]

_Words: TypeAlias = npt.NDArray[np.int64]
"""Fields of memory words: ``(words, fields)``."""


def memory_images(plan: Plan, graph: Graph) -> Mapping[str, str]:
    """Texts of all images by file name, relative to the build folder."""
    images: dict[str, str] = {}
    for engine in plan.engines:
        for projection in engine.projections:
            walked = _walked(graph, engine, projection)
            images |= _memory(projection.weights, _weight_words(engine, projection, walked), projection.weight_bits)
        constants = _constants(engine, graph.population(engine.name))
        fields = np.concatenate([constants[field] for field in engine.constant_fields], axis=1)
        images |= _memory(engine.constants, fields, engine.residual_bits)
        for name, words in witness_of_engine(engine.kind, "images").further_images(engine, constants).items():
            images[f"images/{name}.hex"] = _hex(words, engine.residual_bits)
    return images


def _weight_words(engine: EnginePlan, plan: ProjectionPlan, projection: Projection) -> _Words:
    """Rows as the record of the walk says where they lie: ``(weights.depth, lanes)``."""
    walked = as_convolution(projection) if isinstance(projection, Pooling) else projection
    rows: _Words = witness(plan.walk, "images").weight_rows(engine, plan, walked)
    return rows[: plan.weights.depth]


def _walked(graph: Graph, engine: EnginePlan, plan: ProjectionPlan) -> Projection:
    """The projection of the graph that `plan` is made of; those from one population are told apart by their order."""
    planned = [other for other in engine.projections if (other.source, other.delay) == (plan.source, plan.delay)]
    walked = [other for other in graph.into(engine.name) if (other.source, other.delay) == (plan.source, plan.delay)]
    return walked[next(k for k, other in enumerate(planned) if other is plan)]


def _constants(engine: EnginePlan, population: Population) -> Mapping[ConstantField, _Words]:
    """What `ConstantField` says of each, ``(groups, lanes)``."""
    groups, lanes = engine.layout.groups, engine.lanes
    constants = Residual.of(population).padded(groups * lanes).constants()
    return {field: values.reshape(groups, lanes) for field, values in constants.items()}


def _memory(memory: MemoryPlan, words: _Words, field_bits: int) -> Iterable[tuple[str, str]]:
    assert words.shape == (memory.depth, memory.width // field_bits)
    if memory.banks == 1:
        return [(f"images/{memory.name}.hex", _hex(words, field_bits))]
    starts = range(0, memory.depth, memory.bank_depth)
    return [
        (f"images/{memory.name}.{bank}.hex", _hex(words[start : start + memory.bank_depth], field_bits))
        for bank, start in enumerate(starts)
    ]


def _hex(words: _Words, field_bits: int) -> str:
    """One line per word; a field keeps its low bits, since sums within a step are modulo anyway."""
    digits = -(-words.shape[1] * field_bits // 4)
    # Bits of every word, lowest first: (words, fields * bits), then packed to bytes.
    bits = (words[:, :, None] >> np.arange(field_bits)) & 1
    packed = np.packbits(bits.reshape(len(words), -1).astype(np.uint8), axis=1, bitorder="little")
    text = packed[:, ::-1].tobytes().hex()
    line = 2 * packed.shape[1]
    return "".join(text[start + line - digits : start + line] + "\n" for start in range(0, len(text), line))
