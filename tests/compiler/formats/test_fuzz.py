"""Damaged files of other tools' formats: read, or refused in one sentence; no traceback, no hang, at most 1 GiB."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import numpy as np
import pytest

from snnc.compiler.errors import SnncError
from snnc.compiler.formats.foreign.assumptions import Assumptions
from snnc.compiler.formats.nir.reader import import_nir
from snnc.compiler.formats.nir.writer import write_nir
from snnc.compiler.formats.onnx.reader import import_onnx
from snnc.compiler.formats.onnx.writer import write_onnx
from tests.compiler.formats.nir.test_hostile import good, save
from tests.compiler.formats.onnx.test_reader import ann
from tests.networks import random_chain

SECONDS = 5.0
"""The longest that a damaged file may take."""
MEMORY = 2**30
OPTIONS = Assumptions(dt=1.0)
READERS = {"nir": import_nir, "onnx": import_onnx}


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, ...]]:
    """Of each format a file made elsewhere and one of our own."""
    graph = random_chain((6, 5, 3))
    nir = save(tmp_path_factory.mktemp("fuzz") / "good.nir", good()).read_bytes()
    return {"nir": (nir, write_nir(graph)), "onnx": (ann().SerializeToString(), write_onnx(graph))}


def damaged(original: bytes, seed: int) -> bytes:
    """Bytes changed, cut out, put in, or the end cut off."""
    generator, whole = np.random.default_rng(seed), bytearray(original)
    for _ in range(int(generator.integers(1, 8))):
        place = int(generator.integers(0, max(1, len(whole))))
        match int(generator.integers(0, 10)):
            case 0:
                del whole[place:]
            case 1 | 2:
                del whole[place : place + int(generator.integers(1, 40))]
            case 3 | 4:
                whole[place:place] = bytes(generator.integers(0, 256, int(generator.integers(1, 9))).tolist())
            case _:
                whole[place : place + 1] = bytes([int(generator.integers(0, 256))])
    return bytes(whole)


def one(kind: str, originals: dict[str, tuple[bytes, ...]], seed: int, folder: Path) -> bool:
    """Whether a damaged file was refused."""
    file = folder / f"damaged.{kind}"
    file.write_bytes(damaged(originals[kind][seed % 2], seed))
    start, said = time.perf_counter(), ""
    try:
        READERS[kind](file, OPTIONS)
    except SnncError as error:
        said = str(error)
    assert "\n" not in said, seed
    assert time.perf_counter() - start < SECONDS, seed
    return bool(said)


def run(kind: str, originals: dict[str, tuple[bytes, ...]], seeds: range, folder: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = sum(one(kind, originals, seed, folder) for seed in seeds)
    # Some damage lies where nothing reads; most is found.
    assert len(seeds) // 4 < refused < len(seeds)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MEMORY


@pytest.mark.parametrize("kind", READERS)
def test_some(kind: str, originals: dict[str, tuple[bytes, ...]], tmp_path: Path) -> None:
    run(kind, originals, range(200), tmp_path)


def test_a_text_that_claims_to_be_long(originals: dict[str, tuple[bytes, ...]], tmp_path: Path) -> None:
    """Found by fuzzing: HDF5 took 3.5 GiB for a name of an edge before it saw that it was not there."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert one("nir", originals, 2312, tmp_path)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MEMORY


@pytest.mark.nightly
@pytest.mark.parametrize("kind", READERS)
def test_many(kind: str, originals: dict[str, tuple[bytes, ...]], tmp_path: Path) -> None:
    run(kind, originals, range(10_000), tmp_path)
