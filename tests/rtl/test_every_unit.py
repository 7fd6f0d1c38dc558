"""Every module of `rtl/` has a test file in the same place below `tests/rtl/`, or a reason why not."""

from __future__ import annotations

from pathlib import Path

ELSEWHERE = {
    "beats.py": "test_views.py holds the layouts and their classes equal",
    "block_queue.py": "test_queue.py puts both queues through the same streams",
    "byte_serialiser.py": "test_serialisers.py",
    "core.py": "wires alone; tests/sim/cosimulation/ runs whole cores against the golden model and the timing",
    "digit_serialiser.py": "test_serialisers.py",
    "emit.py": "tests/test_emitted.py holds its text byte for byte",
    "engines/gather/circuit.py": "wires its units; tests/sim/trust/test_gathering.py runs it in cores",
    "engines/scatter/circuit.py": "wires sequencer, lanes and output; tests/sim/cosimulation/ runs it in cores",
    "spike_serialiser.py": "test_serialisers.py",
    "tops/board.py": "what the tops of a board share: tests/sim/trust/test_onboard.py",
    "tops/flash.py": "tests/sim/trust/test_flash.py runs it in a whole top, against a flash",
    "tops/mlperf/interpreter.py": "tests/sim/trust/test_mlperf.py runs the whole top, with the published dialogue",
    "tops/mlperf/program.py": "text and numbers alone; the same",
    "tops/mlperf/top.py": "the same",
    "tops/running.py": "tops/test_axis.py and test_parallel.py, whose tops are little else",
    "tops/shell.py": "tops/test_shell.py has its two converters; test_emitted.py its text",
    "tops/uart/control.py": "tests/sim/trust/test_onboard.py runs the whole top against the host's side and its faults",
    "tops/uart/places.py": "numbers alone; the same",
    "tops/uart/results.py": "the same",
    "tops/uart/top.py": "the same",
    "walkers/members.py": "names of ports, which each walker's bench drives",
}
WITNESSES = ("plan", "memories", "images", "cells", "timing", "estimate", "bound")
"""Files of the folder of an engine or a walker that are no hardware: other tests hold them against it."""


def _test_of(module: Path, tests: Path) -> Path:
    return tests / module.parent / f"test_{module.name}"


def test_every_module_has_its_bench_or_a_reason(repository: Path) -> None:
    folder, tests = repository / "rtl", repository / "tests" / "rtl"
    modules = {path.relative_to(folder) for path in folder.rglob("*.py")}
    hardware = {
        m
        for m in modules
        if m.stem != "__init__" and not (m.parts[0] in ("engines", "walkers") and m.stem in WITNESSES)
    }
    without = {str(module) for module in hardware if not _test_of(module, tests).exists()}
    assert without <= set(ELSEWHERE)
    # A reason goes when its module has gone.
    assert set(ELSEWHERE) <= {str(module) for module in hardware}
