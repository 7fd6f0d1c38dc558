"""What the layers of PyTorch itself do, in the words of `snnc.compiler.formats.foreign.nodes`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from snnc.compiler.formats.foreign.nodes import (
    Affine,
    ChannelAffine,
    Convolve,
    Floats,
    MaxPool,
    Operation,
    Pass,
    Pool,
    Refused,
)
from snnc.compiler.ir import Pair

__all__ = ["array", "layer", "pair"]


def layer(module: nn.Module) -> Operation | None:
    """What a layer does; None where it is no layer of PyTorch, or one that holds others."""
    match module:
        case nn.Linear():
            return Affine(weight=array(module.weight), bias=_optional(module.bias))
        case nn.Conv2d():
            return _convolve(module, array(module.weight), flat=False)
        case nn.Conv1d():
            return _convolve(module, array(module.weight)[:, :, None, :], flat=True)
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            return _norm(module)
        case nn.AvgPool2d():
            return _pool(module, average=True)
        case nn.MaxPool2d():
            if pair(module.dilation) != (1, 1) or module.ceil_mode:
                return Refused(text="its windows are dilated or rounded up.", shaped=False)
            stride = module.kernel_size if module.stride is None else module.stride
            return MaxPool(kernel=pair(module.kernel_size), stride=pair(stride), padding=pair(module.padding))
        case nn.Flatten() | nn.Identity() | nn.Dropout() | nn.Dropout1d() | nn.Dropout2d():
            return Pass()
        case nn.ReLU():
            return Refused(text="it gives values that are no spikes.", remedy="Put spiking neurons in its place.")
        case _:
            return None


def array(values: Any) -> Floats:
    """A parameter, buffer or number in float64."""
    if isinstance(values, torch.Tensor):
        return np.array(values.detach().cpu().double().numpy(), np.float64)
    return np.array(values, np.float64)


def pair(value: Any) -> Pair:
    """``(vertical, horizontal)`` of one number or two."""
    if isinstance(value, int):
        return value, value
    vertical, horizontal = value
    return int(vertical), int(horizontal)


def _optional(values: torch.Tensor | None) -> Floats | None:
    return None if values is None else array(values)


def _convolve(module: nn.Conv1d | nn.Conv2d, weight: Floats, *, flat: bool) -> Operation:
    if module.padding_mode != "zeros":
        return Refused(text=f"it is padded by '{module.padding_mode}'; zeros are built.", shaped=False)

    def both(value: Any) -> Pair:
        return (0, int(value[0])) if flat else pair(value)

    padding: Pair | None
    match module.padding:
        case "same":
            padding = None
        case "valid":
            padding = (0, 0)
        case _:
            padding = both(module.padding)
    stride, dilation = both(module.stride), both(module.dilation)
    return Convolve(
        weight=weight,
        bias=_optional(module.bias),
        stride=(1, stride[1]) if flat else stride,
        padding=padding,
        dilation=(1, dilation[1]) if flat else dilation,
        groups=module.groups,
    )


def _norm(module: nn.BatchNorm1d | nn.BatchNorm2d) -> Operation:
    if module.running_mean is None or module.running_var is None:
        return Refused(text="it keeps no statistics, so that it depends on the batch.", remedy="Train with them.")
    deviation = np.sqrt(array(module.running_var) + module.eps)
    scale = (1.0 if module.weight is None else array(module.weight)) / deviation
    offset = -array(module.running_mean) * scale
    return ChannelAffine(scale=scale, offset=offset if module.bias is None else offset + array(module.bias))


def _pool(module: nn.AvgPool2d, *, average: bool) -> Operation:
    if module.ceil_mode or module.divisor_override is not None:
        return Refused(text="its windows are rounded up, or divided by another number.", shaped=False)
    stride = module.kernel_size if module.stride is None else module.stride
    return Pool(kernel=pair(module.kernel_size), stride=pair(stride), padding=pair(module.padding), average=average)
