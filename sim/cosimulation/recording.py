"""What the self-driving bench records of every cycle, for a person to look at: a few fields, one record a cycle.

``record.bin`` holds a record for each cycle after the reset: its fields one after the other, the first in the lowest
bits, zero-extended to whole 32-bit words, little endian. They are the core's streams, the handshakes of its queues and
the engines' probes; of the thousands of other nets in the Verilog nothing is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import LOAD_BITS, Plan
from snnc.sim.cosimulation.ports import input_widths, result_widths
from snnc.sim.cosimulation.probes import probes_of

__all__ = ["RECORD", "Field", "Recording", "queue_names", "read_recording", "record_padding", "recorded_fields"]

RECORD = "record.bin"

Recording: TypeAlias = dict[str, npt.NDArray[np.bool_]]
"""By field: its bits in every cycle, the lowest first, ``(cycle, bit)``."""

_WORD_BITS = 32

_QUEUE_MODULE = re.compile(r"^module \\snnc_core\.(queue_\w+) \(([^)]*)\);", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A part of a record.

    Attributes
    ----------
    name
        Of the field: ``i``, ``o`` and ``load`` for the streams, ``hidden0`` for an engine (``hidden0.unit1`` for one of
        its units), ``queue_hidden0`` for a queue, each with a dot and what of it.
    expression
        In Verilog, in the bench.
    bits
        Its width.
    """

    name: str
    expression: str
    bits: int


def recorded_fields(plan: Plan, core: str) -> tuple[Field, ...]:
    """The fields of a record, of the core with this Verilog."""
    fields = [
        Field(name="i.valid", expression="i_valid", bits=1),
        Field(name="i.ready", expression="i_ready", bits=1),
        Field(name="i.payload", expression="i_payload", bits=sum(input_widths(plan).values())),
        Field(name="o.valid", expression="o_valid", bits=1),
        Field(name="o.ready", expression="o_ready", bits=1),
        Field(name="o.payload", expression="o_payload", bits=sum(result_widths(plan).values())),
    ]
    if plan.loaded:
        fields += [
            Field(name="load.valid", expression="load_valid", bits=1),
            Field(name="load.ready", expression="load_ready", bits=1),
            Field(name="load.payload", expression="load_payload", bits=LOAD_BITS),
        ]
    for queue, ports in _queues(core).items():
        # A port that Yosys found constant is gone: a queue that always has room, a listener that always takes.
        for name, handshake in (("enters", ("i__valid", "i__ready")), ("leaves", ("o__valid", "o__ready"))):
            left = [f"core.{queue}.{port}" for port in handshake if port in ports]
            fields.append(Field(name=f"{queue}.{name}", expression=" & ".join(left) or "1'b1", bits=1))
    for engine, probe in [(one, probe) for one in plan.engines for probe in probes_of(one)]:
        signals = probe.signals
        fields += [
            Field(name=f"{probe.name}.execute", expression=f"{signals}execute", bits=1),
            Field(name=f"{probe.name}.sweep", expression=f"{signals}sweep", bits=1),
            Field(name=f"{probe.name}.word", expression=f"{_WORD_BITS}'({signals}word)", bits=_WORD_BITS),
            Field(name=f"{probe.name}.spikes", expression=f"{signals}spikes", bits=engine.lanes),
            Field(
                name=f"{probe.name}.membranes",
                expression=f"{signals}membranes",
                bits=engine.lanes * engine.residual_bits,
            ),
        ]
    return tuple(fields)


def queue_names(plan: Plan) -> dict[str, tuple[str, str]]:
    """Of each queue that a core may have, by its name in the Verilog: the layer it is in front of, and what of it."""
    names = {}
    for engine in plan.engines:
        names[f"queue_{engine.name}"] = (engine.name, "queue_fill")
        for k in range(len(engine.projections)):
            names[f"queue_{engine.name}_side{k}"] = (engine.name, f"queue_side{k}_fill")
    return names


def record_padding(fields: tuple[Field, ...]) -> int:
    """Bits above the fields, at least one: an empty replication is not Verilog."""
    return _WORD_BITS - _bits(fields) % _WORD_BITS


def read_recording(fields: tuple[Field, ...], folder: Path) -> Recording:
    """Read what the bench recorded in `folder`; as many cycles as are there whole."""
    words = (_bits(fields) + record_padding(fields)) // _WORD_BITS
    raw = np.fromfile(folder / RECORD, dtype="<u4")
    cycles = len(raw) // words
    octets = raw[: cycles * words].reshape(cycles, words).view(np.uint8)
    found: Recording = {}
    lowest = 0
    for field in fields:
        # One field at a time: all bits of a long recording at once would take eight times its size.
        first, last = lowest // 8, -(-(lowest + field.bits) // 8)
        bits = np.unpackbits(octets[:, first:last], axis=1, bitorder="little")
        found[field.name] = bits[:, lowest % 8 : lowest % 8 + field.bits].astype(np.bool_)
        lowest += field.bits
    return found


def _bits(fields: tuple[Field, ...]) -> int:
    return sum(field.bits for field in fields)


def _queues(core: str) -> dict[str, set[str]]:
    """The queues of a core, and the ports that each has."""
    return {name: {port.strip() for port in ports.split(",")} for name, ports in _QUEUE_MODULE.findall(core)}
