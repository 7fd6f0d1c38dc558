"""The Verilog and the memory images of fixed networks are, byte for byte, those whose hashes are kept."""

from __future__ import annotations

import pytest

from tests.emitted import RANDOM, STUDENTS, Chip, case_name, digests, kept, random_files, student_files

_CHIPS = [(name, chip) for name, chips in STUDENTS.items() for chip in chips]


@pytest.mark.parametrize("case", _CHIPS, ids=lambda case: case_name(*case))
def test_a_student_that_ships(case: tuple[str, Chip]) -> None:
    assert digests(student_files(*case)) == kept()[case_name(*case)]


@pytest.mark.parametrize("seed", range(RANDOM))
def test_a_random_network(seed: int) -> None:
    assert digests(random_files(seed)) == kept()[f"random {seed}"]


def test_every_kept_hash_has_its_case() -> None:
    assert set(kept()) == {*(case_name(*case) for case in _CHIPS), *(f"random {seed}" for seed in range(RANDOM))}
