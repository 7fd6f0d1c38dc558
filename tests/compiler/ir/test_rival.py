"""What follows from a student and its rival side by side."""

import dataclasses

import pytest

from snnc.compiler.ir import RivalRecord
from snnc.compiler.ir.rival import rival_bits

RECORD = RivalRecord(
    data="noise, test",
    samples=100,
    time_steps=4,
    epochs=10,
    accuracy=0.9,
    spiking_accuracy=0.8875,
    macs=1000.0,
    active_macs=400.0,
    operations=1500.0,
)


@pytest.mark.parametrize(("steps", "bits"), [(1, 1), (2, 2), (3, 2), (4, 3), (7, 3), (8, 4), (30, 5), (64, 7)])
def test_activations_can_say_what_spikes_can(steps, bits):
    assert rival_bits(steps) == bits
    assert 2 ** (bits - 1) < steps + 1 <= 2**bits


def test_rates_and_where_they_break_even():
    assert (RECORD.bits, RECORD.additions, RECORD.active_additions) == (3, 3000, 1200)
    assert RECORD.rate == 1500 / 4000
    assert RECORD.break_even == 0.75
    assert RECORD.active_break_even == pytest.approx(0.3)
    # At the rate that breaks even, both take the same additions.
    even = dataclasses.replace(RECORD, operations=RECORD.break_even * 1000 * 4)
    assert even.operations == even.additions


@pytest.mark.parametrize(
    ("operations", "words"),
    [
        (1199.0, "fewer additions, even where"),
        (1200.0, "and more than those that are not 0"),
        (2999.0, "and more than those that are not 0"),
        (3000.0, "more additions than activations"),
    ],
)
def test_the_verdict_takes_a_side(operations, words):
    verdict = dataclasses.replace(RECORD, operations=operations).verdict
    assert words in verdict
    assert verdict.endswith("The spiking network is 1.25 points worse.")


def test_a_network_of_one_layer_has_nothing_to_compare():
    alone = dataclasses.replace(RECORD, macs=0.0, active_macs=0.0, operations=0.0)
    assert (alone.rate, alone.active_break_even) == (0, 0)
