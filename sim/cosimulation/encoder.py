"""A send-on-delta encoder in Verilator: samples in, the events of each step out.

``samples.bin`` holds a sample per 4 bytes, big endian, two's complement; ``beats.bin`` what the encoder offers and the
bench takes, a beat per 4 bytes, little endian. Samples come with gaps, and beats are stalled.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import jinja2
import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import VerificationError
from snnc.compiler.plan import unsigned_bits
from snnc.rtl.tops import ENCODER
from snnc.sim.cosimulation.simulator import build_executable, run_bench
from snnc.sim.models.stimulus import Marker

__all__ = ["driven", "encoded"]

_TOP: Final = "snnc_encoder_bench"
_BENCH: Final = "snnc.sim.cosimulation.benches.self_driving"


def encoded(verilog: Path, samples: npt.NDArray[np.signedinteger], *, bits: int) -> npt.NDArray[np.uint8]:
    """The events ``(time, 2 channel)`` of samples ``(time, channel)`` of so many bits, from the Verilog of an encoder.

    Raises
    ------
    VerificationError
        It gives no event or marker where one must be, or more than one.
    ToolError
        Verilator is missing or failed.
    """
    steps, channels = samples.shape
    address_bits = unsigned_bits(2 * channels - 1)
    beats = driven([verilog], ENCODER, samples, bits=bits, beat_bits=address_bits + 3)
    address, event = beats & (2**address_bits - 1), beats >> address_bits & 1
    ends = beats >> (address_bits + 1) != Marker.NONE
    # A beat belongs to the step that the next marker ends, its own included.
    step = np.cumsum(ends) - ends
    if int(ends.sum()) != steps or (len(ends) and not ends[-1]) or int(address.max(initial=0)) >= 2 * channels:
        raise VerificationError(
            f"The encoder ended {int(ends.sum())} steps where {steps} were due, or spoke of unknown channels."
        )
    events = np.zeros((steps, 2 * channels), dtype=np.uint8)
    np.add.at(events, (step[event == 1], address[event == 1]), 1)
    return events


def driven(
    sources: Sequence[Path],
    module: str,
    samples: npt.NDArray[np.signedinteger],
    *,
    bits: int,
    beat_bits: int,
    patience: int = 16,
    cwd: Path | None = None,
) -> npt.NDArray[np.uint32]:
    """Send samples through `module`, whose ports are those of an encoder, and take the beats that come out of it.

    Parameters
    ----------
    sources
        Its Verilog.
    bits, beat_bits
        Of a sample, and of a beat; 32 at most.
    patience
        Cycles without a beat after which no more will come.
    cwd
        Where memory images lie.
    """
    template = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False).from_string(
        Path(__file__).with_suffix(".v.j2").read_text(encoding="utf-8")
    )
    bench = template.render(top=_TOP, module=module, bits=bits, beat_bits=beat_bits, patience=patience)
    executable = build_executable(sources, {"bench.v": bench}, _TOP)
    with tempfile.TemporaryDirectory(prefix="snnc-") as name:
        work = Path(name)
        samples.astype(">i4").tofile(work / "samples.bin")
        run_bench(executable, _BENCH, cwd=cwd or work, plusargs=[f"+work={work}", "+verilator+rand+reset+2"])
        return np.fromfile(work / "beats.bin", dtype="<u4")
