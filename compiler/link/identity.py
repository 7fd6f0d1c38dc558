"""What a board says of itself: ``docs/link.md``, "Hello"."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Final

from snnc.compiler.plan import LOAD_BITS, Plan

__all__ = ["IDENTITY_BYTES", "LINK_VERSION", "Identity", "Weights"]

LINK_VERSION: Final = 1
_LAYOUT: Final = "<BB16sIHBBB16sB"
IDENTITY_BYTES: Final = struct.calcsize(_LAYOUT)


@unique
class Weights(IntEnum):
    """Where those weights are from that no bitstream initialises."""

    ELSEWHERE = 0
    """There are none, or they come over the line."""
    FLASH = 1
    """From the board's flash, with the CRC that they should have."""
    WRONG = 2
    """From the board's flash, but not those of this build."""


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
        Of a load word; 0 where there is nothing that a host loads.
    board
        Its name.
    contract
        Version of the semantics, its first number.
    weights
        Found out by the board when it is greeted.
    """

    model: bytes
    clock_hz: int
    classes: int
    logit_bytes: int
    beat_bytes: int
    load_bytes: int
    board: str
    contract: int
    weights: Weights = Weights.ELSEWHERE

    @classmethod
    def of(cls, plan: Plan, *, beat_bits: int, clock_hz: int, board: str, flash: bool = False) -> Identity:
        """That of a plan's core, whose input port is `beat_bits` wide, on a board; with `flash`, loaded from there."""
        return cls(
            model=bytes.fromhex(plan.model_hash)[:16],
            clock_hz=clock_hz,
            classes=plan.readout.neurons,
            logit_bytes=-(-plan.readout.residual_bits // 8),
            beat_bytes=-(-beat_bits // 8),
            load_bytes=LOAD_BITS // 8 if plan.loaded and not flash else 0,
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
            self.weights,
        )

    @classmethod
    def unpack(cls, data: bytes) -> Identity | None:
        """From an answer; None where it is of another version of the link."""
        if len(data) != IDENTITY_BYTES or data[0] != LINK_VERSION or data[-1] not in list(Weights):
            return None
        _, contract, model, clock, classes, logit, beat, load, board, weights = struct.unpack(_LAYOUT, data)
        return cls(
            model=model,
            clock_hz=clock,
            classes=classes,
            logit_bytes=logit,
            beat_bytes=beat,
            load_bytes=load,
            board=board.rstrip(b"\0").decode(errors="replace"),
            contract=contract,
            weights=Weights(weights),
        )
