"""What has no hardware of its own, rewritten: the same integers, in a form that is built."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.compiler.design import Options
from snnc.compiler.errors import FitError, UnsupportedError
from snnc.compiler.formats.random_network import RandomNetwork, random_graph
from snnc.compiler.ir import (
    Convolution,
    Dense,
    Encoding,
    Graph,
    InputSource,
    Level,
    Pooling,
    Population,
    Projection,
    Readout,
    Shape,
    frozen,
    target_shape,
    verify,
)
from snnc.compiler.passes import lower as module
from snnc.compiler.passes.bound import bound
from snnc.compiler.passes.lower import WEIGHTS_LIMIT, lower, lowered
from snnc.compiler.passes.schedule import schedule
from snnc.compiler.targets import TARGETS, load_target
from snnc.sim.models import golden
from tests.compiler.networks import design_of
from tests.networks import Conv, Full, Pool, spatial_chain
from tests.strategies import STEPS, integer_networks, integers, projections_from


def inputs_of(graph: Graph, generator: np.random.Generator, samples: int = 4) -> Any:
    if graph.source.encoding is Encoding.DIRECT:
        return generator.integers(0, 2**graph.source.bits, (samples, graph.input.size))
    return generator.random((graph.time_steps, samples, graph.input.size)) < 0.4


def check_equal(graph: Graph, seed: int) -> Graph:
    """The lowered graph, which does in every step what `graph` does."""
    rewritten, said = lowered(graph)
    verify(rewritten)
    assert (rewritten is graph) == (not said)
    inputs = inputs_of(graph, np.random.default_rng(seed))
    before, after = (golden.run(network, inputs, time_steps=graph.time_steps) for network in (graph, rewritten))
    for name, trace in before.populations.items():
        np.testing.assert_array_equal(after.populations[name].spikes, trace.spikes, name)
        np.testing.assert_array_equal(after.populations[name].membranes, trace.membranes, name)
    np.testing.assert_array_equal(after.logits, before.logits)
    return rewritten


def check_built(graph: Graph) -> None:
    """The invariant of the pass."""
    readout, pixels = graph.readout, graph.source.encoding is Encoding.DIRECT
    assert readout.size == readout.channels
    assert all(isinstance(projection, Dense) for projection in graph.into(readout.name))
    assert not graph.out_of(readout.name)
    heard = graph.out_of(graph.input.name)
    if pixels:
        assert all(isinstance(projection, Pooling | Dense) or projection.pool == 1 for projection in heard)
    else:
        assert [projection.delay for projection in heard] == [0]
        assert all(any(p.delay == 0 for p in graph.into(layer.name)) for layer in graph.layers)


def check_scheduled(graph: Graph) -> None:
    """`schedule` refuses nothing; with lanes, which it then need not search."""
    schedule(bound(design_of(graph, options=Options(lanes=(1,) * len(graph.layers)))))


@settings(max_examples=100)
@given(graph=integer_networks(), seed=st.integers(0, 2**32 - 1))
def test_every_network_stays_what_it_computes(graph: Graph, seed: int) -> None:
    rewritten = check_equal(graph, seed)
    check_built(rewritten)
    assert lowered(rewritten) == (rewritten, ())
    if graph.source.encoding is Encoding.DIRECT:
        # Of pixels some things are refused.
        with contextlib.suppress(UnsupportedError):
            check_scheduled(rewritten)
    else:
        check_scheduled(rewritten)


@st.composite
def readouts_alone(draw: st.DrawFn) -> Graph:
    """One projection of any kind, from an input of any kind into a readout of the shape that it gives."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    encoding = draw(st.sampled_from(Encoding))
    size = draw(st.sampled_from([1, 2, 3, 4, 6, 8])), draw(st.sampled_from([1, 2, 4, 6, 9]))
    shape = draw(st.integers(1, 4)), *size
    projection, form = draw(projections_from("input", shape, "readout", generator))
    return network_of(projection, shape, form, encoding, integers(-9, 9, form[:1], generator))


def network_of(projection: Projection, shape: Shape, form: Shape, encoding: Encoding, bias: Any) -> Graph:
    source = InputSource(encoding=encoding, bits=1 if encoding is Encoding.EVENTS else 3)
    return Graph(
        name="one",
        level=Level.INTEGER,
        populations=(
            Population(name="input", shape=shape, neuron=source, bias=frozen(np.zeros(shape[0], np.int64))),
            Population(name="readout", shape=form, neuron=Readout(), bias=bias),
        ),
        projections=(projection,),
        time_steps=STEPS,
    )


@settings(max_examples=200)
@given(graph=readouts_alone(), seed=st.integers(0, 2**32 - 1))
def test_every_projection_into_a_readout_is_written_out(graph: Graph, seed: int) -> None:
    check_built(check_equal(graph, seed))


@settings(max_examples=60)
@given(
    weights=st.lists(st.integers(-(2**20), 2**20), min_size=3, max_size=3),
    shift=st.integers(0, 2),
    kernel=st.sampled_from([(1, 1), (2, 2), (1, 2)]),
    stride=st.sampled_from([(1, 1), (2, 2)]),
)
def test_wide_weights_of_a_pooling_are_shared_out(weights, shift, kernel, stride) -> None:
    stride = tuple(min(pair) for pair in zip(kernel, stride, strict=True))
    graph = pooling_into_readout(weights, kernel=kernel, stride=stride, shift=shift)
    rewritten = check_equal(graph, 0)
    check_built(rewritten)


def pooling_into_readout(weights: list[int], **fields: Any) -> Graph:
    pooling = Pooling(source="input", target="readout", weight=frozen(np.array(weights, np.int64)), **fields)
    shape = len(weights), 4, 6
    form = target_shape(pooling, shape)
    assert form is not None
    return network_of(pooling, shape, form, Encoding.EVENTS, frozen(np.arange(len(weights))))


def test_a_pooling_is_written_out_over_its_windows_and_without_spare_bits() -> None:
    graph, _ = lowered(pooling_into_readout([1 << 12, 3 << 13], kernel=(2, 2), stride=(2, 2)))
    (dense,) = graph.projections
    assert isinstance(dense, Dense)
    assert (dense.pool, dense.shift, dense.bits, dense.weight.shape) == (2, 12, 4, (12, 12))
    assert sorted(np.unique(dense.weight)) == [0, 1, 6]


def test_weights_that_no_shift_reaches_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="weights need 25 bits; 23 are the most that is built"):
        lowered(pooling_into_readout([1, 2**24], kernel=(1, 1), stride=(1, 1)))


@pytest.mark.parametrize("seed", range(20))
def test_pooled_pixels(seed: int) -> None:
    """Kernels, strides, dilation, padding and groups of a layer that fires."""
    generator = np.random.default_rng(seed)
    pool = int(generator.integers(2, 4))
    height, width = (pool * int(size) for size in generator.integers(3, 7, 2))
    kernel, dilation, stride = (tuple(int(n) for n in generator.integers(1, 4, 2)) for _ in range(3))
    extents = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    least = [max(0, -(-(e - n // pool) // 2)) for e, n in zip(extents, (height, width), strict=True)]
    padding = tuple(int(generator.integers(low, e)) for low, e in zip(least, extents, strict=True))
    groups = int(generator.integers(1, 3))
    layer: Any = Conv(
        channels=2 * groups,
        kernel=(kernel[0], kernel[1]),
        stride=(stride[0], stride[1]),
        dilation=(dilation[0], dilation[1]),
        groups=groups,
        pool=pool,
    )
    if seed % 4 == 0:
        layer = Full(shape=(5, 1, 1), pool=pool)
    else:
        layer = dataclasses.replace(layer, padding=padding)
    graph = spatial_chain(
        (2, height, width), [layer, Full(shape=(3, 1, 1))], encoding=Encoding.DIRECT, bits=1 + seed % 5, seed=seed
    )
    rewritten = check_equal(graph, seed)
    check_built(rewritten)
    check_scheduled(rewritten)


def branched(encoding: Encoding = Encoding.EVENTS) -> Graph:
    """Two layers that hear the input, one of them late, and a readout that hears it, too."""
    chain = spatial_chain((2, 6, 6), [Conv(channels=3), Conv(channels=4), Full(shape=(5, 1, 1))], encoding=encoding)
    generator = np.random.default_rng(1)
    beside = (
        Convolution(
            source="input",
            target="hidden1",
            weight=frozen(generator.integers(-7, 8, (4, 2, 1, 1))),
            bits=4,
            delay=1,
        ),
        Dense(source="input", target="readout", weight=frozen(generator.integers(-7, 8, (5, 18))), bits=4, pool=2),
    )
    return dataclasses.replace(chain, projections=(*chain.projections, *beside))


@pytest.mark.parametrize("encoding", [Encoding.EVENTS, Encoding.RATE])
def test_an_input_that_branches_is_repeated(encoding: Encoding) -> None:
    graph = branched(encoding)
    rewritten = check_equal(graph, 3)
    assert [population.name for population in rewritten.populations[:2]] == ["input", "input_relay"]
    inputs = inputs_of(graph, np.random.default_rng(4))
    relay = golden.run(rewritten, inputs, time_steps=graph.time_steps).populations["input_relay"]
    np.testing.assert_array_equal(relay.spikes, inputs)
    assert not relay.membranes.any()


def test_the_relay_gets_a_name_that_is_free() -> None:
    graph = branched()
    graph = renamed(renamed(graph, "hidden0", "input_relay"), "hidden1", "input_relay2")
    assert check_equal(graph, 5).populations[1].name == "input_relay3"


def renamed(graph: Graph, name: str, to: str) -> Graph:
    def new(known: str) -> str:
        return to if known == name else known

    return dataclasses.replace(
        graph,
        populations=tuple(dataclasses.replace(p, name=new(p.name)) for p in graph.populations),
        projections=tuple(
            dataclasses.replace(p, source=new(p.source), target=new(p.target)) for p in graph.projections
        ),
    )


def test_an_input_with_a_delay_is_repeated() -> None:
    chain = random_graph(RandomNetwork(architecture="8-4-2"))
    late = dataclasses.replace(chain.projections[0], delay=2)
    rewritten = check_equal(dataclasses.replace(chain, projections=(late, chain.projections[1])), 6)
    assert [(p.source, p.target, p.delay) for p in rewritten.projections] == [
        ("input", "input_relay", 0),
        ("input_relay", "hidden0", 2),
        ("hidden0", "readout", 0),
        ("input_relay", "hidden0", 0),
    ]


def delayed(layers: list[Conv | Full | Pool], encoding: Encoding = Encoding.EVENTS) -> Graph:
    """A chain whose layers hear everything late, but for the first one."""
    chain = spatial_chain((2, 6, 6), layers, encoding=encoding)
    late = [dataclasses.replace(projection, delay=1 + k % 2) for k, projection in enumerate(chain.projections[1:])]
    return dataclasses.replace(chain, projections=(chain.projections[0], *late))


@pytest.mark.parametrize("encoding", list(Encoding))
def test_layers_that_hear_everything_late_keep_in_step(encoding: Encoding) -> None:
    graph = delayed([Conv(channels=4), Conv(channels=6, stride=(2, 2)), Full(shape=(5, 1, 1))], encoding)
    rewritten = check_equal(graph, 7)
    check_built(rewritten)
    first, second = rewritten.projections[-2:]
    # A depthwise kernel in front of a convolution; pooled in front of a dense readout, from the smaller source.
    assert (first.source, first.weight.shape, first.delay) == ("hidden0", (6, 2, 1, 1), 0)
    assert (second.source, second.weight.shape, second.delay) == ("hidden1", (5, 6), 0)
    assert not first.weight.any()
    assert not second.weight.any()


def test_a_readout_is_heard_by_nobody() -> None:
    chain = random_graph(RandomNetwork(architecture="8-4-2"))
    back = Dense(source="readout", target="hidden0", weight=frozen(np.ones((4, 2), np.int64)), bits=2, delay=1)
    rewritten = check_equal(dataclasses.replace(chain, projections=(*chain.projections, back)), 8)
    assert rewritten.projections == chain.projections


@pytest.mark.parametrize("encoding", list(Encoding))
def test_a_network_that_is_built_as_it_is_passes_as_the_same_object(encoding: Encoding) -> None:
    chain = spatial_chain((2, 6, 6), [Conv(channels=4), Full(shape=(5, 1, 1), pool=2)], encoding=encoding)
    design = lower(design_of(chain))
    assert design.graph is chain
    assert design.rewrites == ()


def test_what_was_rewritten_is_said() -> None:
    chain = spatial_chain((2, 8, 8), [Conv(channels=4, pool=2), Conv(channels=3)], encoding=Encoding.DIRECT)
    assert lower(design_of(chain)).rewrites == (
        "What the readout 'readout' hears of 'hidden0' is dense: 3,072 weights instead of 108.",
        "The readout 'readout' is flat: 48 neurons instead of 3 x 4 x 4.",
        "What layer 'hidden0' hears of pixels is not pooled: 288 weights of single pixels instead of 72 of windows of "
        "2 x 2.",
    )
    assert lower(design_of(branched())).rewrites == (
        "Layer 'input_relay', 2 x 6 x 6 neurons, repeats the spikes of 'input', which one projection can hear, without "
        "a delay.",
    )
    assert lower(design_of(delayed([Conv(channels=4), Conv(channels=6), Full(shape=(5, 1, 1))]))).rewrites[0] == (
        "Layer 'hidden1', which hears all else with a delay, keeps in step with 'hidden0' through 12 weights of 0."
    )


def far(graph: Graph, sizes: dict[str, Shape]) -> Graph:
    """`graph` with other shapes, of which nothing but a count is ever asked."""
    return dataclasses.replace(
        graph,
        populations=tuple(
            dataclasses.replace(population, shape=sizes.get(population.name, population.shape))
            for population in graph.populations
        ),
    )


def zeros(*shape: int) -> Any:
    return np.broadcast_to(np.zeros((), np.int64), shape)


@pytest.mark.parametrize(
    ("projection", "readout", "encoding", "named"),
    [
        (
            Convolution(source="input", target="readout", weight=zeros(2, 1, 1, 1), bits=2),
            (2, 4096, 4096),
            Encoding.EVENTS,
            "Layer 'readout' is a readout behind a convolution, of which every synapse from 'input' needs a weight of "
            "its own: 562,949,953,421,312 weights; 4,194,304 are the most. Average over windows of its source (pool), ",
        ),
        (
            Pooling(source="input", target="readout", weight=zeros(1), kernel=(1, 1), stride=(1, 1)),
            (1, 4096, 4096),
            Encoding.EVENTS,
            "Layer 'readout' is a readout behind a pooling, of which ",
        ),
    ],
)
def test_what_would_take_too_many_weights_is_refused_before_they_are_made(projection, readout, encoding, named):
    graph = network_of(projection, (1, 4096, 4096), readout, encoding, frozen(np.zeros(readout[0], np.int64)))
    with pytest.raises(FitError, match=re.escape(named)):
        lowered(graph)


def test_pixels_under_a_huge_kernel_are_refused():
    kernel = Convolution(
        source="input", target="readout", weight=zeros(1, 1, 2, 2), dilation=(500, 500), pool=4, bits=2
    )
    with pytest.raises(FitError, match=re.escape("pools pixels, each of which needs a weight of its own: 8,032,032 ")):
        module._of_single_pixels(dataclasses.replace(kernel, weight=zeros(2, 1, 2, 2)))


def test_layers_too_large_to_keep_in_step_are_refused():
    late = Dense(source="hidden0", target="hidden1", weight=zeros(3000, 3000), bits=2, delay=1)
    chain = random_graph(RandomNetwork(architecture="4-2-2-2"))
    wide = {"hidden0": (3000, 1, 1), "hidden1": (3000, 1, 1)}
    graph = far(dataclasses.replace(chain, projections=(chain.projections[0], late, chain.projections[2])), wide)
    with pytest.raises(FitError, match=re.escape("Layer 'hidden1' hears nothing without a delay, and needs weights")):
        lowered(graph)


def test_no_device_holds_what_is_refused():
    """At two bits, the least that a weight is stored in."""
    for device in (device for name in TARGETS for device in load_target(name).devices.values()):
        blocks = device.block_rams * device.block_ram_bits
        assert blocks + device.spram_blocks * 2**18 < 2 * WEIGHTS_LIMIT, device.name


def test_ones_and_zeros_are_ternary():
    """A weight of one bit is -1 or 1: where there are zeros between, it has two."""
    chain = spatial_chain(
        (1, 12, 12),
        [Conv(channels=2, kernel=(2, 2), padding=(0, 0), dilation=(2, 2), pool=2), Full(shape=(3, 1, 1))],
        encoding=Encoding.DIRECT,
    )
    trained = chain.projections[0]
    assert isinstance(trained, Convolution)
    binary = dataclasses.replace(trained, weight=frozen(np.ones((2, 1, 2, 2), np.int64)), bits=1)
    graph = dataclasses.replace(chain, projections=(binary, chain.projections[1]))
    rewritten = check_equal(graph, 9).projections[0]
    assert isinstance(rewritten, Convolution)
    assert (rewritten.bits, rewritten.kernel, rewritten.dilation) == (2, (6, 6), (1, 1))
