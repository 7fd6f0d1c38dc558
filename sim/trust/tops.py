"""A board's whole top as the tools have left it: does it still give the golden model's answers?

What is simulated is a netlist, that of synthesis, that which was routed, or the one that a bitstream holds, with the
board's own pins and clock, and a host at its serial line. Nothing of the plan is left in it but what it does: so this
comes after `snnc.sim.trust.verify`, not in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from snnc.compiler.build.folder import Build
from snnc.compiler.errors import VerificationError
from snnc.compiler.link import LinkError, Session
from snnc.compiler.link.mlperf import Runner
from snnc.compiler.link.port import Port
from snnc.rtl.tops import MLPERF, UART, Top
from snnc.sim.cosimulation.board import board_executable, simulated_board
from snnc.sim.trust.mlperf import timed_answers
from snnc.sim.trust.onboard import answers, check_identity, check_link, checked, load

__all__ = ["verify_top"]

_TIMEOUT = 60.0
"""Seconds for an answer, since a netlist takes many times as long as the Verilog that it was made of. Nothing is sent
twice: this line loses nothing, so that a board which must be asked again is not the one that it should be."""


def verify_top(
    build: Build,
    netlist: Sequence[Path],
    inputs: npt.NDArray[Any],
    *,
    time_steps: int,
    clock_hz: int,
    baud: int,
    flash: tuple[Path, int] | None = None,
    top: Top = UART,
) -> int:
    """Send samples to a board's top in simulation; returns how many answers, class and logits, were right.

    Frames that carry no sample are sent too: `check_link`.

    Parameters
    ----------
    netlist
        Verilog of the top and of its cells.
    inputs
        As `snnc.sim.models.golden.run` takes them.
    clock_hz, baud
        Of the board's oscillator, and of its serial line.
    flash
        What is in the board's flash, and from which byte on.
    top
        Which one of the board's it is: what its line speaks.

    Raises
    ------
    VerificationError
        An answer differs, or none comes.
    """
    # A load alone is millions of cycles.
    executable = board_executable(netlist, optimised=bool(build.plan.loaded), top=top)
    with simulated_board(executable, cwd=build.path, clock_hz=clock_hz, baud=baud, flash=flash) as name:
        line = Port(name, baud)
        try:
            if top is MLPERF:
                timed = timed_answers(Runner(line, timeout=_TIMEOUT), build, inputs)
                return sum(1 for _ in checked(timed, build, inputs, time_steps=time_steps))
            session = Session(line, timeout=_TIMEOUT, tries=1)
            check_identity(session, build)
            load(session, build)
            found = list(
                checked(answers(session, build, inputs, time_steps=time_steps), build, inputs, time_steps=time_steps)
            )
            check_link(session, found[-1].logits)
            return len(found)
        except LinkError as error:
            raise VerificationError(f"The top does not answer as a board of this build would: {error}") from None
        finally:
            line.close()
