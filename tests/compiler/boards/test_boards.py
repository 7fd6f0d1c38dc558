"""The table of boards: held against amaranth-boards where it has the board, and against the families' own packages."""

from __future__ import annotations

import dataclasses
import importlib
import re

import pytest

from snnc.compiler import cli
from snnc.compiler.boards import BOARDS, find_board
from snnc.compiler.errors import OptionError
from snnc.compiler.targets import Pin, load_target

FOREIGN = {
    "icebreaker": ("icebreaker", "ICEBreakerPlatform"),
    "icesugar": ("icesugar", "ICESugarPlatform"),
    "upduino3": ("upduino_v3", "UpduinoV3Platform"),
    "hx8k-evn": ("ice40_hx8k_b_evn", "ICE40HX8KBEVNPlatform"),
    "ulx3s": ("ulx3s", "ULX3S_12F_Platform"),
    "orangecrab": ("orangecrab_r0_2", "OrangeCrabR0_2_25FPlatform"),
    "tangnano9k": ("tang_nano_9k", "TangNano9kPlatform"),
}
"""Module and class of amaranth-boards."""


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_is_listed_under_its_name_for_devices_that_exist_and_says_where_its_figures_are_from(name):
    board = find_board(name)
    assert board.name == name
    for device in board.devices:
        board.device(device).package(board.package)
    derived = {"name", "title", "url", "target", "devices", "baud", "held", "note", "flash", "sources"}
    always = {field.name for field in dataclasses.fields(board)} - derived
    told = always - {name for name in ("activity", "pll") if getattr(board, name) is None}
    told |= {field for field in ("held", "note", "flash") if getattr(board, field)}
    told |= {"baud"} if board.baud != 1_000_000 else set()
    assert told <= set(board.sources)
    pins = [board.clock_pin, board.receive, board.transmit, board.life.pin, *(held.pin for held in board.held)]
    assert len(set(pins)) == len(pins)


@pytest.mark.parametrize("name", FOREIGN)
def test_pins_and_clocks_are_those_of_amaranth_boards(name):
    board = find_board(name)
    module, platform = FOREIGN[name]
    found = getattr(importlib.import_module(f"amaranth_boards.{module}"), platform)
    pins: dict[str, set[str]] = {"led": set(), "uart.rx": set(), "uart.tx": set()}
    clocks = {}
    inverted: dict[str, bool] = {}
    for resource in found.resources:
        if resource.clock is not None:
            clocks[resource.ios[0].names[0]] = resource.clock.frequency
        for part in resource.ios:
            for held in part.ios if hasattr(part, "ios") else [part]:
                if "led" in resource.name and hasattr(held, "names"):
                    pins["led"] |= set(held.names)
                    inverted |= dict.fromkeys(held.names, held.invert)
                if resource.name == "uart" and part.name in ("rx", "tx"):
                    pins[f"uart.{part.name}"] |= set(held.names)
    assert clocks[board.clock_pin] == board.clock_hz
    lights = [light for light in (board.life, board.activity) if light]
    assert {light.pin for light in lights} <= pins["led"]
    assert all(inverted[light.pin] == light.low for light in lights)
    if pins["uart.rx"]:
        assert ({board.receive}, {board.transmit}) == (pins["uart.rx"], pins["uart.tx"])


def test_pins_that_amaranth_boards_does_not_have_are_counted():
    """A board that it learns to know is one to hold against it."""
    assert set(BOARDS) - set(FOREIGN) == {"colorlight-i5", "tangnano20k", "gatemate-evb"}


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("ice40", "set_io clk 35\nset_io -pullup yes rx 6\n"),
        ("ecp5", 'LOCATE COMP "clk" SITE "35";\nIOBUF PORT "clk" IO_TYPE=LVCMOS33;\n'
                 'LOCATE COMP "rx" SITE "6";\nIOBUF PORT "rx" IO_TYPE=LVCMOS33 PULLMODE=UP;\n'),
        ("gowin", 'IO_LOC "clk" 35;\nIO_PORT "clk" IO_TYPE=LVCMOS33;\n'
                  'IO_LOC "rx" 6;\nIO_PORT "rx" IO_TYPE=LVCMOS33 PULL_MODE=UP;\n'),
        ("gatemate", 'Net "clk" Loc = "35";\nNet "rx" Loc = "6" | PULLUP=true;\n'),
    ],
)  # fmt: skip
def test_constraints_of_each_family(target, text):
    pins = (Pin(port="clk", location="35"), Pin(port="rx", location="6", pull_up=True))
    assert load_target(target).constraints(pins) == text


def test_an_unknown_board_or_a_device_that_it_does_not_have_is_one_sentence():
    with pytest.raises(OptionError, match="There is no board 'arty': the boards are icebreaker, "):
        find_board("arty")
    with pytest.raises(OptionError, match="The board ulx3s has no device 'up5k': it comes with 12k, 25k, 45k, 85k"):
        find_board("ulx3s").device("up5k")


def test_the_command_lists_all_and_what_fits(repository, capsys):
    assert cli.run(["boards"]) == 0
    out = capsys.readouterr().out
    assert all(re.search(rf"^ *{name} ", out, re.MULTILINE) for name in BOARDS)
    assert cli.run(["boards", str(repository / "examples/students/mnist-784-128-10-int4.pt")]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.split()}
    assert "needs" in lines["tangnano9k"]
    assert "fits 25k: about" in lines["ulx3s"] or "fits 12k: about" in lines["ulx3s"]
