"""What a student's checkpoint says of its rival (``docs/checkpoint.md``, ``rival``): read without trust."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Final

from snnc.compiler.errors import CheckpointError
from snnc.compiler.formats.fields import Fields, show
from snnc.compiler.ir.activity import MOST_SAMPLES
from snnc.compiler.ir.rival import RivalRecord

__all__ = ["KEY", "read_rival", "rival_entry"]

KEY: Final = "rival"

_NAMES: Final = frozenset(entry.name for entry in dataclasses.fields(RivalRecord))
_MOST: Final = 1e15
"""Of work, and far more than any network's."""


def read_rival(checkpoint: Fields, time_steps: int) -> RivalRecord | None:
    """What the checkpoint says of its rival; None where it says nothing, or of another number of steps."""
    if checkpoint.value(KEY, optional=True) is None:
        return None
    fields = checkpoint.below(KEY)
    fields.allow(_NAMES)
    record = RivalRecord(
        data=fields.text("data"),
        samples=fields.integer("samples", 1, MOST_SAMPLES),
        time_steps=fields.integer("time_steps", 1),
        epochs=fields.integer("epochs", 1),
        accuracy=_number(fields, "accuracy", 1.0),
        spiking_accuracy=_number(fields, "spiking_accuracy", 1.0),
        macs=_number(fields, "macs", _MOST),
        active_macs=_number(fields, "active_macs", _MOST),
        operations=_number(fields, "operations", _MOST),
    )
    if record.active_macs > record.macs:
        raise CheckpointError(f"{fields.where} has more active MACs than MACs; measure it again (snnc evaluate).")
    return record if record.time_steps == time_steps else None


def rival_entry(record: RivalRecord) -> dict[str, Any]:
    """The same as plain values."""
    return dataclasses.asdict(record)


def _number(fields: Fields, key: str, most: float) -> float:
    value = fields.value(key)
    if not isinstance(value, float) or not math.isfinite(value) or not 0 <= value <= most:
        raise CheckpointError(f"'{key}' of {fields.where} must be a float of 0 to {most:g}, not {show(value)}.")
    return value
