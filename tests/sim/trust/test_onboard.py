"""A board's whole top in simulation: its answers, over a bad line, with a host that dies, and after a bad start."""

from __future__ import annotations

import contextlib
import dataclasses
import random

import numpy as np
import pytest

import snnc
from snnc.compiler.backend import emit
from snnc.compiler.boards import find_board
from snnc.compiler.boards.clocks import oscillator
from snnc.compiler.build.folder import open_build, write_build
from snnc.compiler.commands.board_top import top_for
from snnc.compiler.commands.verify import random_inputs
from snnc.compiler.errors import VerificationError
from snnc.compiler.ir import Exit
from snnc.compiler.link import Kind, LinkError, Session, encode
from snnc.compiler.link.frames import END, ESCAPE, Frame
from snnc.compiler.link.port import Port
from snnc.sim.cosimulation.board import board_executable, simulated_board
from snnc.sim.models import golden
from snnc.sim.trust.onboard import answers, check_identity, check_link, checked
from tests.compiler.networks import random_design
from tests.networks import build_graph, random_chain

BOARD = find_board("icebreaker")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    path = tmp_path_factory.mktemp("board") / "build"
    write_build(path, emit(random_design((12, 6, 3))).files, source="a test")
    opened = open_build(path)
    (path / "uart.v").write_text(top_for(opened, BOARD, oscillator(BOARD)))
    return opened


@pytest.fixture(scope="module")
def board(build):
    return board_executable([*build.core_verilog, build.path / "uart.v"])


@contextlib.contextmanager
def port(executable, build, *, seed=1):
    with simulated_board(executable, cwd=build.path, clock_hz=BOARD.clock_hz, baud=BOARD.baud, seed=seed) as name:
        line = Port(name, BOARD.baud)
        try:
            yield line
        finally:
            line.close()


class Noisy:
    """A line of whose bytes a fraction is changed, lost or doubled, both ways."""

    def __init__(self, line, rate, seed=0):
        self._line, self._rate, self._random = line, rate, random.Random(seed)

    def read(self, timeout):
        return self._through(self._line.read(timeout))

    def write(self, data):
        self._line.write(self._through(data))

    def _through(self, data):
        out = bytearray()
        for byte in data:
            fault = self._random.random() / self._rate if self._rate else 1
            if fault >= 1 or fault < 1 / 3:
                out.append(byte if fault >= 1 else self._random.randrange(256))
            elif fault < 2 / 3:
                out += bytes([byte, byte])
        return bytes(out)


def inputs_of(build, samples, seed=0):
    return random_inputs(build.plan, samples, time_steps=build.plan.time_steps, density=0.3, seed=seed)


def all_right(session, build, samples, seed=0):
    inputs, steps = inputs_of(build, samples, seed), build.plan.time_steps
    found = answers(session, build, inputs, time_steps=steps)
    return list(checked(found, build, inputs, time_steps=steps))


def test_every_answer_is_the_golden_models(board, build):
    with port(board, build) as line:
        session = Session(line, timeout=10)  # so that no repetition is one of a machine that is busy otherwise
        check_identity(session, build)
        assert session.identity.board == "icebreaker"
        assert session.identity.clock_hz == BOARD.clock_hz
        awkward = bytes([END, ESCAPE, 0, 255, END])
        assert session.echo(awkward) == awkward
        found = all_right(session, build, 100)
        assert all(0 < answer.cycles < 1000 for answer in found)
        assert session.counters() == {"damaged": 0, "repeated": 0, "refused": 0, "line": 0}
        assert session.repetitions == 0


def test_the_rest_of_the_link_is_checked_too(board, build):
    with port(board, build) as line:
        session = Session(line)
        logits = list(all_right(session, build, 3)[-1].logits)
        check_link(session, logits)
        check_link(session, logits)  # and a board is as before
        assert session.counters() == {"damaged": 2, "repeated": 2, "refused": 2, "line": 0}
        all_right(session, build, 3)
        logits = list(all_right(session, build, 5)[-1].logits)
        check_link(session, logits)
        with pytest.raises(VerificationError, match="other logits"):
            check_link(session, [*logits[:-1], logits[-1] ^ 1])
        for name, told in {
            "echo": lambda sent: sent[1:],
            "provoke": lambda: {"damaged": 0, "repeated": 1, "refused": 1, "line": 0},
        }.items():
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(session, name, told)
                with pytest.raises(VerificationError, match="send back" if name == "echo" else "counts"):
                    check_link(session, logits)


def test_a_result_may_come_before_its_sample_has_ended(tmp_path):
    graph = dataclasses.replace(random_chain((12, 6, 3), seed=2), exit=Exit(margin=8, steps=(1, 2, 3)))
    early = build_graph(graph, tmp_path / "build", lanes=(2, 3))
    trace = golden.run(early.load_graph(), inputs_of(early, 20), time_steps=early.plan.time_steps)
    assert {1, 2, early.plan.time_steps} <= set(trace.steps.tolist())
    (tmp_path / "uart.v").write_text(top_for(early, BOARD, oscillator(BOARD)))
    with port(board_executable([*early.core_verilog, tmp_path / "uart.v"]), early) as line:
        found = all_right(Session(line, timeout=10), early, 20)
    assert any(answer.cycles == 0 for answer in found)
    assert all(
        answer.cycles > 0 for answer, steps in zip(found, trace.steps, strict=True) if steps == early.plan.time_steps
    )


def test_python_connects_to_a_port(board, build):
    with simulated_board(board, cwd=build.path, clock_hz=BOARD.clock_hz, baud=BOARD.baud) as name:
        session = snnc.connect(name)
        assert session.echo(b"anything") == b"anything"
        assert session.identity.classes == 3


def test_a_wrong_answer_is_noticed(board, build):
    """The check can fail: another network's samples are not this one's."""
    with port(board, build) as line:
        session, steps = Session(line), build.plan.time_steps
        inputs = inputs_of(build, 20)
        found = answers(session, build, inputs, time_steps=steps)
        with pytest.raises(VerificationError, match="the golden model"):
            list(checked(found, build, np.roll(inputs, 1, axis=0), time_steps=steps))


def test_one_byte_in_a_hundred_is_damaged_and_no_answer(board, build):
    with port(board, build) as line:
        session = Session(Noisy(line, 0.01), timeout=0.03)
        all_right(session, build, 60)
        assert session.repetitions > 10
        counters = session.counters()
        assert counters["damaged"] > 5
        assert counters["repeated"] > 0  # an answer was lost: the board did not do it twice


def test_a_host_may_die_at_any_moment(board, build):
    generator = random.Random(0)
    with port(board, build) as line:
        for death in range(100):
            session = Session(line, timeout=0.05)
            beats = generator.randbytes(generator.randrange(1, 20) * session.identity.beat_bytes)
            session.send(Kind.BEATS, beats, size=session.identity.beat_bytes)  # a part of a sample, or nonsense
            cut = encode(Frame(kind=Kind.BEATS, sequence=generator.randrange(256), payload=beats[:8]))
            line.write(cut[: generator.randrange(len(cut))])
            if death % 10 == 0:
                all_right(Session(line, timeout=0.05), build, 3, seed=death)
        all_right(Session(line, timeout=0.05), build, 10)


def test_a_refusal_of_what_an_earlier_host_left_is_not_taken_for_ones_own(board, build, monkeypatch):
    """Once in some thousand connections its number is that of the hello."""
    monkeypatch.setattr("snnc.compiler.link.session.os.urandom", lambda count: bytes([7] * count))
    with port(board, build) as line:
        left = encode(Frame(kind=Kind.ECHO, sequence=8, payload=b"x"))
        line.write(bytes(100) + bytes([END]) + left[:-1])  # the hello's own END completes it
        assert Session(line).counters()["refused"] == 1


def test_nothing_is_done_before_a_greeting_or_out_of_turn(board, build):
    with port(board, build) as line:
        line.write(
            bytes(100) + bytes([END]) + encode(Frame(kind=Kind.ECHO, sequence=9, payload=b"x"))
        )  # past the reset
        session = Session(line)
        assert session.counters()["refused"] == 1
        session._sequence += 5
        with pytest.raises(LinkError, match="refuses a frame"):
            session.echo(b"y")
        with pytest.raises(LinkError, match="refuses a frame"):
            Session(line).send(Kind.LOAD, b"ab", size=2)  # there is nothing to load


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_bad_start_does_no_harm(build, seed):
    """Memories that read 0 for 10 us and random registers, from the first cycle on.

    Two things stand against it, either of which is enough: the hold after configuration, whose length
    tests/rtl/tops/test_startup.py counts, and the reset with each hello.
    """
    late = BOARD.clock_hz // 100_000
    executable = board_executable([*build.core_verilog, build.path / "uart.v"], late=late)
    with port(executable, build, seed=seed) as line:
        all_right(Session(line), build, 3)


def test_nobody_answers_and_another_network():
    class Silent:
        def read(self, timeout):
            return b""

        def write(self, data):
            pass

    with pytest.raises(LinkError, match="does not answer after 2 tries"):
        Session(Silent(), timeout=0.001, tries=2)


def test_another_networks_board_is_refused(board, build, tmp_path):
    path = tmp_path / "other"
    write_build(path, emit(random_design((12, 5, 3))).files, source="a test")
    with port(board, build) as line, pytest.raises(LinkError, match="runs another network"):
        check_identity(Session(line), open_build(path))


def test_a_port_that_is_not_there_is_one_sentence():
    with pytest.raises(LinkError, match=r"'/dev/nowhere' cannot be opened .*plugged in"):
        Port("/dev/nowhere", 115200)
