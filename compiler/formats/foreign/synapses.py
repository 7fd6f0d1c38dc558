"""Linear nodes one after another become one set of synapses.

A path leads from a population to a place in the network: `Path.then` adds the next linear node. Shapes are
``(C, H, W)`` and flat indices are those of ``docs/semantics.md``, so that a flattening changes nothing.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

import numpy as np

from snnc.compiler.errors import CheckpointError
from snnc.compiler.formats.foreign.findings import RefusalError
from snnc.compiler.formats.foreign.nodes import Affine, ChannelAffine, Convolve, Floats, Pass, Pool, Wait
from snnc.compiler.ir import Convolution, Dense, Pair, Pooling, Projection, Shape, frozen

__all__ = ["Linear", "Path", "constant_after", "per_channel", "shape_after"]

Linear: TypeAlias = Pass | Wait | Affine | Convolve | ChannelAffine | Pool

_Weights: TypeAlias = Affine | Convolve | ChannelAffine

_KERNEL_LIMIT: Final = 2**10
_DELAY_LIMIT: Final = 2**16
_NEURONS_LIMIT: Final = 2**22

_MERGE: Final = "Multiply the two into one before the export, or put neurons between them."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Path:
    """All that lies between a population and a place behind it.

    Attributes
    ----------
    source, source_shape
        The population's name in the source network, and its shape.
    delay
        Steps.
    pool
        Side of the windows over which the source is summed first.
    weights
        A dense or convolutional node's own, or one factor per channel of the (pooled) source.
    """

    source: str
    source_shape: Shape
    weights: _Weights
    delay: int = 0
    pool: int = 1
    shape: Shape

    @classmethod
    def begin(cls, source: str, shape: Shape) -> Path:
        """What a population gives."""
        return cls(source=source, source_shape=shape, weights=ChannelAffine(scale=np.ones(shape[0])), shape=shape)

    @property
    def plain(self) -> bool:
        """The source's spikes themselves."""
        return self.pool == 1 and isinstance(self.weights, ChannelAffine) and bool((self.weights.scale == 1).all())

    def then(self, node: Linear) -> Path:
        """The path through one more node, whose bias is left to `constant_after`.

        Raises
        ------
        RefusalError
            The two together are no projection.
        """
        shape = shape_after(node, self.shape)
        match node:
            case Pass():
                return self
            case Wait(steps=steps):
                if self.delay + steps > _DELAY_LIMIT:
                    raise RefusalError(f"it delays by {self.delay + steps} steps; {_DELAY_LIMIT} are the most.")
                return dataclasses.replace(self, delay=self.delay + steps)
            case ChannelAffine(scale=scale):
                return dataclasses.replace(self, weights=_scaled(self.weights, scale, self.shape))
            case Affine(weight=weight):
                return dataclasses.replace(self, weights=self._dense(weight), shape=shape)
            case Convolve():
                return dataclasses.replace(self, weights=self._convolved(node), shape=shape)
            case Pool():
                return self._pooled(node, shape)
            case _ as unreachable:
                assert_never(unreachable)

    def _dense(self, weight: Floats) -> Affine:
        match self.weights:
            case ChannelAffine(scale=scale):
                return Affine(weight=weight * np.repeat(scale, math.prod(self.shape[1:])))
            case Affine(weight=before):
                return Affine(weight=weight @ before)
            case Convolve():
                raise RefusalError("a dense node follows a convolution without neurons between.", _MERGE)
            case _ as unreachable:
                assert_never(unreachable)

    def _convolved(self, node: Convolve) -> Convolve:
        if not isinstance(self.weights, ChannelAffine):
            raise RefusalError("a convolution follows another weighted node without neurons between.", _MERGE)
        inner = self.weights.scale.reshape(node.groups, 1, -1, 1, 1)
        weight = node.weight.reshape(node.groups, -1, *node.weight.shape[1:]) * inner
        return dataclasses.replace(
            node, weight=weight.reshape(node.weight.shape), padding=_padding(node), bias=None, declared=None
        )

    def _pooled(self, node: Pool, shape: Shape) -> Path:
        size = _window(node, self.shape)[0][0]
        factor = 1 / size**2 if node.average else 1.0
        match self.weights:
            case ChannelAffine(scale=scale):
                weights: ChannelAffine | Convolve = ChannelAffine(scale=scale * factor)
                return dataclasses.replace(self, weights=weights, pool=self.pool * size, shape=shape)
            case Convolve() as before:
                return dataclasses.replace(self, weights=_convolution_and_pool(before, size, factor), shape=shape)
            case Affine():
                raise RefusalError("it pools what a dense node gives.", "Fold the pooling into the dense weights.")
            case _ as unreachable:
                assert_never(unreachable)

    def projection(self, target: str, source: str, gain: Floats, *, pixels: bool) -> Projection:
        """The projection into `target`, whose currents have a factor `gain` per channel; names are those of the graph.

        Parameters
        ----------
        pixels
            The source is a direct input, of which nothing but weighted sums are built.
        """
        # The mean over a window is what `pool` means: the weights of a sum are as many times larger.
        window = self.pool**2
        match self.weights:
            case Affine(weight=weight):
                rows = np.repeat(gain, len(weight) // len(gain))[:, None]
                return Dense(
                    source=source,
                    target=target,
                    weight=frozen(weight * rows * window),
                    pool=self.pool,
                    delay=self.delay,
                )
            case Convolve() as node:
                assert node.padding is not None
                return Convolution(
                    source=source,
                    target=target,
                    weight=frozen(node.weight * gain[:, None, None, None] * window),
                    stride=node.stride,
                    padding=node.padding,
                    dilation=node.dilation,
                    groups=node.groups,
                    pool=self.pool,
                    delay=self.delay,
                )
            case ChannelAffine(scale=scale) if pixels:
                return Convolution(
                    source=source,
                    target=target,
                    weight=frozen((scale * gain * window).reshape(-1, 1, 1, 1)),
                    groups=len(scale),
                    pool=self.pool,
                    delay=self.delay,
                )
            case ChannelAffine(scale=scale):
                kernel = self.pool, self.pool
                return Pooling(
                    source=source,
                    target=target,
                    weight=frozen(scale * gain),
                    kernel=kernel,
                    stride=kernel,
                    delay=self.delay,
                )
            case _ as unreachable:
                assert_never(unreachable)


def shape_after(node: Linear, shape: Shape) -> Shape:
    """The shape that a node makes of another.

    Raises
    ------
    CheckpointError
        The node takes no input of that shape.
    RefusalError
        It takes one, but what it makes of it is not expressible.
    """
    match node:
        case Pass() | Wait():
            return shape
        case ChannelAffine(scale=scale, offset=offset):
            for values in (scale, offset):
                if values is not None:
                    per_channel(values, shape, "values")
            return shape
        case Affine(weight=weight, bias=bias):
            if weight.shape[1] != math.prod(shape):
                raise CheckpointError(f"its weights take {weight.shape[1]} inputs, but it gets {_by(shape)} of them.")
            _check_bias(bias, len(weight))
            return len(weight), 1, 1
        case Convolve():
            return _shape_convolved(node, shape)
        case Pool(padding=padding):
            kernel, stride = _window(node, shape)
            check_windows(kernel, stride, padding, shape)
            if kernel[0] != kernel[1]:
                raise RefusalError(f"its windows are {kernel[0]} x {kernel[1]}; square ones are built.", "")
            return shape[0], shape[1] // kernel[0], shape[2] // kernel[1]
        case _ as unreachable:
            assert_never(unreachable)


def check_windows(kernel: Pair, stride: Pair, padding: Pair, shape: Shape) -> None:
    """Refuse windows that overlap, are padded, or do not divide."""
    if stride != kernel or padding != (0, 0):
        raise RefusalError(
            f"its windows of {kernel[0]} x {kernel[1]} have the stride {stride[0]} x {stride[1]} and the padding "
            f"{padding[0]} x {padding[1]}; built are windows that do not overlap, without padding.",
            "Choose a stride equal to the kernel, or a convolution with stride.",
        )
    if shape[1] % kernel[0] or shape[2] % kernel[1]:
        raise RefusalError(
            f"its windows of {kernel[0]} x {kernel[1]} do not divide {shape[1]} x {shape[2]}.",
            "Choose a size that divides, or pad the input to one.",
        )


def _window(node: Pool, shape: Shape) -> tuple[Pair, Pair]:
    """Kernel and stride on a map of this shape."""
    whole = shape[1], shape[2]
    return (whole, whole) if node.kernel is None else (node.kernel, node.stride)


def constant_after(node: Linear, constant: Floats, shape: Shape) -> Floats:
    """What a node makes of a constant current per channel `constant` at its input of `shape`, its own bias added."""
    match node:
        case Pass() | Wait():
            return constant
        case ChannelAffine(scale=scale, offset=offset):
            added = 0.0 if offset is None else per_channel(offset, shape, "offsets")
            return constant * per_channel(scale, shape, "scales") + added
        case Affine(weight=weight, bias=bias):
            flat = weight @ np.repeat(constant, math.prod(shape[1:])) if constant.any() else np.zeros(len(weight))
            return flat if bias is None else flat + bias
        case Convolve(weight=weight, bias=bias, groups=groups, offset_everywhere=everywhere):
            own = np.zeros(len(weight)) if bias is None else bias
            if not constant.any():
                return own
            if not everywhere and _padding(node) != (0, 0):
                raise RefusalError(
                    "its input has an offset, which its padding has not: the borders would need a bias of their own.",
                    "Leave the offset out, or the padding.",
                )
            kernels = weight.sum(axis=(2, 3)).reshape(groups, -1, weight.shape[1])
            return own + np.einsum("goi,gi->go", kernels, constant.reshape(groups, -1)).reshape(-1)
        case Pool(average=average):
            return constant if average else constant * math.prod(_window(node, shape)[0])
        case _ as unreachable:
            assert_never(unreachable)


def per_channel(values: Floats, shape: Shape, what: str) -> Floats:
    """One value per channel of `shape` from one, from one per channel or from one per neuron.

    Raises
    ------
    CheckpointError
        There is another number of them.
    RefusalError
        They differ within a channel.
    """
    channels = shape[0]
    if values.size == 1:
        return np.full(channels, float(values.reshape(-1)[0]))
    if values.size == channels and values.shape in ((channels,), (channels, 1), (channels, 1, 1), (1, channels)):
        return values.reshape(-1)
    if values.size != math.prod(shape):
        raise CheckpointError(f"it has {values.size} {what} for {_by(shape)} neurons.")
    rows = values.reshape(channels, -1)
    if (rows != rows[:, :1]).any():
        raise RefusalError(
            f"its {what} differ from position to position within a channel; one per channel is built.",
            "Use one for each channel.",
        )
    return rows[:, 0].copy()


def _shape_convolved(node: Convolve, shape: Shape) -> Shape:
    outputs, inner, *kernel = node.weight.shape
    if min(*node.weight.shape, *node.stride, *node.dilation, node.groups) < 1 or max(kernel) > _KERNEL_LIMIT:
        raise CheckpointError("its kernel, stride, dilation or groups are not positive, or the kernel is too large.")
    if inner * node.groups != shape[0] or outputs % node.groups:
        raise CheckpointError(
            f"its weights take {inner} channels in each of {node.groups} groups and give {outputs}, but it gets "
            f"{_by(shape)}."
        )
    if node.declared is not None and tuple(node.declared) != shape[3 - len(node.declared) :]:
        raise CheckpointError(f"it declares an input of {_by(node.declared)}, but gets {_by(shape)}.")
    _check_bias(node.bias, outputs)
    sizes = []
    for axis, padding in enumerate(_padding(node)):
        extent = node.dilation[axis] * (kernel[axis] - 1) + 1
        padded = shape[axis + 1] + 2 * padding
        if padding < 0 or extent > padded or padding >= extent:
            raise CheckpointError(
                f"its kernel covers {extent} positions of {shape[axis + 1]} padded by {padding} on both sides; it must "
                "fit, and the padding must be smaller."
            )
        sizes.append((padded - extent) // node.stride[axis] + 1)
    if outputs * sizes[0] * sizes[1] > _NEURONS_LIMIT:
        raise CheckpointError(f"it has {outputs * sizes[0] * sizes[1]:,} outputs; {_NEURONS_LIMIT:,} are read.")
    return outputs, sizes[0], sizes[1]


def _check_bias(bias: Floats | None, outputs: int) -> None:
    if bias is not None and bias.shape != (outputs,):
        raise CheckpointError(f"its bias has the shape {_by(bias.shape)} for {outputs} outputs.")


def _padding(node: Convolve) -> Pair:
    if node.padding is not None:
        return node.padding
    if node.stride != (1, 1):
        raise RefusalError("it is padded to the same size, which a stride forbids.", "State the padding in numbers.")
    halves = []
    for kernel, dilation in zip(node.weight.shape[2:], node.dilation, strict=True):
        if dilation * (kernel - 1) % 2:
            raise RefusalError(
                f"a kernel of {kernel} is padded to the same size by one more zero on one side than on the other.",
                "Use kernels of an odd size.",
            )
        halves.append(dilation * (kernel - 1) // 2)
    return halves[0], halves[1]


def _scaled(weights: _Weights, scale: Floats, shape: Shape) -> _Weights:
    """Weights whose outputs of `shape` are multiplied per channel."""
    factor = per_channel(scale, shape, "scales")
    match weights:
        case ChannelAffine():
            return ChannelAffine(scale=weights.scale * factor)
        case Affine():
            return Affine(weight=weights.weight * factor[:, None])
        case Convolve():
            return dataclasses.replace(weights, weight=weights.weight * factor[:, None, None, None])
        case _ as unreachable:
            assert_never(unreachable)


def _convolution_and_pool(node: Convolve, size: int, factor: float) -> Convolve:
    """One convolution for a convolution and sums over windows of its outputs: a larger kernel at a larger stride."""
    assert node.padding is not None
    strides, extents = node.stride, [d * (k - 1) + 1 for k, d in zip(node.weight.shape[2:], node.dilation, strict=True)]
    spread = np.zeros((*node.weight.shape[:2], *extents))
    spread[:, :, :: node.dilation[0], :: node.dilation[1]] = node.weight
    rows, columns = (extent + (size - 1) * stride for extent, stride in zip(extents, strides, strict=True))
    kernel = np.zeros((*node.weight.shape[:2], rows, columns))
    for row in range(0, size * strides[0], strides[0]):
        for column in range(0, size * strides[1], strides[1]):
            kernel[:, :, row : row + extents[0], column : column + extents[1]] += spread
    return dataclasses.replace(
        node, weight=kernel * factor, stride=(strides[0] * size, strides[1] * size), dilation=(1, 1)
    )


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single one"
