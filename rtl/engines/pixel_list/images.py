"""What stands in a pixel list engine's memories beside weights and constants."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import ConstantField, EnginePlan

__all__ = ["further_images"]


def further_images(
    engine: EnginePlan, constants: Mapping[ConstantField, npt.NDArray[np.int64]]
) -> Mapping[str, npt.NDArray[np.int64]]:
    """Words of the membranes' width by their image's name; `constants` are those of the engine, ``(groups, lanes)``."""
    return {}
