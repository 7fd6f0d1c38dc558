"""Frames of the link: ``docs/link.md``, "Frames".

A frame is ``kind, sequence, length, payload, CRC-32`` and at most 64 bytes; on the line, a byte `END` closes it, and
bytes that look like `END` or `ESCAPE` are escaped as in RFC 1055. A receiver that lost its place finds it again at the
next `END`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Final

__all__ = ["ANSWER", "END", "ESCAPE", "ESCAPED_END", "ESCAPED_ESCAPE", "FRAME_BYTES", "OVERHEAD", "PAYLOAD_BYTES"]
__all__ += ["RESIDUE", "Frame", "Kind", "Unframer", "decode", "encode"]

END: Final = 0xC0
ESCAPE: Final = 0xDB
ESCAPED_END: Final = 0xDC
ESCAPED_ESCAPE: Final = 0xDD

FRAME_BYTES: Final = 64
OVERHEAD: Final = 7
PAYLOAD_BYTES: Final = FRAME_BYTES - OVERHEAD
ANSWER: Final = 0x80
"""Set in the kind of what a board sends."""
RESIDUE: Final = 0xDEBB20E3
"""What the CRC's register holds, before it is inverted, after a frame with its CRC."""


@unique
class Kind(IntEnum):
    """What a frame asks for; the answer's is the same with `ANSWER` set."""

    HELLO = 0x01
    """Begin: the core is reset where a sample or a load is under way, and the sequence starts with this frame's."""
    ECHO = 0x02
    COUNTERS = 0x03
    BEATS = 0x10
    """Beats of the core's input port."""
    LOAD = 0x11
    """Words of the core's load port."""
    RESULT = 0x12
    """The last sample's class and cycles, and some of its logits."""
    REFUSED = 0x7F
    """Of an answer: the frame was whole, but out of sequence or of no known kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """``kind`` as on the line, with `ANSWER` where a board sent it."""

    kind: int
    sequence: int
    payload: bytes = b""


def encode(frame: Frame) -> bytes:
    """The bytes on the line, the closing `END` included."""
    if len(frame.payload) > PAYLOAD_BYTES:
        raise ValueError(f"A frame's payload must be at most {PAYLOAD_BYTES} bytes, not {len(frame.payload)}")
    content = bytes([frame.kind, frame.sequence, len(frame.payload)]) + frame.payload
    content += zlib.crc32(content).to_bytes(4, "little")
    escaped = content.replace(bytes([ESCAPE]), bytes([ESCAPE, ESCAPED_ESCAPE]))
    return escaped.replace(bytes([END]), bytes([ESCAPE, ESCAPED_END])) + bytes([END])


def decode(content: bytes) -> Frame | None:
    """The frame in the unescaped bytes between two `END`; None where it is damaged."""
    if not OVERHEAD <= len(content) <= FRAME_BYTES or content[2] != len(content) - OVERHEAD:
        return None
    if zlib.crc32(content[:-4]) != int.from_bytes(content[-4:], "little"):
        return None
    return Frame(kind=content[0], sequence=content[1], payload=content[3:-4])


class Unframer:
    """Finds frames in a stream of bytes, of which any may be missing or wrong.

    Attributes
    ----------
    damaged
        Pieces between two `END` that were no frame.
    """

    def __init__(self) -> None:
        self.damaged = 0
        self._content = bytearray()
        self._escaped = False
        self._broken = False

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete with `data`."""
        for byte in data:
            if byte == END:
                frame = None if self._broken or self._escaped else decode(bytes(self._content))
                if self._content or self._broken or self._escaped:
                    self.damaged += frame is None
                self._content.clear()
                self._escaped = self._broken = False
                if frame is not None:
                    yield frame
            elif self._escaped:
                self._escaped = False
                self._broken |= byte not in (ESCAPED_END, ESCAPED_ESCAPE)
                self._content.append(END if byte == ESCAPED_END else ESCAPE)
            elif byte == ESCAPE:
                self._escaped = True
            elif len(self._content) < FRAME_BYTES:
                self._content.append(byte)
            else:
                self._broken = True
