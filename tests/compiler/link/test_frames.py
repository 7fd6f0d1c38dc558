"""Frames on a line that loses, changes and repeats bytes."""

from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnc.compiler.link.frames import END, FRAME_BYTES, PAYLOAD_BYTES, RESIDUE, Frame, Unframer, decode, encode

FRAMES = st.builds(
    Frame,
    kind=st.integers(0, 255),
    sequence=st.integers(0, 255),
    payload=st.binary(max_size=PAYLOAD_BYTES),
)


@given(st.lists(FRAMES, max_size=5), st.binary(max_size=80))
def test_frames_come_back_and_garbage_before_them_costs_none_but_what_it_runs_into(frames, garbage):
    receiver = Unframer()
    assert list(receiver.feed(b"".join(map(encode, frames)))) == frames
    assert receiver.damaged == 0
    list(receiver.feed(garbage + bytes([END])))
    assert list(receiver.feed(b"".join(map(encode, frames)))) == frames


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_line_gives_no_frame_that_was_not_sent(seed):
    generator = random.Random(seed)
    sent = [
        Frame(kind=1, sequence=k % 256, payload=generator.randbytes(generator.randrange(PAYLOAD_BYTES + 1)))
        for k in range(200)
    ]
    line = bytearray()
    for byte in b"".join(map(encode, sent)):
        match generator.randrange(300):
            case 0:
                line.append(generator.randrange(256))
            case 1:
                pass
            case 2:
                line += bytes([byte, byte])
            case _:
                line.append(byte)
    receiver = Unframer()
    got = list(receiver.feed(bytes(line)))
    assert all(frame in sent for frame in got)
    assert 100 < len(got) < 200
    assert receiver.damaged > 0


def test_a_frame_is_at_most_64_bytes_and_says_its_length():
    with pytest.raises(ValueError, match="at most 57 bytes, not 58"):
        encode(Frame(kind=1, sequence=0, payload=bytes(PAYLOAD_BYTES + 1)))
    content = bytes([1, 2, 0]) + zlib.crc32(bytes([1, 2, 0])).to_bytes(4, "little")
    assert decode(content) == Frame(kind=1, sequence=2)
    wrong = bytes([1, 2, 1])
    assert decode(wrong + zlib.crc32(wrong).to_bytes(4, "little")) is None
    assert decode(bytes(FRAME_BYTES + 1)) is None


def test_the_residue_is_that_of_any_frame():
    content = bytes([1, 2, 0])
    assert zlib.crc32(content + zlib.crc32(content).to_bytes(4, "little")) ^ 0xFFFFFFFF == RESIDUE
