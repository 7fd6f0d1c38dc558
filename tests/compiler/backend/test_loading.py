"""The load image holds what memory images would, in the order of the loader."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.compiler.backend.images import memory_images
from snnc.compiler.backend.loading import with_load_image
from snnc.compiler.build.folder import LOAD_IMAGE
from tests.compiler.networks import random_design
from tests.networks import in_spram


@pytest.mark.parametrize(
    ("sizes", "lanes", "bits", "memories"),
    [
        ((40, 24, 6), (8, 6), 4, 2),  # two chunks each; the readout's second one has 8 bits
        ((30, 40, 5), (5, 5), 3, 2),  # one chunk of 15 bits: no whole hexadecimal digits
        ((8200, 5, 4), (2, 4), 4, 1),  # 24,600 rows: banks; the readout is tiny
    ],
)
def test_the_load_image_is_every_row_in_chunks(sizes, lanes, bits, memories):
    design = random_design(sizes, lanes=lanes, weight_bits=bits)
    plan = in_spram(design).complete_plan
    images = memory_images(plan, design.graph)
    found = with_load_image(plan, images)
    assert len(plan.loaded) == memories
    words = [int(line, 16) for line in found[LOAD_IMAGE].split()]
    assert all(len(line) == 4 for line in found[LOAD_IMAGE].split())
    assert len(words) == plan.load_words

    position = 0
    for engine, layer in zip(plan.engines, design.graph.projections, strict=True):
        (projection,) = engine.projections
        if projection.weights not in plan.loaded:
            continue
        memory = projection.weights
        rows = np.array(words[position : position + memory.depth * memory.chunks]).reshape(memory.depth, memory.chunks)
        position += rows.size
        for address, neuron in (
            (0, 0),
            (1, engine.neurons - 1),
            (projection.source_layout.neurons - 1, engine.lanes - 1),
        ):
            word, lane = divmod(neuron, engine.lanes)
            row = sum(int(chunk) << 16 * k for k, chunk in enumerate(rows[address * projection.row_stride + word]))
            field = row >> lane * projection.weight_bits & 2**projection.weight_bits - 1
            assert field == layer.weight[neuron, address] % 2**projection.weight_bits
    assert position == len(words)
    assert set(images) - set(found) == {
        f"images/{memory.name}{bank}.hex"
        for memory in plan.loaded
        for bank in ([""] if memory.banks == 1 else [f".{k}" for k in range(memory.banks)])
    }


def test_without_spram_there_is_none():
    design = random_design((64, 32, 10))
    images = memory_images(design.complete_plan, design.graph)
    assert with_load_image(design.complete_plan, images) == images
