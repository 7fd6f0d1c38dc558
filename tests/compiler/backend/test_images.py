"""Memory images, decoded again by hand."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.compiler.backend.images import memory_images
from snnc.compiler.design import Options
from snnc.compiler.ir import Encoding, Initial, IntegrateAndFire
from snnc.compiler.pipeline import passes_before, run_passes
from snnc.compiler.plan import MemoryKind, MemoryPlan
from tests.compiler.networks import design_of, random_design
from tests.networks import integer_chain


def words(images, memory: MemoryPlan, bits: int) -> np.ndarray:
    """Signed fields of a memory, ``(depth, fields)``, banks joined."""
    names = [f"images/{memory.name}.hex"]
    if memory.banks > 1:
        names = [f"images/{memory.name}.{bank}.hex" for bank in range(memory.banks)]
    lines = [line for name in names for line in images[name].split("\n")[:-1]]
    assert all(len(line) == -(-memory.width // 4) for line in lines)
    assert len(lines) == memory.depth
    return np.array([fields(int(line, 16), bits, memory.width // bits) for line in lines])


def fields(word: int, bits: int, count: int) -> list[int]:
    assert word < 1 << (bits * count)
    values = [(word >> (bits * index)) & ((1 << bits) - 1) for index in range(count)]
    return [value - (1 << bits) if value >> (bits - 1) else value for value in values]


@pytest.mark.parametrize(
    ("sizes", "lanes", "encoding"),
    [
        ((64, 32, 10), (16, 10), Encoding.EVENTS),
        ((30, 21, 7), (8, 3), Encoding.DIRECT),  # padded lanes
        ((100, 100, 5), (16, 4), Encoding.EVENTS),  # membranes in block RAM
        ((784, 32, 10), (16, 10), Encoding.DIRECT),  # banks
    ],
    ids=str,
)
def test_images_hold_the_network(sizes, lanes, encoding):
    design = random_design(sizes, lanes=lanes, encoding=encoding, device="hx8k")
    plan, graph = design.complete_plan, design.graph
    images = memory_images(plan, graph)
    used = set()
    for engine, layer, projection in zip(plan.engines, graph.layers, graph.projections, strict=True):
        (walked,) = engine.projections
        weights = words(images, walked.weights, walked.weight_bits)
        rows = weights.reshape(walked.source_layout.neurons, walked.row_stride, engine.lanes)
        for neuron in range(engine.words * engine.lanes):
            word, lane = divmod(neuron, engine.lanes)
            expected = projection.weight[neuron] if neuron < engine.neurons else 0
            assert (rows[:, word, lane] == expected).all()
        assert not rows[:, engine.words :].any()

        spiking = engine.population.fires
        constants = words(images, engine.constants, engine.residual_bits)
        count = engine.words * engine.lanes
        groups = [constants[:, k : k + engine.lanes].reshape(-1) for k in range(0, constants.shape[1], engine.lanes)]
        bias = np.zeros(count, np.int64)
        bias[: engine.neurons] = layer.bias
        if not spiking:
            assert np.array_equal(groups[0], bias)
            continue
        assert isinstance(layer.neuron, IntegrateAndFire)
        threshold = np.ones(count, np.int64)
        threshold[: engine.neurons] = layer.neuron.threshold
        assert np.array_equal(groups[0], bias - threshold)
        assert np.array_equal(groups[1], bias)
        if engine.membrane.kind is MemoryKind.EBR:
            assert np.array_equal(groups[2], bias - threshold)
        else:
            name = f"images/{engine.name}.initial.hex"
            (line,) = images[name].split()
            assert fields(int(line, 16), engine.residual_bits, count) == (bias - threshold).tolist()
            used.add(name)
    listed = {name.rsplit(".", 2 if name.split(".")[-2].isdigit() else 1)[0] for name in images} - {
        name.removesuffix(".hex") for name in used
    }
    assert listed == {f"images/{memory.name}" for engine in plan.engines for memory in engine.memories} - {
        # What changes at run time has no contents.
        f"images/{engine.name}.{kind}"
        for engine in plan.engines
        for kind in ("membrane", "current", "queue")
    }


def test_half_thresholds_start_half_way():
    graph = integer_chain([[[1], [2], [3]], [[1, 1, 1]]], [[5, 6, 1]], [[0, -1, 2], [0]], initial=Initial.HALF)
    design = run_passes(design_of(graph, options=Options(lanes=(4, 1))), passes_before("emit"))
    engine = design.complete_plan.engines[0]
    (line,) = memory_images(design.complete_plan, design.graph)["images/hidden0.initial.hex"].split()
    expected = [2 + 0 - 5, 3 - 1 - 6, 0 + 2 - 1, -1]
    assert fields(int(line, 16), engine.residual_bits, 4) == expected
