"""What stands in an event-driven engine's memories beside weights and constants."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import ConstantField, EnginePlan, MemoryKind

__all__ = ["further_images"]


def further_images(
    engine: EnginePlan, constants: Mapping[ConstantField, npt.NDArray[np.int64]]
) -> Mapping[str, npt.NDArray[np.int64]]:
    """Words of the membranes' width by their image's name; `constants` are those of the engine, ``(groups, lanes)``."""
    if not engine.population.fires or engine.membrane.kind is not MemoryKind.REGISTERS:
        return {}
    # A ring is restored all at once: one number holds every word.
    positions = engine.layout.rows * engine.layout.columns
    everything = np.tile(constants[ConstantField.INITIAL].reshape(1, -1), positions)
    return {f"{engine.name}.initial": everything}
