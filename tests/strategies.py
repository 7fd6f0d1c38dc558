"""Random integer networks of every kind that the contract has."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from snnc.compiler.ir import (
    Convolution,
    Dense,
    Encoding,
    Exit,
    Graph,
    Initial,
    InputSource,
    IntegrateAndFire,
    Level,
    Pooling,
    Population,
    Projection,
    Readout,
    Reset,
    Shape,
    target_shape,
)

__all__ = ["STEPS", "integer_networks", "integers", "projections_from"]

STEPS = 5


def integers(low: int, high: int, shape: tuple[int, ...], generator: np.random.Generator) -> Any:
    return generator.integers(low, high, size=shape, endpoint=True, dtype=np.int64)


def _weights(draw: st.DrawFn, shape: tuple[int, ...], generator: np.random.Generator) -> dict[str, Any]:
    bits = draw(st.sampled_from([1, 2, 4]))
    if bits == 1:
        return {"bits": 1, "weight": 2 * integers(0, 1, shape, generator) - 1}
    return {"bits": bits, "weight": integers(1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1, shape, generator)}


def _divisor(draw: st.DrawFn, *numbers: int) -> int:
    return draw(st.sampled_from([n for n in range(1, min(numbers) + 1) if not any(number % n for number in numbers)]))


@st.composite
def projections_from(
    draw: st.DrawFn, source: str, shape: Shape, target: str, generator: np.random.Generator
) -> tuple[Projection, Shape]:
    """A projection of any kind, and the shape that its target then has."""
    common: dict[str, Any] = {
        "source": source,
        "target": target,
        "shift": draw(st.integers(0, 2)),
        "delay": draw(st.integers(0, 2)),
    }
    channels, height, width = shape
    kind = draw(st.sampled_from([Dense, Convolution, Convolution, Pooling]))
    if kind is Pooling:
        kernel = draw(st.integers(1, height)), draw(st.integers(1, width))
        stride = _divisor_or_any(draw, height - kernel[0]), _divisor_or_any(draw, width - kernel[1])
        pooling = Pooling(**common, weight=integers(-9, 9, (channels,), generator), kernel=kernel, stride=stride)
        return pooling, _reached(pooling, shape)
    pool = _divisor(draw, height, width)
    height, width = height // pool, width // pool
    if kind is Dense:
        reached = draw(st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 2)))
        sizes = reached[0] * reached[1] * reached[2], channels * height * width
        return Dense(**common, **_weights(draw, sizes, generator), pool=pool), reached
    groups = _divisor(draw, channels)
    kernel = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    dilation = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    padding = []
    for size, k, d in zip((height, width), kernel, dilation, strict=True):
        extent = d * (k - 1) + 1
        padding.append(draw(st.integers(max(0, -(-(extent - size) // 2)), extent - 1)))
    weights = _weights(draw, (groups * draw(st.integers(1, 2)), channels // groups, *kernel), generator)
    convolution = Convolution(
        **common,
        **weights,
        stride=(draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        padding=(padding[0], padding[1]),
        dilation=dilation,
        groups=groups,
        pool=pool,
    )
    return convolution, _reached(convolution, shape)


def _divisor_or_any(draw: st.DrawFn, rest: int) -> int:
    return _divisor(draw, rest) if rest else draw(st.integers(1, 3))


def _reached(projection: Projection, shape: Shape) -> Shape:
    reached = target_shape(projection, shape)
    assert reached is not None
    return reached


def _exits(time_steps: int, scale: int) -> st.SearchStrategy[Exit | None]:
    """None, or a margin that some samples have, asked after any steps."""
    steps = st.sets(st.integers(1, time_steps - 1), min_size=1).map(lambda found: tuple(sorted(found)))
    return st.none() | st.builds(Exit, margin=st.integers(1, 8 * scale), steps=steps)


@st.composite
def integer_networks(draw: st.DrawFn, *, time_steps: int = STEPS, exits: bool = True) -> Graph:
    """Chains, branches that join, identities, loops, delays; every kind of projection and neuron model; exits."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    encoding = draw(st.sampled_from(Encoding))
    bits = draw(st.integers(1, 8)) if encoding is Encoding.DIRECT else 1
    scale = 2**bits - 1
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6)))
    populations = [
        Population(
            name="input",
            shape=shape,
            neuron=InputSource(encoding=encoding, bits=bits),
            bias=np.zeros(shape[0], dtype=np.int64),
        )
    ]
    projections: list[Projection] = []
    hidden = draw(st.integers(0, 3))
    for index in range(hidden + 1):
        name = "readout" if index == hidden else f"layer{index}"
        before = populations[-1] if draw(st.booleans()) else draw(st.sampled_from(populations))
        projection, form = draw(projections_from(before.name, before.shape, name, generator))
        projections.append(projection)
        bias = integers(-3 * scale, 3 * scale, form[:1], generator)
        if name == "readout":
            leak = draw(st.sampled_from([None, None, 0, 2, 70]))
            populations.append(Population(name=name, shape=form, neuron=Readout(leak_shift=leak), bias=bias))
            break
        reset = draw(st.sampled_from(Reset))
        other = reset is Reset.SOFT and draw(st.booleans())
        neuron = IntegrateAndFire(
            threshold=integers(1, 10 * scale, form[:1], generator),
            reset=reset,
            subtracted=integers(1, 12 * scale, form[:1], generator) if other else None,
            initial=draw(st.sampled_from(Initial)),
            leak_shift=draw(st.sampled_from([None, 0, 1, 3, 70])),
            floor=integers(-5 * scale, 2, form[:1], generator) if draw(st.booleans()) else None,
        )
        populations.append(Population(name=name, shape=form, neuron=neuron, bias=bias))
    for _ in range(draw(st.integers(0, 3))):
        start, end = draw(st.integers(0, hidden)), draw(st.integers(1, hidden + 1))
        source, target = populations[start], populations[end]
        common: dict[str, Any] = {
            "source": source.name,
            "target": target.name,
            "shift": draw(st.integers(0, 2)),
            "delay": draw(st.integers(0 if start < end else 1, 3)),
        }
        choices: list[type[Projection]] = [Dense]
        if source.shape == target.shape:
            choices.append(Pooling)
        if source.shape[1:] == target.shape[1:]:
            choices.append(Convolution)
        kind = draw(st.sampled_from(choices))
        if kind is Pooling:
            weight = integers(-9, 9, source.shape[:1], generator)
            projections.append(Pooling(**common, weight=weight, kernel=(1, 1), stride=(1, 1)))
        elif kind is Convolution:
            weights = _weights(draw, (target.shape[0], source.shape[0], 3, 3), generator)
            projections.append(Convolution(**common, **weights, padding=(1, 1)))
        else:
            projections.append(Dense(**common, **_weights(draw, (target.size, source.size), generator)))
    return Graph(
        name="random",
        level=Level.INTEGER,
        populations=tuple(populations),
        projections=tuple(draw(st.permutations(projections))),
        time_steps=time_steps,
        exit=draw(_exits(time_steps, scale)) if exits and populations[-1].size > 1 else None,
    )
