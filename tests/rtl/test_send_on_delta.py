"""The send-on-delta encoder in gateware: the events of the one in NumPy, sample for sample."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.compiler.ir import Encoding
from snnc.compiler.plan import InputPlan
from snnc.distill.data import send_on_delta
from snnc.rtl.beats import Marker
from snnc.rtl.send_on_delta import SendOnDelta
from tests.rtl.benches import PACES
from tests.rtl.plans import layout
from tests.rtl.streams import exchange


def plan(channels: int) -> InputPlan:
    return InputPlan(name="input", encoding=Encoding.EVENTS, layout=layout(2 * channels), value_bits=1)


def beats(events: np.ndarray, *, every: int | None = None) -> list[dict[str, int]]:
    """The beats for events ``[time, address]``: the last channel's carries the marker."""
    found = []
    for step, spoken in enumerate(events, start=1):
        marker = Marker.ANSWER if every is not None and step % every == 0 else Marker.STEP
        *others, up, down = spoken.tolist()
        found += [{"address": at, "event": 1, "marker": 0} for at, value in enumerate(others) if value]
        address = len(others) + down if up or down else 0
        found.append({"address": address, "event": up | down, "marker": marker.value})
    return found


def signal(channels: int, steps: int, bits: int, seed: int) -> np.ndarray:
    """A walk that meets the ends of its range, and jumps from one to the other."""
    generator = np.random.default_rng(seed)
    top = 2 ** (bits - 1) - 1
    steps_of = generator.integers(-(2 ** max(0, bits - 4)), 2 ** max(0, bits - 4) + 1, (steps, channels))
    walk = np.clip(np.cumsum(steps_of, axis=0), -top - 1, top)
    jumps = generator.random((steps, channels)) < 0.05
    return np.where(jumps, generator.choice([-top - 1, top], (steps, channels)), walk).astype(np.int32)


@pytest.mark.parametrize(("gap", "stall"), PACES)
@pytest.mark.parametrize(("channels", "bits", "every"), [(1, 8, None), (3, 6, 4), (6, 16, 1), (2, 12, 3)])
def test_events_are_those_of_numpy(channels: int, bits: int, every: int | None, gap: float, stall: float) -> None:
    samples = signal(channels, 60, bits, seed=channels)
    thresholds = tuple(int(value) for value in np.random.default_rng(bits).integers(1, 2 ** (bits - 2), channels))
    wanted = beats(send_on_delta.SendOnDelta(thresholds=thresholds).encode(samples)[0], every=every)
    unit = SendOnDelta(plan(channels), thresholds, bits, every=every)
    got, _, _ = exchange(unit, samples.reshape(-1).tolist(), len(wanted), gap=gap, stall=stall)
    assert got == wanted
    assert 0.02 < sum(beat["event"] for beat in wanted) / samples.size < 0.9


def test_a_sample_a_cycle() -> None:
    samples = signal(4, 50, 10, seed=0)
    unit = SendOnDelta(plan(4), (3, 5, 7, 9), 10)
    wanted = beats(send_on_delta.SendOnDelta(thresholds=(3, 5, 7, 9)).encode(samples)[0])
    _, taken, left = exchange(unit, samples.reshape(-1).tolist(), len(wanted))
    assert taken == list(range(200))
    assert left[-1] == 200


@pytest.mark.parametrize("threshold", [1, 254, 255, 256, 2**32 - 1])
def test_thresholds_up_to_what_no_change_reaches(threshold: int) -> None:
    samples = np.array([[-128], [127], [-128], [126], [127]], np.int16)
    wanted = beats(send_on_delta.SendOnDelta(thresholds=(threshold,)).encode(samples)[0])
    got, _, _ = exchange(SendOnDelta(plan(1), (threshold,), 8), samples.reshape(-1).tolist(), len(wanted))
    assert got == wanted


@pytest.mark.parametrize(
    ("thresholds", "bits", "every", "said"),
    [((1, 2), 8, None, "2 channels have 4 addresses"), ((0,), 8, None, "at least 1"), ((1,), 8, 0, "at least 1 step")],
)
def test_what_cannot_be_built_is_refused(thresholds: tuple[int, ...], bits: int, every: int | None, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        SendOnDelta(plan(1), thresholds, bits, every=every)
