"""Every row of docs/networks.md: our integers against what the libraries did, 24,576 spikes for each of five seeds."""

from __future__ import annotations

import numpy as np
import pytest

from tests.importers import BATCH, NEURONS, RECORD, ROWS, SEEDS, STEPS, differing, library_spikes, stub


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


def test_the_comparison_can_fail() -> None:
    row = ROWS["snnTorch Leaky, beta 0.75, subtract"]
    assert differing(row, 0, stub(row), _recorded("snnTorch Leaky, beta 0.75, zero")[0], row.fraction_bits) > 100
