"""Registers behind block RAM: which are moved into it, and which stay."""

from __future__ import annotations

from typing import Any

import pytest

from snnc.compiler.targets import load_target
from snnc.compiler.targets.ecp5_registers import absorb_registers

CLOCK, ENABLE, RESET = 2, 3, 4


def block(width: int = 18) -> dict[str, Any]:
    """Bits 0 and 1 of port A are nets 10 and 11; of port B bit 0 is net 20."""
    connections = {f"CLK{port}": [CLOCK] for port in "AB"} | {f"OCE{port}": ["1"] for port in "AB"}
    connections |= {"DOA0": [10], "DOA1": [11], "DOA2": [12], "DOB0": [20]}
    return {
        "type": "DP16KD",
        "parameters": {
            **{f"DATA_WIDTH_{port}": f"{width:032b}" for port in "AB"},
            **{f"REGMODE_{port}": "NOREG" for port in "AB"},
        },
        "port_directions": {pin: "output" if pin.startswith("DO") else "input" for pin in connections},
        "connections": connections,
    }


def register(net: int, output: int, **changes: Any) -> dict[str, Any]:
    parameters = {"CEMUX": "1 ", "CLKMUX": "CLK", "LSRMUX": "LSR", "REGSET": "RESET"}
    connections = {"CLK": [CLOCK], "DI": [net], "LSR": ["0"], "Q": [output]}
    for name, value in changes.items():
        (connections if name in ("CLK", "DI", "LSR", "CE") else parameters)[name] = value
    return {
        "type": "TRELLIS_FF",
        "parameters": parameters,
        "port_directions": {pin: "output" if pin == "Q" else "input" for pin in connections},
        "connections": connections,
    }


def module(*, width: int = 18, **cells: Any) -> dict[str, Any]:
    ports = {"out": {"direction": "output", "bits": [30, 31, 40]}}
    return {"ports": ports, "cells": {"block": block(width), **cells}}


def test_registers_of_all_bits_in_use_are_moved() -> None:
    found = module(first=register(10, 30), second=register(11, 31), other=register(20, 40, LSR=[RESET]))
    assert absorb_registers(found) == 1
    assert set(found["cells"]) == {"block", "other"}
    cell = found["cells"]["block"]
    assert (cell["connections"]["DOA0"], cell["connections"]["DOA1"]) == ([30], [31])
    assert (cell["connections"]["DOA2"], cell["connections"]["DOB0"]) == ([12], [20])
    assert (cell["parameters"]["REGMODE_A"], cell["parameters"]["REGMODE_B"]) == ("OUTREG", "NOREG")
    assert cell["connections"]["OCEA"] == ["1"]


def test_an_enable_is_that_of_the_blocks_register() -> None:
    enable = {"CEMUX": "CE", "CE": [ENABLE]}
    found = module(first=register(10, 30, **enable), second=register(11, 31, **enable))
    assert absorb_registers(found) == 1
    assert found["cells"]["block"]["connections"]["OCEA"] == [ENABLE]


@pytest.mark.parametrize(
    "second",
    [
        register(11, 31, LSR=[RESET]),
        register(11, 31, REGSET="SET", LSR=["0"]),
        register(11, 31, CEMUX="CE", CE=[ENABLE]),
        register(11, 31, CEMUX="INV", CE=[ENABLE]),
        register(11, 31, CLK=[ENABLE]),
        register(11, 31, CLKMUX="INV"),
        {"type": "LUT4", "parameters": {}, "port_directions": {"A": "input"}, "connections": {"A": [11]}},
    ],
)
def test_one_that_is_otherwise_leaves_all_where_they_are(second: dict[str, Any]) -> None:
    found = module(first=register(10, 30), second=second)
    assert absorb_registers(found) == 0
    assert set(found["cells"]) == {"block", "first", "second"}
    assert found["cells"]["block"]["parameters"]["REGMODE_A"] == "NOREG"


def test_a_bit_that_goes_elsewhere_too_stays() -> None:
    found = module(first=register(10, 30), again=register(10, 31))
    assert absorb_registers(found) == 0
    seen = module(first=register(20, 40))
    seen["ports"]["out"]["bits"].append(20)
    assert absorb_registers(seen) == 0


def test_a_port_of_36_bits_is_read_by_the_pins_of_both_sides() -> None:
    enable = {"CEMUX": "CE", "CE": [ENABLE]}
    some = {"first": register(10, 30, **enable), "second": register(11, 31, **enable)}
    assert absorb_registers(module(width=36, **some, other=register(20, 40))) == 0
    found = module(width=36, **some, other=register(20, 40, **enable))
    assert absorb_registers(found) == 1
    assert set(found["cells"]) == {"block"}
    cell = found["cells"]["block"]
    assert [cell["connections"][pin] for pin in ("DOA0", "DOA1", "DOB0")] == [[30], [31], [40]]
    for side in "AB":
        assert (cell["parameters"][f"REGMODE_{side}"], cell["connections"][f"OCE{side}"]) == ("OUTREG", [ENABLE])


@pytest.mark.parametrize(("die", "moved"), [("25k", True), ("45k", True), ("85k", False)])
def test_on_the_largest_die_none_is_moved(die: str, moved: bool) -> None:
    target = load_target("ecp5")
    found = module(first=register(10, 30), second=register(11, 31))
    assert target.improve(found, target.device(die)) is moved  # type: ignore[attr-defined]  # of those with nextpnr
    assert ("first" not in found["cells"]) is moved
