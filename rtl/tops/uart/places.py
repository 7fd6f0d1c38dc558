"""What is where in the buffer of the serial line's top."""

from dataclasses import dataclass
from typing import Final

from snnc.compiler.link.frames import FRAME_BYTES
from snnc.compiler.link.identity import IDENTITY_BYTES
from snnc.compiler.plan import EnginePlan, unsigned_bits

__all__ = ["HEADER_BYTES", "HEAD_BYTES", "Places", "logit_bytes"]

HEAD_BYTES: Final = 3
"""Of a frame, before its payload."""

HEADER_BYTES: Final = 6
"""Of results, before their logits: cycles and class."""


def logit_bytes(readout: EnginePlan) -> int:
    """Bytes of a logit."""
    return -(-readout.residual_bits // 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """First bytes: a frame from 0, behind it `results` with their `logits`, and the `identity`; `depth` in all."""

    results: int
    logits: int
    identity: int
    depth: int

    @classmethod
    def of(cls, readout: EnginePlan) -> "Places":
        """Those for a network with this readout."""
        logits = FRAME_BYTES + HEADER_BYTES
        identity = logits + readout.neurons * logit_bytes(readout)
        return cls(results=FRAME_BYTES, logits=logits, identity=identity, depth=identity + IDENTITY_BYTES)

    @property
    def address_bits(self) -> int:
        return unsigned_bits(self.depth - 1)
