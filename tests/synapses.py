"""Every synapse of a projection, one by one: the contract's sums a second time, as slow and plain as can be."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from snnc.compiler.ir import Convolution, Dense, Graph, Pooling, Projection

__all__ = ["synapses"]


def synapses(graph: Graph, projection: Projection, n: int) -> Iterator[tuple[int, int]]:
    """Weight and source neuron of every synapse of a projection that ends in neuron `n`."""
    _, height, width = graph.population(projection.source).shape
    outputs, rows, columns = graph.population(projection.target).shape
    o, y, x = n // (rows * columns), n // columns % rows, n % columns

    def flat(c: int, h: int, w: int) -> int:
        return (c * height + h) * width + w

    match projection:
        case Dense(weight=weight, pool=q):
            for m in range(graph.population(projection.source).size):
                c, h, w = m // (height * width), m // width % height, m % width
                yield int(weight[n, (c * (height // q) + h // q) * (width // q) + w // q]), m
        case Convolution(weight=weight, pool=q):
            _, channels, kernel_height, kernel_width = weight.shape
            for i, u, v in itertools.product(range(channels), range(kernel_height), range(kernel_width)):
                c = o // (outputs // projection.groups) * channels + i
                h = y * projection.stride[0] + u * projection.dilation[0] - projection.padding[0]
                w = x * projection.stride[1] + v * projection.dilation[1] - projection.padding[1]
                if 0 <= h < height // q and 0 <= w < width // q:
                    for a, b in itertools.product(range(q), repeat=2):
                        yield int(weight[o, i, u, v]), flat(c, q * h + a, q * w + b)
        case Pooling(weight=weight):
            for u, v in itertools.product(range(projection.kernel[0]), range(projection.kernel[1])):
                yield int(weight[o]), flat(o, y * projection.stride[0] + u, x * projection.stride[1] + v)
