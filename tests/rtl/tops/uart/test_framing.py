"""The circuit that finds frames, against the program that does."""

from __future__ import annotations

import random

import pytest

from snnc.compiler.link import frames
from snnc.compiler.link.frames import END, Frame, encode
from snnc.rtl.tops.uart.framing import Unframer
from tests.rtl.benches import simulate


def found(line):
    """Frames and the number of damaged pieces."""
    unit, got, content, damaged = Unframer(), [], {}, [0]

    async def bench(ctx):
        for byte in line:
            ctx.set(unit.data, byte)
            ctx.set(unit.valid, 1)
            await ctx.tick()
            ctx.set(unit.valid, 0)
            if ctx.get(unit.write):
                content[ctx.get(unit.position)] = ctx.get(unit.byte)
            damaged[0] += ctx.get(unit.damaged)
            if ctx.get(unit.frame):
                length = ctx.get(unit.length)
                payload = bytes(content[3 + k] for k in range(length))
                got.append(Frame(kind=ctx.get(unit.kind), sequence=ctx.get(unit.sequence), payload=payload))
            await ctx.tick().repeat(9)
            assert not ctx.get(unit.frame)
            assert not ctx.get(unit.damaged)

    simulate(unit, bench)
    return got, damaged[0]


@pytest.mark.parametrize("seed", range(4))
def test_the_circuit_finds_what_the_program_finds(seed):
    generator = random.Random(seed)
    line = bytearray()
    for k in range(40):
        piece = bytearray(
            encode(
                Frame(kind=generator.randrange(256), sequence=k, payload=generator.randbytes(generator.randrange(58)))
            )
        )
        match generator.randrange(8):
            case 0:
                piece[generator.randrange(len(piece))] = generator.randrange(256)
            case 1:
                del piece[generator.randrange(len(piece))]
            case 2:
                place = generator.randrange(len(piece))
                piece.insert(place, piece[place])
            case 3:
                piece = bytearray([*generator.randbytes(generator.randrange(90)), END])
        line += piece
    program = frames.Unframer()
    wanted = list(program.feed(bytes(line)))
    assert found(line) == (wanted, program.damaged)
    assert len(wanted) > 10
    assert program.damaged > 0
