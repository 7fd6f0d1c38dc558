"""What limits the clock, from nextpnr's report and Yosys's names; reports and netlists are cut from recorded ones."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from snnc.compiler.targets.critical import CriticalPath, PathEnd, clock_name, critical_path

CLOCK = "posedge clk$SB_IO_IN_$glb_clk"


def hop(kind: str, delay: float, cell: str, port: str, to: tuple[str, str] | None = None) -> dict[str, Any]:
    """A hop within a cell, or to another one."""
    other = to or (cell, port)
    ends = {
        end: {"cell": name, "loc": [8, 12], "port": at} for end, (name, at) in (("from", (cell, port)), ("to", other))
    }
    return {"type": kind, "delay": delay, **ends}


TURN = "core.engine_readout.sequencer.turn_SB_DFFESR_Q_D_SB_LUT4_O_LC"
FINAL = "core.spikes_readout.final_SB_LUT4_I1_LC"
CARRY = "core.engine_dense1.lanes0._012__SB_CARRY_CO_{}$CARRY"
RESERVED = "core.engine_dense1.output.reserved0_SB_DFFESR_Q_D_SB_LUT4_O_LC"

REPORT: dict[str, Any] = {
    "critical_paths": [
        {"from": "<async>", "to": CLOCK, "path": [hop("routing", 90.0, "i__valid$sb_io", "D_IN_0", (FINAL, "I0"))]},
        {
            "from": CLOCK,
            "to": CLOCK,
            "path": [
                hop("clk-to-q", 1.39, TURN, "O"),
                hop("routing", 3.6, TURN, "O", (FINAL, "I1")),
                hop("logic", 1.2, FINAL, "I1", (FINAL, "O")),
                hop("routing", 5.0, FINAL, "O", (CARRY.format(1), "I1")),
                hop("logic", 0.6, CARRY.format(1), "I1", (CARRY.format(1), "COUT")),
                hop("routing", 0.0, CARRY.format(1), "COUT", (CARRY.format(2), "CIN")),
                hop("logic", 0.3, CARRY.format(2), "CIN", (CARRY.format(2), "COUT")),
                hop("routing", 2.4, CARRY.format(2), "COUT", (RESERVED, "CEN")),
                hop("setup", 0.1, RESERVED, "CEN"),
            ],
        },
    ],
    "fmax": {"clk$SB_IO_IN_$glb_clk": {"achieved": 68.5, "constraint": 40}},
}


def register(q: int, d: int) -> dict[str, Any]:
    return {"type": "SB_DFFESR", "connections": {"C": [2], "D": [d], "Q": [q]}}


def lut(o: int) -> dict[str, Any]:
    return {
        "type": "SB_LUT4",
        "connections": {"I0": [3], "I1": ["0"], "O": [o]},
        "port_directions": {"I0": "input", "I1": "input", "O": "output"},
    }


def net(name: str, *bits: int, public: bool = True) -> dict[str, Any]:
    *scopes, signal = name.split("/")
    attributes = {"hdlname": " ".join([*scopes, signal])} if public else {}
    return {".".join([*scopes, signal]): {"attributes": attributes, "bits": list(bits)}}


SCOPES = ["core", "core.engine_readout", "core.engine_readout.sequencer", "core.spikes_readout", "core.engine_dense1"]
SCOPES += ["core.engine_dense1.lanes0", "core.engine_dense1.output", "core.map_conv2", "core.map_conv2.memory"]

MODULES: dict[str, Any] = {
    "snnc_shell": {
        "ports": {"i__valid": {"direction": "input", "bits": [9]}},
        "cells": {
            **{scope: {"type": "$scopeinfo", "connections": {}} for scope in SCOPES},
            "core.engine_readout.sequencer.turn_SB_DFFESR_Q": register(20, 21),
            "core.engine_readout.sequencer.turn_SB_DFFESR_Q_D_SB_LUT4_O": lut(21),
            "core.engine_dense1.output.reserved0_SB_DFFESR_Q": register(31, 32),
            # Its look-up table may be called after what it reads.
            "core.spikes_readout.event_SB_LUT4_I0": lut(32),
            "core.engine_dense1.output.reserved0_SB_DFFESR_Q_D_SB_LUT4_O": lut(32),
        },
        "netnames": {
            **net("core/engine_readout/operation", 18, 19, 20),
            **net("core/engine_readout/sequencer/turn", 20),
            **net("core/engine_readout/sequencer/_045_", 20),
            **net("core/engine_dense1/output/reserved0", 30, 31),
            **net("i__valid_SB_LUT4_I2_O", 31, public=False),
        },
    }
}


def test_a_recorded_path() -> None:
    found = critical_path(REPORT, MODULES, "snnc_shell")
    assert found is not None
    assert (round(found.logic_ns, 6), round(found.routing_ns, 6)) == (3.59, 11.0)
    assert found == CriticalPath(
        clock="clk",
        source=PathEnd(unit="engine_readout.sequencer", signal="turn", port="O"),
        sink=PathEnd(unit="engine_dense1.output", signal="reserved0[1]", port="CEN"),
        through=("engine_readout.sequencer", "spikes_readout", "engine_dense1.lanes0", "engine_dense1.output"),
        levels=2,  # a look-up table, and two cells of one carry
        logic_ns=found.logic_ns,
        routing_ns=found.routing_ns,
    )
    assert found.source.text == "engine_readout.sequencer turn"
    assert found.facts["sink"] == {"unit": "engine_dense1.output", "signal": "reserved0[1]", "port": "CEN"}


def ends(cell: str, port: str = "D", modules: Any = MODULES) -> PathEnd:
    report = {"critical_paths": [{"from": CLOCK, "to": CLOCK, "path": [hop("setup", 0.1, cell, port)]}]}
    found = critical_path(report, modules, "snnc_shell")
    assert found is not None
    return found.sink


def test_a_register_behind_a_table_that_is_called_after_another_signal() -> None:
    assert ends("core.spikes_readout.event_SB_LUT4_I0_LC", "I0").signal == "reserved0[1]"


@pytest.mark.parametrize("cell", ["core.map_conv2.memory.memory.0.3", "core.map_conv2.memory.memory.0.0_RAM"])
def test_a_memory(cell: str) -> None:
    assert ends(cell, "RADDR_0") == PathEnd(unit="map_conv2.memory", signal="memory", port="RADDR_0")


@pytest.mark.parametrize(
    ("cell", "unit"),
    [
        ("core.engine_dense1.lanes0._012__SB_LUT4_O_LC", "engine_dense1.lanes0"),  # no register that has a name
        ("$nextpnr_ICESTORM_LC_4", ""),
        ("core.engine_lost.sequencer.word_SB_DFF_Q", "core"),  # instances that the netlist has not
        ("", ""),
    ],
)
def test_what_has_no_name_says_so(cell: str, unit: str) -> None:
    found = ends(cell)
    assert found == PathEnd(unit=unit, signal=None, port="D")
    assert found.text == f"{unit or 'top'} unnamed logic"


def test_a_netlist_without_names() -> None:
    nameless: list[Any] = [{}, {"snnc_shell": {}}, {"snnc_shell": {"cells": {}, "netnames": {}}}]
    for modules in nameless:
        found = critical_path(REPORT, modules, "snnc_shell")
        assert found is not None
        assert found.source == PathEnd(unit="", signal=None, port="O")
        assert (found.levels, found.through) == (2, ("",))


def test_of_several_clocks_the_slowest() -> None:
    report = copy.deepcopy(REPORT)
    slow = "posedge $glbnet$slow$TRELLIS_IO_IN"
    report["critical_paths"].append(
        {"from": slow, "to": slow, "path": [hop("routing", 99.0, TURN, "O", (FINAL, "I1"))]}
    )
    report["critical_paths"].append({"from": CLOCK, "to": slow, "path": [hop("routing", 999.0, TURN, "O")]})
    found = critical_path(report, MODULES, "snnc_shell")
    assert found is not None
    assert (found.clock, found.routing_ns, found.levels) == ("slow", 99.0, 0)


@pytest.mark.parametrize(
    "report",
    [
        {},
        [],
        None,
        {"critical_paths": []},
        {"critical_paths": None},
        {"critical_paths": [{"from": CLOCK, "to": CLOCK, "path": []}]},
        {"critical_paths": [{"from": "<async>", "to": CLOCK, "path": [hop("setup", 1.0, "a", "D")]}]},
        {"critical_paths": [{"from": CLOCK, "to": CLOCK, "path": [{"delay": "1"}]}]},
        {"critical_paths": [{"from": CLOCK, "to": CLOCK, "path": [{"delay": 1.0, "type": "setup"}]}]},
        {"critical_paths": [{"from": CLOCK, "to": CLOCK, "path": [{"from": None, "to": 3, "delay": 1.0}]}]},
        {"critical_paths": [3]},
    ],
)
def test_a_report_without_a_path_or_of_another_form_gives_none(report: Any) -> None:
    assert critical_path(report, MODULES, "snnc_shell") is None


@pytest.mark.parametrize(
    "modules",
    [
        None,
        {"snnc_shell": None},
        {"snnc_shell": {"cells": {"a": {}}}},
        {"snnc_shell": {"cells": {"a": {"type": "SB_DFF", "connections": {"D": [], "Q": []}}}}},
        {"snnc_shell": {"netnames": {"core.a": {"bits": [1]}}}},
    ],
)
def test_a_netlist_of_another_form_gives_none(modules: Any) -> None:
    assert critical_path(REPORT, modules, "snnc_shell") is None


@pytest.mark.parametrize(
    ("net", "clock"),
    [
        ("clk$SB_IO_IN_$glb_clk", "clk"),
        ("$glbnet$clk$TRELLIS_IO_IN", "clk"),
        ("$iopadmap$clk", "clk"),
        ("core.clk", "core.clk"),
    ],
)
def test_clock_names(net: str, clock: str) -> None:
    assert clock_name(net) == clock
