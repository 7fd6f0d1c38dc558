"""A host's side against boards that answer whole frames, but nonsense."""

from __future__ import annotations

import pytest

from snnc.compiler.link import Frame, Identity, Kind, LinkError, Session, Unframer, encode
from snnc.compiler.link.frames import ANSWER

IDENTITY = Identity(
    model=bytes(16),
    clock_hz=12_000_000,
    classes=3,
    logit_bytes=2,
    beat_bytes=2,
    load_bytes=0,
    board="a test",
    contract=2,
)


class Board:
    """A line with a board behind it that answers `Kind.RESULT` with `result`."""

    def __init__(self, result):
        self._frames, self._result, self._told = Unframer(), result, b""

    def write(self, data):
        for frame in self._frames.feed(data):
            payload = {Kind.HELLO: frame.payload + IDENTITY.pack(), Kind.RESULT: self._result}[Kind(frame.kind)]
            self._told += encode(Frame(kind=frame.kind | ANSWER, sequence=frame.sequence, payload=payload))

    def read(self, timeout):
        told, self._told = self._told, b""
        return told


def test_a_result_is_read():
    logits = b"".join(value.to_bytes(2, "little", signed=True) for value in (5, -7, 300))
    session = Session(Board(bytes([1, 9, 0, 0, 0, 2, 0]) + logits), timeout=0.02, tries=2)
    assert session.result() == (2, 9, [5, -7, 300])


@pytest.mark.parametrize("result", [bytes(7), bytes([1, 0, 0, 0, 0, 0, 0]), b""], ids=["none", "no logit", "nothing"])
def test_a_board_that_never_gives_its_logits_is_given_up(result):
    session = Session(Board(result), timeout=0.02, tries=2)
    with pytest.raises(LinkError, match="gives no result"):
        session.result()
