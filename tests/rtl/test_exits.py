"""One sample at a time, and what is left of a cancelled one."""

from __future__ import annotations

from typing import Any

import pytest

from snnc.compiler.ir import Encoding
from snnc.compiler.plan import InputPlan
from snnc.rtl.beats import Marker
from snnc.rtl.exits import OneSample
from tests.rtl.benches import paced, simulate
from tests.rtl.plans import layout

STEPS = 3
PER_STEP = 2

CANCELS = (None, 0, 2, 3, STEPS * PER_STEP - 1, "waiting")
"""By the sample: after which of its beats the cancel comes, in the cycle in which that beat passes; or later."""


def beats(sample: int) -> list[tuple[int, Marker]]:
    """Its address is the sample."""
    markers = [Marker.NONE, Marker.STEP] * (STEPS - 1) + [Marker.NONE, Marker.SAMPLE]
    return [(sample, marker) for marker in markers]


@pytest.mark.parametrize("pause", [0.0, 0.6])
def test_what_passes_and_what_is_dropped(pause: float) -> None:
    unit = OneSample(InputPlan(name="input", encoding=Encoding.EVENTS, layout=layout(16), value_bits=1))
    queue = [beat for sample in range(len(CANCELS)) for beat in beats(sample)]
    passed: list[list[Marker]] = [[] for _ in CANCELS]

    async def process(ctx: Any) -> None:
        offers, accepts = paced(pause, "offer"), paced(pause, "accept")
        sample, sent, since, clears, offered = 0, 0, None, 4, False
        for _ in range(600):
            offered = offered or bool(next(offers))
            valid = offered and sent < len(queue)
            ctx.set(unit.i.valid, valid)
            if valid:
                ctx.set(unit.i.payload.address, queue[sent][0])
                ctx.set(unit.i.payload.marker, queue[sent][1])
            accept = bool(next(accepts))
            ctx.set(unit.o.ready, accept)
            ctx.set(unit.clears, clears > 0)
            passes = bool(ctx.get(unit.o.valid)) and accept
            cancel = finished = False
            if passes:
                # Nothing of a sample before the one before it has left and all is clear.
                assert ctx.get(unit.o.payload.address) == sample
                assert clears == 0
                passed[sample].append(queue[sent][1])
                cancel = CANCELS[sample] == len(passed[sample]) - 1
                if passed[sample][-1] == Marker.SAMPLE and not cancel:
                    since = 0
            elif since is not None and CANCELS[sample] == "waiting" and since == 3:
                cancel = True
            # The results leave some cycles later.
            if cancel:
                clears, since = 5, 5
            elif since is not None:
                since += 1
                finished = since == 9
            ctx.set(unit.cancel, cancel)
            ctx.set(unit.finished, finished)
            if valid and ctx.get(unit.i.ready):
                sent, offered = sent + 1, False
            await ctx.tick()
            clears -= clears > 0 and not cancel
            if finished:
                sample, since = sample + 1, None
        assert (sample, sent) == (len(CANCELS), len(queue))

    simulate(unit, process)
    wanted = [len(beats(0)) if not isinstance(cancel, int) else cancel + 1 for cancel in CANCELS]
    assert [len(markers) for markers in passed] == wanted
