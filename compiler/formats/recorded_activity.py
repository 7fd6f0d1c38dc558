"""What a student's checkpoint says that its network did (``docs/checkpoint.md``, ``activity``): read without trust."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import CheckpointError
from snnc.compiler.formats.fields import Fields, show
from snnc.compiler.ir import ActivityRecord, frozen
from snnc.compiler.ir.activity import MOST_SAMPLES

__all__ = ["KEY", "activity_entry", "read_activity"]

KEY: Final = "activity"

_KEYS: Final = frozenset({"data", "samples", "events", "pixels", "digits", "typical", "exits"})

_MOST_SOURCES: Final = 4097
"""Of events: the layers that a checkpoint may have, and the input."""

_MOST_EXITS: Final = 64


def read_activity(checkpoint: Fields) -> ActivityRecord | None:
    """What the checkpoint says that its network did; None where it says nothing.

    Whether it can be true of the network is left to `snnc.compiler.ir.verify`.
    """
    if checkpoint.value(KEY, optional=True) is None:
        return None
    fields = checkpoint.below(KEY)
    fields.allow(_KEYS)
    typical = {} if fields.value("typical", optional=True) is None else _sources(fields, "typical", 2)
    pixels, digits = (
        None if fields.value(key, optional=True) is None else _means(fields.value(key), f"'{key}' of {fields.where}", 2)
        for key in ("pixels", "digits")
    )
    return ActivityRecord(
        data=fields.text("data"),
        samples=fields.integer("samples", 1, MOST_SAMPLES),
        events=_sources(fields, "events", 3),
        pixels=pixels,
        digits=digits,
        typical=typical,
        exits={} if fields.value("exits", optional=True) is None else _exits(fields),
    )


def activity_entry(record: ActivityRecord) -> dict[str, Any]:
    """The same as plain values and arrays, in single precision."""
    entry: dict[str, Any] = {
        "data": record.data,
        "samples": record.samples,
        "events": {name: events.astype(np.float32) for name, events in record.events.items()},
    }
    for key, values in (("pixels", record.pixels), ("digits", record.digits)):
        if values is not None:
            entry[key] = values.astype(np.float32)
    if record.typical:
        entry["typical"] = {name: counts.astype(np.float32) for name, counts in record.typical.items()}
    if record.exits:
        entry["exits"] = dict(record.exits)
    return entry


def _exits(fields: Fields) -> dict[int, float]:
    """Shares by numbers of steps."""
    found = fields.mapping("exits")
    where = f"'exits' of {fields.where}"
    if len(found) > _MOST_EXITS:
        raise CheckpointError(f"{where} has {len(found):,} entries; {_MOST_EXITS:,} are read.")
    for steps, share in found.items():
        if type(steps) is not int or type(share) is not float:
            raise CheckpointError(
                f"{where} must give a share by each number of steps, not {show(share)} by {show(steps)}."
            )
    return dict(found)


def _sources(fields: Fields, key: str, dimensions: int) -> dict[str, npt.NDArray[np.float64]]:
    """Arrays by the name of a population."""
    found = fields.mapping(key)
    if len(found) > _MOST_SOURCES:
        raise CheckpointError(f"'{key}' of {fields.where} has {len(found):,} sources; {_MOST_SOURCES:,} are read.")
    return {str(name): _means(value, f"'{key}' of {fields.where}", dimensions) for name, value in found.items()}


def _means(value: object, where: str, dimensions: int) -> npt.NDArray[np.float64]:
    if not isinstance(value, np.ndarray) or value.dtype not in (np.float32, np.float64) or value.ndim != dimensions:
        raise CheckpointError(
            f"{where} must be made of float32 tensors of {dimensions} dimensions, not of {show(value)}."
        )
    return frozen(value.astype(np.float64))
