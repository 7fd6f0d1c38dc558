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

from snnc.compiler.ir import Graph, Initial, IntegrateAndFire, Population
from snnc.compiler.plan import EngineKind, EnginePlan, MemoryKind, MemoryPlan, Plan, ProjectionPlan

__all__ = ["memory_images"]

_Words: TypeAlias = npt.NDArray[np.int64]
"""Fields of memory words: ``(words, fields)``."""


def memory_images(plan: Plan, graph: Graph) -> Mapping[str, str]:
    """Texts of all images by file name, relative to the build folder."""
    images: dict[str, str] = {}
    for engine in plan.engines:
        population = graph.population(engine.name)
        (projection,) = engine.projections
        weight = next(item.weight for item in graph.into(engine.name) if item.source == projection.source)
        images |= _memory(projection.weights, _weight_words(engine, projection, weight), projection.weight_bits)
        fire, bias, initial = _constants(engine, population)
        if engine.kind is EngineKind.READOUT:
            images |= _memory(engine.constants, bias, engine.residual_bits)
            continue
        fields = [fire, bias]
        if engine.membrane.kind is MemoryKind.EBR:
            fields.append(initial)
        else:
            # A ring is restored all at once: one number holds every word.
            everything = initial.reshape(1, -1)
            images[f"images/{engine.name}.initial.hex"] = _hex(everything, engine.residual_bits)
        images |= _memory(engine.constants, np.concatenate(fields, axis=1), engine.residual_bits)
    return images


def _weight_words(engine: EnginePlan, projection: ProjectionPlan, weight: npt.NDArray[np.generic]) -> _Words:
    """Row ``address * row_stride + word`` holds the weights of neurons ``word * lanes ..``."""
    padded = np.zeros((projection.addresses, engine.words * engine.lanes), np.int64)
    padded[:, : engine.neurons] = weight.T
    rows = np.zeros((projection.addresses, projection.row_stride, engine.lanes), np.int64)
    rows[:, : engine.words] = padded.reshape(projection.addresses, engine.words, engine.lanes)
    return rows.reshape(-1, engine.lanes)[: projection.weights.depth]


def _constants(engine: EnginePlan, population: Population) -> tuple[_Words, _Words, _Words]:
    """``bias - threshold``, ``bias`` and the initial residual, each ``(words, lanes)``."""
    match population.neuron:
        case IntegrateAndFire() as neuron:
            threshold = neuron.threshold.astype(np.int64)
            start = threshold >> 1 if neuron.initial is Initial.HALF else np.zeros_like(threshold)
        case _:
            threshold = np.ones(population.channels, np.int64)
            start = np.zeros(population.channels, np.int64)
    per_channel = population.size // population.channels
    padded = []
    for values, padding in ((threshold, 1), (population.bias, 0), (start, 0)):
        full = np.full(engine.words * engine.lanes, padding, np.int64)
        full[: engine.neurons] = np.repeat(values, per_channel)
        padded.append(full.reshape(engine.words, engine.lanes))
    threshold_words, bias, start_words = padded
    return bias - threshold_words, bias, start_words + bias - threshold_words


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
