"""Every row of docs/networks.md: our integers against what the libraries did, 24,576 spikes for each of five seeds."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.importers import BATCH, FRACTION_BITS, NEURONS, RECORD, ROWS, SEEDS, STEPS, differing, library_spikes, stub


def _recorded(name: str) -> np.ndarray:
    with np.load(RECORD) as record:
        bits = np.unpackbits(record[name])
    return bits.reshape(len(SEEDS), STEPS, BATCH, NEURONS).astype(bool)


@pytest.mark.parametrize("name", ROWS)
def test_no_spike_differs_from_the_record(name: str) -> None:
    row, spikes = ROWS[name], _recorded(name)
    assert spikes[0].size == 24_576
    assert 0.03 < spikes.mean() < 0.5
    for seed in SEEDS:
        assert differing(row, seed, stub(row), spikes[seed], row.fraction_bits) == 0, seed


@pytest.mark.nightly
@pytest.mark.parametrize("name", ROWS)
def test_no_spike_differs_from_the_library(name: str) -> None:
    row = ROWS[name]
    pytest.importorskip(row.library)
    for seed in SEEDS:
        expected = library_spikes(row, seed)
        assert (expected == _recorded(name)[seed]).all()
        assert differing(row, seed, row.made(), expected, row.fraction_bits) == 0, seed


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.fraction_bits])
def test_fewer_fraction_bits_are_not_enough(name: str) -> None:
    row, spikes = ROWS[name], _recorded(name)
    fewer = FRACTION_BITS[FRACTION_BITS.index(row.fraction_bits) - 1]
    assert any(differing(row, seed, stub(row), spikes[seed], fewer) for seed in SEEDS)


def test_the_documentation_has_every_row() -> None:
    """In the table of docs/networks.md, with its fraction bits and how many spikes differ at 8 of them."""
    text = (Path(__file__).parents[3] / "docs" / "networks.md").read_text()
    table = text.split("| neuron | equation | f | differ at f = 8 |")[1].split("\n\n")[0]
    stated, library = Counter[tuple[str, int, int]](), ""
    for line in table.splitlines()[2:]:
        neuron, _, bits, differ = re.split(r" *(?<!\\)\| *", line.strip("| "))
        first = neuron.split()[0].lower()
        library = first if first in {row.library for row in ROWS.values()} else library
        stated[library, int(bits), int(differ)] += 1 + ("hard and soft" in neuron)
    found = Counter[tuple[str, int, int]]()
    for name, row in ROWS.items():
        spikes = _recorded(name)
        differ = sum(differing(row, seed, stub(row), spikes[seed], 8) for seed in SEEDS)
        found[row.library, row.fraction_bits, differ] += 1
    assert found == stated


def test_the_comparison_can_fail() -> None:
    row = ROWS["snnTorch Leaky, beta 0.75, subtract"]
    assert differing(row, 0, stub(row), _recorded("snnTorch Leaky, beta 0.75, zero")[0], row.fraction_bits) > 100
