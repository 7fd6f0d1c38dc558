"""Weights of the SPRAM from the board's flash: read when it starts and is greeted, and refused where they differ."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest

from snnc.compiler.boards import find_board
from snnc.compiler.boards.clocks import fastest_clock, oscillator
from snnc.compiler.commands.board_top import flash_load, top_for
from snnc.compiler.commands.verify import random_inputs
from snnc.compiler.ir import Encoding
from snnc.compiler.link import Kind, LinkError, Session, Weights
from snnc.compiler.link.port import Port
from snnc.compiler.targets import load_target
from snnc.sim.cosimulation.board import board_executable, simulated_board
from snnc.sim.trust.onboard import answers, checked, load
from tests.networks import build_graph, random_chain

pytestmark = pytest.mark.heavy

BOARD = find_board("icebreaker")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    path = tmp_path_factory.mktemp("flash") / "build"
    return build_graph(random_chain((40, 24, 10), encoding=Encoding.DIRECT, seed=4), path, lanes=(4, 4), spram=True)


@pytest.fixture(scope="module", params=["oscillator", "pll"])
def board(request, build, tmp_path_factory):
    clock = oscillator(BOARD) if request.param == "oscillator" else fastest_clock(BOARD, BOARD.device(), 39e6)
    assert clock is not None
    top = tmp_path_factory.mktemp(request.param) / "uart.v"
    top.write_text(top_for(build, BOARD, clock))
    return board_executable([*build.core_verilog, top, *load_target("ice40").pll_sources(top)])


@contextlib.contextmanager
def session_of(board, build, weights, folder, *, offset=0):
    path = folder / "weights.bin"
    path.write_bytes(weights)
    assert BOARD.flash is not None
    flash = (path, BOARD.flash.offset + offset)
    with simulated_board(board, cwd=build.path, clock_hz=BOARD.clock_hz, baud=BOARD.baud, flash=flash) as name:
        line = Port(name, BOARD.baud)
        try:
            yield Session(line, timeout=30, tries=1)  # the line loses nothing
        finally:
            line.close()


def all_right(session, build, samples):
    load(session, build)
    steps = build.plan.time_steps
    inputs = random_inputs(build.plan, samples, time_steps=steps, density=0.3, seed=0)
    return list(checked(answers(session, build, inputs, time_steps=steps), build, inputs, time_steps=steps))


def test_what_is_in_flash_is_computed_with(board, build, tmp_path):
    weights = flash_load(build, BOARD)
    with session_of(board, build, weights, tmp_path) as session:
        assert session.identity.weights is Weights.FLASH
        assert session.identity.load_bytes == 0
        assert len(all_right(session, build, 20)) == 20
        again = Session(session._line, timeout=30, tries=1)  # which resets the core, and reads it all once more
        assert again.identity.weights is Weights.FLASH
        assert len(all_right(again, build, 3)) == 3
        assert again.counters()["refused"] == 0


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_one_flipped_bit_is_refused(place, board, build, tmp_path):
    weights = bytearray(flash_load(build, BOARD) or b"")
    where = {"first": 0, "middle": len(weights) // 2, "last": len(weights) - 1}[place]
    weights[where] ^= 0x10
    with session_of(board, build, bytes(weights), tmp_path) as session:
        assert session.identity.weights is Weights.WRONG
        with pytest.raises(LinkError, match="refuses the weights in its flash"):
            load(session, build)
        with pytest.raises(LinkError, match="refuses a frame"):
            session.send(Kind.BEATS, bytes(8), size=session.identity.beat_bytes)


def test_so_are_weights_of_another_place_and_an_erased_flash(board, build, tmp_path):
    weights = flash_load(build, BOARD)
    for content, offset in ((weights, 2), (b"\xff", 0)):
        with session_of(board, build, content, tmp_path, offset=offset) as session:
            assert session.identity.weights is Weights.WRONG


def test_a_board_without_a_flash_of_its_own_is_loaded_by_its_host(build):
    assert flash_load(build, find_board("upduino3")) is None
    assert flash_load(build, dataclasses.replace(BOARD, flash=None)) is None
    assert "flash_select" not in top_for(build, find_board("upduino3"), oscillator(find_board("upduino3")))
