"""Budgets: what their terms mean, and which point is taken."""

from __future__ import annotations

import pytest

from snnc.compiler.errors import OptionError
from snnc.compiler.explore.budget import answer, parse_budget
from tests.compiler.explore.rows import row


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("<=25us", True),
        ("<25us", False),
        ("<=24.9 us", False),
        ("<=0.025 ms", True),
        ("<= 25000ns time", True),
        ("<=1000 cycles", True),
        ("<=999 cycles", False),
        ("<=19% logic", True),
        ("<=18% logic", False),
        ("<=19% logic of up5k", True),
        ("<=50% logic of hx8k", False),
        ("<=1000 logic", True),
        ("<1000 logic", False),
        ("<=16 kbit memory", True),
        ("<=15 kbit memory", False),
        ("<=2% memory", True),
        (">=90% accuracy", True),
        (">90% accuracy", False),
        ("<=10nJ", True),
        ("<=0.009 uJ energy", False),
    ],
)
def test_a_term_means_what_it_says(text, holds):
    (term,) = parse_budget(text)
    assert term.holds(row(accuracy=0.9, cycles=1000, cells=1000, blocks=4, energy_nj=10)) == holds


@pytest.mark.parametrize(
    "text",
    ["", "20us", "<=20", "<=20%", "<=20 parsecs", "<=20us accuracy", "<=5% logic of nothing", "<=1us,,>=9% accuracy"],
)
def test_what_is_no_term_is_refused(text):
    with pytest.raises(OptionError, match="--budget"):
        parse_budget(text)


def test_the_cheapest_within_is_taken_and_the_next_better_is_named():
    cheap = row(accuracy=0.90, cells=900)
    dear = row(accuracy=0.95, cells=1500)
    beyond = row(accuracy=0.99, cells=4000, cycles=900)
    poor = row(accuracy=0.5, cells=100)
    found = answer([dear, beyond, poor, cheap], parse_budget(">=90% accuracy, <=50% logic"))
    assert found.taken is cheap
    assert found.better == {"accuracy": dear, "time": beyond}


def test_a_better_one_does_not_fall_short_of_what_must_be_reached():
    cheap = row(accuracy=0.90, cells=900)
    inaccurate = row(accuracy=0.5, cells=950, cycles=10)
    assert answer([cheap, inaccurate], parse_budget(">=90% accuracy")).better == {}


def test_logic_of_families_is_compared_in_cells_of_one_kind():
    there = row(cells=1000)
    # Each of GateMate's look-up tables holds less.
    elsewhere = row(cells=1200, target="gatemate", device="ccgm1a1")
    assert elsewhere.point.device.logic_scale > 1.2
    assert answer([there, elsewhere], parse_budget("<=1ms")).taken is elsewhere


def test_where_nothing_is_within_the_nearest_says_what_it_misses():
    near = row(accuracy=0.88)
    far = row(accuracy=0.5, cells=10)
    found = answer([far, near], parse_budget(">=90% accuracy, <=50% logic"))
    assert (found.taken, found.nearest) == (None, near)
    assert [term.text for term in found.missed] == [">=90% accuracy"]


def test_what_does_not_fit_is_not_taken():
    found = answer([row(reason="needs 31 EBR (it has 30)")], parse_budget("<=1ms"))
    assert (found.taken, found.nearest) == (None, None)
