"""Bring-your-own data: images and events, and every way in which a file can be wrong or hostile."""

import io
import struct
import tracemalloc
import zipfile
from typing import Any

import numpy as np
import pytest

from snnc.compiler.errors import DataError
from snnc.distill.data import load
from snnc.distill.data.archives import open_archive


def arrays(**changes):
    random = np.random.default_rng(0)
    whole = {
        "x_train": random.integers(0, 256, (40, 2, 5, 4), dtype=np.uint8),
        "y_train": np.arange(40, dtype=np.int64) % 4,
        "x_test": random.integers(0, 256, (8, 2, 5, 4), dtype=np.uint8),
        "y_test": np.arange(8, dtype=np.uint8) % 4,
        "classes": np.array(["up", "down", "left", "right"]),
    }
    return {name: array for name, array in (whole | changes).items() if array is not None}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mine.npz"


def save(path, **stored: Any):
    np.savez(path, **stored)


def refuse(path, message):
    with pytest.raises(DataError, match=message) as caught:
        load("npz", path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("writer", [np.savez, np.savez_compressed])
def test_images_are_read(path, writer):
    stored = arrays()
    writer(path, **stored)
    mine = load("npz", path)
    assert (mine.name, mine.title, mine.shape, mine.time_steps) == ("npz", "mine", (2, 5, 4), None)
    assert mine.classes == ("up", "down", "left", "right")
    assert (len(mine.train), len(mine.validation)) == (36, 4)
    assert mine.validation.labels.tolist().count(1) == 1  # per class
    np.testing.assert_array_equal(mine.test.images, stored["x_test"])
    np.testing.assert_array_equal(mine.test.labels, stored["y_test"])
    assert mine.test.labels.dtype == np.int64


def test_a_file_in_fortran_order_is_the_same_data(path):
    stored = arrays()
    np.savez(path, **stored | {"x_test": np.asfortranarray(stored["x_test"])})
    read = load("npz", path).test.images
    np.testing.assert_array_equal(read, stored["x_test"])
    assert read.flags.c_contiguous


def test_events_are_read(path):
    events = np.random.default_rng(1).integers(0, 2, (40, 6, 2, 5, 4), dtype=np.uint8)
    np.savez(path, **arrays(x_train=events, x_test=events[:8]))
    mine = load("npz", path)
    assert mine.events
    assert (mine.time_steps, mine.shape) == (6, (2, 5, 4))
    np.testing.assert_array_equal(mine.test.images, events[:8])
    assert mine.test.images.dtype == np.uint8


def test_events_of_channels_alone_are_read(path):
    events = np.random.default_rng(1).integers(0, 2, (40, 6, 5), dtype=np.uint8)
    np.savez(path, **arrays(x_train=events, x_test=events[:8]))
    mine = load("npz", path)
    assert (mine.time_steps, mine.shape) == (6, (5, 1, 1))
    np.testing.assert_array_equal(mine.test.images[..., 0, 0], events[:8])
    np.savez(path, **arrays(x_train=events + 1, x_test=events[:8]))
    refuse(path, r"counts up to 2 events .* \(Images are \(N, C, H, W\).\)")


@pytest.mark.parametrize("part", ["x_train", "x_test"])
def test_counts_of_events_are_refused(path, part):
    events = {name: np.zeros((count, 6, 2, 5, 4), np.uint8) for name, count in (("x_train", 40), ("x_test", 8))}
    events[part][3, 2, 1, 0, 0] = 7
    np.savez(path, **arrays(**events))
    refuse(path, f"{part} counts up to 7 events")


def test_a_validation_set_of_its_own_is_used_whole(path):
    """Nothing is held out of the training set then: wrong labels in it stay out of the validation."""
    stored = arrays(y_train=np.zeros(40, np.int64))
    chosen = {"x_validation": stored["x_test"][:5] ^ 1, "y_validation": np.array([3, 2, 1, 0, 3])}
    save(path, **stored, **chosen)
    mine = load("npz", path)
    np.testing.assert_array_equal(mine.train.images, stored["x_train"])
    np.testing.assert_array_equal(mine.train.labels, stored["y_train"])
    np.testing.assert_array_equal(mine.validation.images, chosen["x_validation"])
    assert mine.validation.labels.tolist() == [3, 2, 1, 0, 3]


def test_a_validation_set_of_events_is_read(path):
    events = np.random.default_rng(1).integers(0, 2, (40, 6, 2, 5, 4), dtype=np.uint8)
    chosen = {"x_validation": events[:3], "y_validation": np.arange(3)}
    save(path, **arrays(x_train=events[:1], y_train=np.zeros(1, int), x_test=events[:8]), **chosen)
    np.testing.assert_array_equal(load("npz", path).validation.images, events[:3])


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"x_validation": np.zeros((3, 2, 5, 4), np.uint8)}, "no array called y_validation"),
        ({"y_validation": np.zeros(3, int)}, "no array called x_validation"),
        ({"x_validation": np.zeros((3, 2, 5, 5), np.uint8), "y_validation": np.zeros(3, int)}, "x_validation.*equal"),
        ({"x_validation": np.zeros((3, 2, 5, 4), np.uint8), "y_validation": np.zeros(2, int)}, "y_validation 2 labels"),
        ({"x_validation": np.zeros((3, 2, 5, 4), np.uint8), "y_validation": np.full(3, 4)}, "class 4, but npz has 4"),
    ],
)
def test_a_wrong_validation_set_is_refused_by_name(path, chosen, message):
    save(path, **arrays(), **chosen)
    refuse(path, message)


def test_classes_without_names_are_numbered(path):
    np.savez(path, **arrays(classes=None))
    assert load("npz", path).classes == ("0", "1", "2", "3")


def test_other_arrays_are_left_alone(path):
    np.savez(path, **arrays(), notes=np.array([{"by": "me"}], dtype=object))
    assert len(load("npz", path).test) == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_train": None}, "no array called x_train"),
        ({"y_test": None}, "no array called y_test"),
        ({"x_train": np.zeros((40, 2, 5, 4), np.float32)}, "<f4.*floats.*unsigned integers of at most 1 byte"),
        ({"x_train": np.zeros((40, 2, 5, 4), np.uint16)}, "<u2.*at most 1 byte"),
        ({"x_train": np.zeros((40, 2, 5, 4), object)}, "O.*Python objects"),
        ({"x_train": np.zeros((40, 20), np.uint8)}, r"x_train has the shape \(40, 20\), but 3, 4 or 5 dimensions"),
        ({"x_train": np.zeros((0, 2, 5, 4), np.uint8)}, "none empty"),
        ({"x_test": np.zeros((8, 2, 4, 5), np.uint8)}, r"x_test.*\(2, 4, 5\).*\(2, 5, 4\)"),
        ({"x_test": np.zeros((8, 6, 2, 5, 4), np.uint8)}, r"x_test.*\(6, 2, 5, 4\)"),
        ({"x_train": np.zeros((1, 2, 5, 4), np.uint8), "y_train": np.zeros(1, int)}, "x_train holds one sample"),
        ({"y_train": np.arange(39) % 4}, "40 samples, but y_train 39"),
        ({"y_train": np.full(40, np.nan)}, "<f8.*floats"),
        (
            {"y_train": np.zeros((40, 1), int)},
            "y_train holds 1 labels for each sample, but .* no steps, they are images",
        ),
        ({"y_train": np.arange(40) % 5}, "class 4, but npz has 4"),
        ({"y_train": np.arange(40) % 4 - 1}, "class -1"),
        ({"y_test": np.full(8, 2**64 - 1, np.uint64)}, "class 18446744073709551615"),
        ({"y_train": np.full(40, 2**62), "classes": None}, "class 4611686018427387904"),
        ({"y_train": np.zeros(40, int), "y_test": np.zeros(8, int), "classes": None}, "1 classes"),
        ({"y_test": np.full(8, 4), "classes": None}, "class 4, but npz has 4"),
        ({"classes": np.array(["x" * 65, "b", "c", "d"])}, "<U65.*at most 256 bytes"),
        ({"classes": np.array(["a", "", "c", "d"])}, "empty name"),
        ({"classes": np.array(["a", "\x1b[2J", "c", "d"])}, "cannot be printed"),
        ({"classes": np.array([b"a", b"b", b"c", b"d"])}, "text"),
        ({"classes": np.frombuffer(b"\xff" * 16, "<U1")}, "cannot be printed"),
        ({"classes": np.array([f"c{n}" for n in range(1001)])}, "1001 classes"),
    ],
)
def test_wrong_arrays_are_refused_by_name(path, changes, message):
    np.savez(path, **arrays(**changes))
    refuse(path, message)


def npy(header, payload=b"", version=b"\x01\x00"):
    text = header.encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + payload


def described(shape, descr="|u1"):
    return f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}\n"


def plant(path, contents, **options):
    """A good file whose x_train is the given bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays().items():
            file = io.BytesIO()
            np.save(file, array)
            chosen = contents if name == "x_train" else file.getvalue()
            archive.writestr(f"{name}.npy", chosen, **options)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "is not an array"),
        (b"\x93NUMPY\x01\x00\x80", "is not an array"),
        (npy(described((40, 2, 5, 4)), bytes(1600), version=b"\x02\x00"), "is not an array"),
        (npy("x" * 2000), "header of 2000 bytes"),
        (npy("{'descr': "), "cannot be understood"),
        (npy("-" * 1000 + "1"), "cannot be understood"),
        (npy("(" * 1000), "cannot be understood"),
        (npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2.5,), }"), "cannot be understood"),
        (npy(described((40, 2, 5, 4)))[:40], "cannot be understood"),
        (npy(described((-40, 2, 5, -4)), bytes(1600)), r"\(-40, 2, 5, -4\)"),
        (npy(described((2**40, 2**40, 2**40, 2**40))), "2,147,483,648 are allowed"),
        (npy(described((2**20, 2, 5, 4))), "41,943,040 bytes of data, but 0 are stored"),
        (npy(described((40, 2, 5, 4)), bytes(1601)), "1,600 bytes of data, but 1,601 are stored"),
        (npy(described((40, 2, 5, 4), ">u2"), bytes(3200)), ">u2"),
        (npy(described((1,) * 40), b"x"), "40 dimensions|cannot be understood"),
    ],
)
def test_hostile_headers_are_refused_by_name(path, contents, message):
    plant(path, contents)
    refuse(path, message)


def test_a_header_that_lies_costs_no_memory(path):
    """The directory of the archive lies as well: two gigabytes in a file of two kilobytes."""
    claimed = 2**31 - 2**20
    header = npy(described((claimed // 16, 2, 2, 4)))
    plant(path, header)
    contents = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):  # uncompressed size of the first member
        place = contents.index(signature) + offset
        contents[place : place + 4] = struct.pack("<I", claimed + len(header))
    path.write_bytes(contents)
    tracemalloc.start()
    tracemalloc.reset_peak()
    refuse(path, "more than a file of")
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda b: b"", "cannot be read"),
        (lambda b: b"\x80\x04no zip file", "cannot be read"),
        (lambda b: b[:-30], "cannot be read"),
        (lambda b: b.replace(b"\x93NUMPY", b"\x93NUMPX", 1), "is not an array|CRC"),
        (lambda b: b[:600] + bytes(200) + b[800:], "CRC"),
    ],
)
def test_damaged_files_are_refused(path, damage, message):
    np.savez(path, **arrays())
    path.write_bytes(damage(path.read_bytes()))
    refuse(path, message)


def test_other_compressions_and_encryption_are_refused(path):
    plant(path, npy(described((40, 2, 5, 4)), bytes(1600)), compress_type=zipfile.ZIP_LZMA)
    refuse(path, "compressed in another way")
    plant(path, npy(described((40, 2, 5, 4)), bytes(1600)))
    contents = bytearray(path.read_bytes())
    contents[contents.index(b"PK\x01\x02") + 8] |= 1
    contents[6] |= 1
    path.write_bytes(contents)
    refuse(path, "encrypted")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_array_that_is_there_twice_is_refused(path):
    np.savez(path, **arrays())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x_train.npy", b"")
    refuse(path, "twice")


def test_a_folder_or_nothing_is_no_file(tmp_path):
    for root in (None, tmp_path, tmp_path / "missing.npz"):
        with pytest.raises(DataError, match=r"--data"):
            load("npz", root)


def test_spoken_digits_have_one_shape(tmp_path):
    images = np.zeros((100, 1, 64, 32), np.uint8)
    labels = np.arange(100) % 10
    stored = {"x_train": images, "y_train": labels, "x_test": images[:20], "y_test": labels[:20]}
    (tmp_path / "spoken-digits").mkdir()
    path = tmp_path / "spoken-digits" / "spoken_digits_logmel.npz"
    with pytest.raises(DataError, match=r"spoken_digits_logmel\.npz"):
        load("spoken-digits", tmp_path)
    save(path, **stored)
    for root in (tmp_path, path.parent):
        digits = load("spoken-digits", root)
        assert (digits.name, digits.shape, len(digits.validation)) == ("spoken-digits", (1, 64, 32), 10)
    save(path, **stored | {"x_train": images[..., :31], "x_test": images[:20, ..., :31]})
    with pytest.raises(DataError, match=r"\(1, 64, 31\).*\(1, 64, 32\)"):
        load("spoken-digits", tmp_path)


def test_an_archive_knows_what_it_holds(path):
    np.savez(path, **arrays(classes=None))
    with open_archive(path) as archive:
        assert "x_train" in archive
        assert "classes" not in archive
