"""What a board says of itself: ``docs/link.md``, "Hello"."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from snnc.compiler.plan import LOAD_BITS, Plan

__all__ = ["IDENTITY_BYTES", "LINK_VERSION", "Identity"]

LINK_VERSION: Final = 1
_LAYOUT: Final = "<BB16sIHBBB16s"
IDENTITY_BYTES: Final = struct.calcsize(_LAYOUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A bitstream's.

    Attributes
    ----------
    model
        The first 16 bytes of the model hash.
    clock_hz
        Of the core.
    classes, logit_bytes
        Of a result: logits are signed and little-endian.
    beat_bytes
        Of a beat of the input port, little-endian.
    load_bytes
        Of a load word; 0 where there is nothing to load.
    board
        Its name.
    contract
        Version of the semantics, its first number.
    """

    model: bytes
    clock_hz: int
    classes: int
    logit_bytes: int
    beat_bytes: int
    load_bytes: int
    board: str
    contract: int

    @classmethod
    def of(cls, plan: Plan, *, beat_bits: int, clock_hz: int, board: str) -> Identity:
        """That of a plan's core, whose input port is `beat_bits` wide, on a board."""
        return cls(
            model=bytes.fromhex(plan.model_hash)[:16],
            clock_hz=clock_hz,
            classes=plan.readout.neurons,
            logit_bytes=-(-plan.readout.residual_bits // 8),
            beat_bytes=-(-beat_bits // 8),
            load_bytes=LOAD_BITS // 8 if plan.loaded else 0,
            board=board,
            contract=int(plan.semantics_version.split(".")[0]),
        )

    def pack(self) -> bytes:
        """As it follows the nonce in the answer to `Kind.HELLO`."""
        return struct.pack(
            _LAYOUT,
            LINK_VERSION,
            self.contract,
            self.model,
            self.clock_hz,
            self.classes,
            self.logit_bytes,
            self.beat_bytes,
            self.load_bytes,
            self.board.encode()[:16],
        )

    @classmethod
    def unpack(cls, data: bytes) -> Identity | None:
        """From an answer; None where it is of another version of the link."""
        if len(data) != IDENTITY_BYTES or data[0] != LINK_VERSION:
            return None
        _, contract, model, clock, classes, logit, beat, load, board = struct.unpack(_LAYOUT, data)
        return cls(
            model=model,
            clock_hz=clock,
            classes=classes,
            logit_bytes=logit,
            beat_bytes=beat,
            load_bytes=load,
            board=board.rstrip(b"\0").decode(errors="replace"),
            contract=contract,
        )
