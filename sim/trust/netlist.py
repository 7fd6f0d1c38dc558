"""Gate level: does the synthesised netlist still compute the golden model's logits?

What is simulated is the design that is placed and routed, the core in its serial shell, as look-up tables, carries,
flip-flops and block RAMs with the contents that synthesis gave them. Inside it there is nothing left to compare but
what leaves it, so that this comes after `snnc.sim.trust.verify`, not in its place.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from snnc.compiler.build.folder import Build
from snnc.rtl.tops import SHELL_HOLD
from snnc.sim.cosimulation.ports import clocked_shell, serial_input_bits
from snnc.sim.cosimulation.simulator import build_executable, run_bench
from snnc.sim.trust.protocol import vectors

__all__ = ["verify_netlist"]

_TOP = "snnc_gates"
_BENCH = "snnc.sim.cosimulation.benches.serial"


def verify_netlist(build: Build, netlist: Sequence[Path], inputs: npt.NDArray[Any], *, time_steps: int) -> int:
    """Send samples through the netlist bit by bit; returns the number of result bits compared.

    Parameters
    ----------
    netlist
        Verilog of the mapped shell and its cells (`snnc.compiler.targets.Target.netlist_verilog`).
    inputs
        As `snnc.sim.models.golden.run` takes them.

    Raises
    ------
    VerificationError
        A bit differs, is lost or invented.
    """
    beat_bits = serial_input_bits(build.plan)
    content = vectors(build, inputs, time_steps=time_steps, beat_cycles=beat_bits)
    result_bits = sum(content["widths"]["o"].values())
    bits = {
        "inputs": _bits(content["beats"], beat_bits),
        "results": _bits(content["results"], result_bits),
        "result_bits": result_bits,
        "patience": content["patience"] + SHELL_HOLD,
    }
    executable = build_executable(netlist, {"gates.v": clocked_shell(_TOP, build.plan)}, _TOP)
    with tempfile.TemporaryDirectory(prefix="snnc-") as name:
        path = Path(name) / "bits.json"
        path.write_text(json.dumps(bits))
        run_bench(executable, _BENCH, cwd=build.path, environment={"SNNC_BITS": str(path)})
    return len(bits["results"])


def _bits(payloads: list[int], width: int) -> str:
    """All payloads in order, each from its lowest bit, as text of 0 and 1."""
    return "".join(f"{payload:0{width}b}"[::-1] for payload in payloads)
