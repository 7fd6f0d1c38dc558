"""A board's top that speaks MLPerf Tiny's commands: the published runner's dialogue at its simulated pins."""

from __future__ import annotations

import contextlib
import dataclasses
import re

import pytest

from snnc.compiler import cli
from snnc.compiler.boards import find_board
from snnc.compiler.boards.clocks import oscillator
from snnc.compiler.build.folder import open_build
from snnc.compiler.commands.board_top import flash_load, top_for
from snnc.compiler.commands.verify import dataset_inputs, random_inputs
from snnc.compiler.ir import Encoding, Exit
from snnc.compiler.link import LinkError
from snnc.compiler.link.mlperf import Runner
from snnc.compiler.link.port import Port
from snnc.rtl.tops import MLPERF
from snnc.sim.cosimulation.board import board_executable, simulated_board
from snnc.sim.models import golden
from snnc.sim.trust.mlperf import logits_of, tensors, timed_answers
from snnc.sim.trust.onboard import checked
from tests.networks import build_graph, random_chain

pytestmark = pytest.mark.heavy

# Faster than the runner's rate, which is that of a real board: nothing depends on it but how long this takes.
BOARD = dataclasses.replace(find_board("icebreaker"), baud=1_000_000)


def executable(build, folder):
    top = folder / MLPERF.file
    top.write_text(top_for(build, BOARD, oscillator(BOARD), MLPERF))
    return board_executable([*build.core_verilog, top], top=MLPERF)


@contextlib.contextmanager
def line_to(program, build, *, flash=None):
    with simulated_board(program, cwd=build.path, clock_hz=BOARD.clock_hz, baud=BOARD.baud, flash=flash) as name:
        line = Port(name, BOARD.baud)
        try:
            yield line
        finally:
            line.close()


@pytest.fixture(scope="module")
def digits(repository, tmp_path_factory):
    path = tmp_path_factory.mktemp("mlperf") / "digits"
    student = repository / "examples/students/digits-64-32-10-int4.pt"
    assert cli.run(["compile", str(student), "-o", str(path)]) == 0
    build = open_build(path)
    return build, executable(build, build.path)


def test_the_published_dialogue(digits):
    """What ``benchmark/runner`` of github.com/mlcommons/tiny sends in its accuracy mode, and how it reads answers."""
    build, program = digits
    inputs, labels = dataset_inputs(build, "digits", data=None, samples=20, time_steps=build.plan.time_steps)
    trace = golden.run(build.load_graph(), inputs, time_steps=build.plan.time_steps)
    right = 0
    with line_to(program, build) as line:

        def send(command):
            line.write(command.encode() + b"%")
            return told()

        def told():
            text = b""
            while b"m-ready" not in text or not text.endswith(b"\n"):
                got = line.read(30)
                assert got, text
                text += got
            lines = text.decode("ascii").replace("\r", "").split("\n")[:-1]
            assert lines[-1] == "m-ready"
            return lines[:-1]

        Runner(line, timeout=30)  # what was said at the start may be lost or not
        assert send("name") == ["m-name-dut-[snnc icebreaker]"]
        assert send("profile") == [
            "m-profile-[ULPMark for tinyML Firmware V0.0.1]",
            "m-model-[digits-64-32-10-int4]",
        ]
        for number, sample in enumerate(tensors(build.plan, inputs)):
            assert send("db load 64") == ["m-[Expecting 64 bytes]"]
            answers = [send(f"db {sample[k : k + 31].hex()}") for k in range(0, len(sample), 31)]
            assert answers == [[], [], ["m-load-done"]]
            warm, ready, begin, start, end, done, results = send("infer 1 0")
            assert (warm, ready, begin) == ("m-warmup-start-0", "m-warmup-done", "m-infer-start-1")
            assert done == "m-infer-done"
            times = [int(text) for line in (start, end) for text in re.findall(r"^m-lap-us-([0-9]+)$", line)]
            assert 20 <= times[1] - times[0] <= 40
            (written,) = re.findall(r"^m-results-\[([^]]+)\]$", results)
            shares = [float(text) for text in written.split(",")]
            assert shares.index(max(shares)) == trace.classes[number]
            assert logits_of(build.plan, tuple(written.split(","))) == tuple(trace.logits[number])
            assert all(0 <= share < 1 for share in shares)
            right += shares.index(max(shares)) == labels[number]
        assert right >= 19
        assert send("results") == [results]
        *_, start, end, done, again = send("infer 120 3")
        assert again == results
        # Of that sample, once and 120 times; two and a half microseconds are spent before the first one at most, and of
        # each time only whole ones are told.
        assert abs((int(end.split("-")[-1]) - int(start.split("-")[-1])) / 120 - (times[1] - times[0])) <= 3.5


def test_what_is_no_command_is_told_so_and_nothing_hangs(digits):
    build, program = digits
    with line_to(program, build) as line:
        runner = Runner(line, timeout=30)
        assert runner.model == "digits-64-32-10-int4"
        for command, problem in {
            "names": "Unknown command: names",
            "db": "requires a subcommand",
            "db load": "64 bytes",
            "db load 640": "64 bytes",
            "db 0": "number of hex digits",
            "db 0g": "Invalid hex digit",
            "db print": "Invalid hex digit",
            "infer 0": "iterations must be >0",
            "infer many": "iterations must be >0",
            "infer 1 few": "warmup must be >=0",
            "x" * 200: "Unknown command: x",
        }.items():
            with pytest.raises(LinkError, match=problem):
                runner.ask(command)
        (stamp,) = runner.ask("timestamp")
        assert re.fullmatch(r"m-lap-us-\d{10}", stamp)
        assert [line.startswith("m-infer-start-1") for line in runner.ask("infer")].count(True) == 1
        assert "m-warmup-start-10" in runner.ask("  infer   7  ")
        # A host that dies in the middle of a command, and one that comes after it.
        line.write(b"db load 64%")
        line.write(b"db 0102")
        again = Runner(line, timeout=30)
        inputs = random_inputs(build.plan, 3, time_steps=build.plan.time_steps, density=0.3, seed=0)
        found = timed_answers(again, build, inputs)
        assert len(list(checked(found, build, inputs, time_steps=build.plan.time_steps))) == 3


@pytest.mark.parametrize("leaves", [None, Exit(margin=3, steps=(1, 2, 3))], ids=["no exit", "early exit"])
@pytest.mark.parametrize("encoding", [Encoding.EVENTS, Encoding.DIRECT])
def test_spikes_and_pixels_of_any_network(encoding, leaves, tmp_path):
    graph = dataclasses.replace(random_chain((13, 6, 3), encoding=encoding, seed=2), exit=leaves)
    build = build_graph(graph, tmp_path / "build", lanes=(2, 3))
    steps = build.plan.time_steps
    inputs = random_inputs(build.plan, 8, time_steps=steps, density=0.4, seed=1)
    with line_to(executable(build, tmp_path), build) as line:
        found = timed_answers(Runner(line, timeout=30), build, inputs)
        assert len(list(checked(found, build, inputs, time_steps=steps))) == 8


def test_weights_from_flash_are_computed_with_or_refused(tmp_path):
    graph = random_chain((40, 24, 10), encoding=Encoding.DIRECT, seed=4)
    build = build_graph(graph, tmp_path / "build", lanes=(4, 4), spram=True)
    assert BOARD.flash is not None
    steps, program, offset = build.plan.time_steps, executable(build, tmp_path), BOARD.flash.offset
    inputs = random_inputs(build.plan, 5, time_steps=steps, density=0.3, seed=0)
    weights = tmp_path / "weights.bin"
    weights.write_bytes(flash_load(build, BOARD) or b"")
    with line_to(program, build, flash=(weights, offset)) as line:
        found = timed_answers(Runner(line, timeout=60), build, inputs)
        assert len(list(checked(found, build, inputs, time_steps=steps))) == 5
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 0x10
    weights.write_bytes(content)
    with line_to(program, build, flash=(weights, offset)) as line, pytest.raises(LinkError, match="weights in flash"):
        Runner(line, timeout=20)
