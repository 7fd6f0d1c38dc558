"""A host's side of the link: one request at a time, repeated until its answer comes.

A board does what a frame asks for once, however often the frame arrives, and answers each time: a lost answer costs a
repetition and nothing else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Final, Protocol

from snnc.compiler.errors import SnncError
from snnc.compiler.link.frames import ANSWER, PAYLOAD_BYTES, Frame, Kind, Unframer, encode
from snnc.compiler.link.identity import Identity

__all__ = ["LinkError", "Session", "Transport"]

_NONCE_BYTES: Final = 4
_RESULT_BYTES: Final = 7
"""Of an answer to `Kind.RESULT`, before its logits."""

_UNKNOWN: Final = 0x55
"""No `Kind`."""

_COUNTERS: Final = ("damaged", "repeated", "refused", "line")


class LinkError(SnncError):
    """A board does not answer, or is not the one that is meant."""


class Transport(Protocol):
    """A serial line."""

    def read(self, timeout: float) -> bytes:
        """What has arrived; after `timeout` seconds, nothing."""
        ...

    def write(self, data: bytes) -> None: ...


class Session:
    """Talk to one board.

    Parameters
    ----------
    line
        Where it is.
    timeout
        Seconds after which a request is sent again.
    tries
        How often, before the board is given up.

    Attributes
    ----------
    identity
        What the board said of itself.
    repetitions
        Requests that were sent again.
    """

    def __init__(self, line: Transport, *, timeout: float = 0.1, tries: int = 50) -> None:
        self._line = line
        self._timeout = timeout
        self._tries = tries
        self._frames = Unframer()
        self._sequence = os.urandom(1)[0]
        self.repetitions = 0
        self.identity = self._hello()

    def _hello(self) -> Identity:
        # Answers to a host before this one may still be on the line: none of them has this nonce.
        nonce = os.urandom(_NONCE_BYTES)
        self._line.write(encode(Frame(kind=Kind.ECHO, sequence=0))[-1:])  # what a dead host left open ends here
        answer = self._ask(Kind.HELLO, nonce, accepts=lambda payload: payload[:_NONCE_BYTES] == nonce)
        identity = Identity.unpack(answer[_NONCE_BYTES:])
        if identity is None:
            raise LinkError("The board speaks another version of the link than this release; flash it again.")
        return identity

    def echo(self, data: bytes) -> bytes:
        """What comes back, at most as much as one frame holds."""
        return self._ask(Kind.ECHO, data)

    def counters(self) -> dict[str, int]:
        """What the board has seen go wrong since its reset, each up to 255."""
        return dict(zip(_COUNTERS, self._ask(Kind.COUNTERS), strict=True))

    def send(self, kind: Kind, words: bytes, *, size: int) -> None:
        """Send words of `size` bytes, as many to a frame as fit."""
        step = PAYLOAD_BYTES // size * size
        for first in range(0, len(words), step):
            self._ask(kind, words[first : first + step])

    def result(self) -> tuple[int, int, list[int]]:
        """Class, cycles and logits of the last sample; waits for it."""
        identity = self.identity
        logits = bytearray()
        wanted = identity.classes * identity.logit_bytes
        deadline = time.monotonic() + self._timeout * self._tries
        while True:
            answer = self._ask(Kind.RESULT, len(logits).to_bytes(2, "little"))
            if any(answer[:1]):
                logits += answer[_RESULT_BYTES:]
                if len(logits) >= wanted:
                    break
            # Results without a logit would be asked for without an end.
            if len(answer) <= _RESULT_BYTES and time.monotonic() > deadline:
                raise LinkError("The board took the sample, but gives no result: reset it, and verify its build.")
        size = identity.logit_bytes
        values = [int.from_bytes(logits[k : k + size], "little", signed=True) for k in range(0, wanted, size)]
        return int.from_bytes(answer[5:7], "little"), int.from_bytes(answer[1:5], "little"), values

    def logits_from(self, first: int) -> bytes:
        """What is sent of the last sample's logits from a byte on."""
        return self._ask(Kind.RESULT, first.to_bytes(2, "little"))[_RESULT_BYTES:]

    def provoke(self) -> dict[str, int]:
        """Send a damaged frame, a repetition and a kind that no board knows: by how much the board's counters went up.

        For a line that loses nothing; any board takes it, and is afterwards as before.
        """
        before = self.counters()
        repetition = encode(Frame(kind=Kind.ECHO, sequence=self._sequence))
        unknown = encode(Frame(kind=_UNKNOWN, sequence=(self._sequence + 1) % 256))
        self._line.write(bytes([repetition[0] ^ 0x20]) + repetition[1:])
        for request, kind in ((repetition, Kind.ECHO), (unknown, Kind.REFUSED)):
            self._line.write(request)
            deadline = time.monotonic() + self._timeout * self._tries
            while not any(frame.kind == kind | ANSWER for frame in self._answers()):
                if time.monotonic() > deadline:
                    raise LinkError(f"The board gives no answer of kind {kind | ANSWER:#x}.")
        after = self.counters()
        return {name: after[name] - before[name] for name in after}

    def _ask(self, kind: Kind, payload: bytes = b"", *, accepts=lambda payload: True) -> bytes:  # type: ignore[no-untyped-def]
        self._sequence = (self._sequence + 1) % 256
        request = encode(Frame(kind=kind, sequence=self._sequence, payload=payload))
        for attempt in range(self._tries):
            self.repetitions += attempt > 0
            self._line.write(request)
            for frame in self._answers():
                if frame.sequence != self._sequence:
                    continue  # to a repetition of an earlier request
                # A hello is never refused: that is about what an earlier host left on the line.
                if frame.kind == Kind.REFUSED | ANSWER and kind is not Kind.HELLO:
                    raise LinkError(
                        "The board refuses a frame: it was reset, or another program uses its port; connect again."
                    )
                if frame.kind == kind | ANSWER and accepts(frame.payload):
                    return frame.payload
        raise LinkError(
            f"The board does not answer after {self._tries} tries: is it flashed with a build of snnc, is this its "
            "port, and is the baud rate that of its build?"
        )

    def _answers(self) -> Iterator[Frame]:
        deadline = time.monotonic() + self._timeout
        while (left := deadline - time.monotonic()) > 0:
            yield from self._frames.feed(self._line.read(left))
