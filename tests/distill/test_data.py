"""Data sets: the fixed split, MNIST's and CIFAR-10's files good and hostile, and what is said when they are missing."""

import gzip
import hashlib
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn import datasets

from snnc.compiler.errors import DataError, OptionError
from snnc.distill import data
from snnc.distill.data import DATA_VARIABLE, cifar, load
from snnc.distill.data.idx import find_idx, read_idx

PAYLOAD = bytes(range(24))


def idx_bytes(shape, payload=PAYLOAD, code=0x08):
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape) + payload


def test_the_bundled_digits_are_those_of_scikit_learn():
    bunch = datasets.load_digits()
    with np.load(Path(data.__file__).with_name("digits.npz")) as arrays:
        assert np.array_equal(arrays["images"], bunch.images)
        assert np.array_equal(arrays["labels"], bunch.target)


def test_digits_are_split_once_and_for_all():
    digits = load("digits")
    assert digits.shape == (1, 8, 8)
    assert (len(digits.train), len(digits.validation), len(digits.test)) == (1077, 360, 360)
    for part in (digits.train, digits.validation, digits.test):
        assert part.images.shape == (len(part), 1, 8, 8)
        assert part.images.dtype == np.uint8
        share = np.bincount(part.labels, minlength=10) / len(part)
        assert share == pytest.approx(np.full(10, 0.1), abs=0.01)
    # Whoever changes the split makes every recorded accuracy incomparable.
    assert hashlib.sha256(digits.test.images.tobytes()).hexdigest()[:16] == "18d14dcfccad097e"
    assert hashlib.sha256(digits.validation.images.tobytes()).hexdigest()[:16] == "33b749145e6c368d"


def test_no_sample_is_in_two_parts():
    digits = load("digits")
    parts = [{image.tobytes() for image in part.images} for part in (digits.train, digits.validation, digits.test)]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]


@pytest.mark.parametrize("zipped", [False, True])
def test_idx_round_trip(tmp_path, zipped):
    contents = idx_bytes((2, 3, 4))
    name = "train-images-idx3-ubyte"
    (tmp_path / (name + ".gz" * zipped)).write_bytes(gzip.compress(contents) if zipped else contents)
    path = find_idx(tmp_path, name)
    assert path is not None
    np.testing.assert_array_equal(read_idx(path, (2, 3, 4)).ravel(), np.arange(24))


def test_both_spellings_of_the_name_are_found(tmp_path):
    (tmp_path / "train-labels.idx1-ubyte").write_bytes(idx_bytes((24,)))
    assert find_idx(tmp_path, "train-labels-idx1-ubyte") == tmp_path / "train-labels.idx1-ubyte"
    assert find_idx(tmp_path, "t10k-labels-idx1-ubyte") is None


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "missing"),
        (b"PK\x03\x04 a zip file", "504b0304"),
        (idx_bytes((2, 3, 4), code=0x0D), "00000d03"),
        (idx_bytes((2, 3, 4))[:9], "inside its header"),
        (idx_bytes((2, 3, 4))[:-1], "23 of 24 bytes"),
        (idx_bytes((2, 3, 4)) + b"x", "goes on after"),
        (idx_bytes((2**32 - 1, 2**32 - 1, 2**32 - 1)), "4294967295"),  # refused before memory is taken
        (idx_bytes((3, 2, 4)), r"\(3, 2, 4\), but \(2, 3, 4\)"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_hostile_idx_files_are_refused_by_name(tmp_path, contents, message, zipped):
    path = tmp_path / ("images.gz" if zipped else "images")
    path.write_bytes(gzip.compress(contents) if zipped else contents)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path, (2, 3, 4))
    assert str(path) in str(caught.value)


def test_an_endless_gzip_costs_no_memory(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(idx_bytes((2, 3, 4)) + bytes(20_000_000), compresslevel=9))
    with pytest.raises(DataError, match="goes on after"):
        read_idx(path, (2, 3, 4))


@pytest.mark.parametrize(
    "damage", [lambda z: z[:-12], lambda z: z[:30] + b"\xff\xff\xff" + z[33:], lambda z: b"no gzip"]
)
def test_damaged_gzip_files_are_refused(tmp_path, damage):
    noise = np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes()
    path = tmp_path / "labels.gz"
    path.write_bytes(damage(gzip.compress(idx_bytes((5000,), noise))))
    with pytest.raises(DataError, match=r"labels\.gz"):
        read_idx(path, (5000,))


def test_missing_files_are_named(tmp_path):
    with pytest.raises(DataError) as caught:
        load("mnist", tmp_path)
    message = str(caught.value)
    assert str(tmp_path) in message
    for stem in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        assert stem in message


def test_a_missing_folder_names_option_and_variable(monkeypatch):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    with pytest.raises(DataError, match=f"--data.*{DATA_VARIABLE}"):
        load("fashion-mnist")


def test_unknown_data_sets_are_refused():
    with pytest.raises(OptionError, match=r"svhn.*digits, mnist"):
        load("svhn")


@pytest.fixture(scope="module")
def blank_mnist(tmp_path_factory):
    """MNIST's four files with blank images: gzipped, a few kB."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "mnist"
    folder.mkdir()
    for part, count in (("train", 60_000), ("t10k", 10_000)):
        labels = (np.arange(count) % 10).astype(np.uint8).tobytes()
        for stem, contents in (
            (f"{part}-labels-idx1-ubyte", idx_bytes((count,), labels)),
            (f"{part}-images-idx3-ubyte", idx_bytes((count, 28, 28), bytes(count * 784))),
        ):
            (folder / f"{stem}.gz").write_bytes(gzip.compress(contents, compresslevel=1))
    return root


def test_mnist_keeps_its_test_images_in_order(blank_mnist, monkeypatch):
    monkeypatch.setenv(DATA_VARIABLE, str(blank_mnist))
    mnist = load("mnist")
    assert (len(mnist.train), len(mnist.validation), len(mnist.test)) == (55_000, 5_000, 10_000)
    assert mnist.test.labels.tolist() == [i % 10 for i in range(10_000)]
    assert np.bincount(mnist.validation.labels).tolist() == [500] * 10
    assert len(load("mnist", blank_mnist / "mnist").test) == 10_000  # the folder itself works too


def test_classes_out_of_range_are_refused(blank_mnist, tmp_path):
    for path in (blank_mnist / "mnist").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes((10_000,), b"\x0a" * 10_000))
    with pytest.raises(DataError, match="class 10"):
        load("mnist", tmp_path)


@pytest.fixture
def small_cifar(monkeypatch):
    """CIFAR-10 of 20 images per file instead of 10,000: labels 0 to 9 in turn, noise as pixels."""
    monkeypatch.setattr(cifar, "_RECORDS", 20)
    monkeypatch.setattr(cifar, "_TRAIN", 100)
    monkeypatch.setattr(cifar, "_TEST", 20)
    random = np.random.default_rng(0)
    return random.integers(0, 256, (120, 3, 32, 32), dtype=np.uint8), np.arange(120) % 10


def write_binary(folder, images, labels):
    folder.mkdir(parents=True)
    records = np.concatenate([labels[:, None].astype(np.uint8), images.reshape(len(images), -1)], axis=1)
    names = [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]
    for name, batch in zip(names, np.split(records, 6), strict=True):
        batch.tofile(folder / name)


@pytest.mark.parametrize("inner", ["cifar10/cifar-10-batches-bin", "cifar-10-batches-bin", "cifar10", "."])
def test_the_binary_cifar10_is_found_and_read(tmp_path, small_cifar, inner):
    images, labels = small_cifar
    write_binary(tmp_path / "root" / inner if inner != "." else tmp_path / "root", images, labels)
    dataset = load("cifar10", tmp_path / "root")
    assert (dataset.title, dataset.shape, dataset.events) == ("CIFAR-10", (3, 32, 32), False)
    assert dataset.classes[3] == "cat"
    assert (len(dataset.train), len(dataset.validation)) == (90, 10)
    assert np.bincount(dataset.validation.labels).tolist() == [1] * 10
    np.testing.assert_array_equal(dataset.test.images, images[100:])  # red, green, blue; row by row; in order
    np.testing.assert_array_equal(dataset.test.labels, labels[100:])
    together = sorted(image.tobytes() for part in (dataset.train, dataset.validation) for image in part.images)
    assert together == sorted(image.tobytes() for image in images[:100])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda b: b[:-1], "61,459 bytes long"),
        (lambda b: b + b"x", "it is longer"),
        (lambda b: b"\x0a" + b[1:], "class 10, but cifar10 has 10 classes"),
    ],
)
def test_hostile_binary_cifar10_is_refused_by_name(tmp_path, small_cifar, damage, message):
    write_binary(tmp_path / "cifar10", *small_cifar)
    path = tmp_path / "cifar10" / "data_batch_2.bin"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=message) as caught:
        load("cifar10", tmp_path)
    assert str(path) in str(caught.value)


def jpeg(image, **options):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=95, **options)
    return file.getvalue()


def jpeg_arrays(labels, images):
    header = images[0][:2]  # the marker that every JPEG starts with
    assert all(image.startswith(header) for image in images)
    rests = [image[2:] for image in images]
    return {
        "header": np.frombuffer(header, np.uint8),
        "data": np.frombuffer(b"".join(rests), np.uint8),
        "offsets": np.cumsum([0, *map(len, rests)]),
        "y_train": labels[:100].astype(np.uint8),
        "y_test": labels[100:].astype(np.uint8),
    }


def grey_jpegs(count=120, size=(32, 32, 3)):
    """Images that get lighter from top to bottom, each one level lighter than the one before."""
    rows = np.arange(size[0]).reshape(-1, *[1] * (len(size) - 1))
    return [jpeg(np.broadcast_to(number + 4 * rows, size).astype(np.uint8)) for number in range(count)]


def test_the_jpeg_cifar10_is_read_and_says_what_it_is(tmp_path, small_cifar):
    labels = small_cifar[1]
    np.savez(tmp_path / "cifar10_jpegq75.npz", **jpeg_arrays(labels, grey_jpegs()))
    dataset = load("cifar10", tmp_path)
    assert dataset.title == "CIFAR-10, JPEG q75"
    assert len(dataset.validation) == 10
    levels = np.arange(100, 120)[:, None, None, None] + 4 * np.arange(32)[:, None]
    assert abs(dataset.test.images.astype(int) - levels).max() <= 3  # right image, right place, right way up
    assert abs((dataset.test.images - levels).mean(axis=(1, 2, 3))).max() < 0.5
    np.testing.assert_array_equal(dataset.test.labels, labels[100:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: {"offsets": a["offsets"][:-1]}, "do not divide data"),
        (lambda a: {"offsets": a["offsets"] + 1}, "do not divide data"),
        (lambda a: {"offsets": np.r_[0, a["offsets"][2:0:-1], a["offsets"][3:]]}, "do not divide data"),
        (lambda a: {"y_test": a["y_test"][:-1]}, "y_train and y_test must hold"),
        (lambda a: {"y_train": a["y_train"] + 1}, "class 10"),
        (lambda a: {"data": np.zeros_like(a["data"])}, "image 0 cannot be decoded"),
        (lambda a: jpeg_arrays(np.arange(120) % 10, grey_jpegs(size=(33, 32, 3))), r"\(32, 33\) RGB"),
        (lambda a: jpeg_arrays(np.arange(120) % 10, grey_jpegs(size=(32, 32))), r"\(32, 32\) L"),
    ],
)
def test_hostile_jpeg_cifar10_is_refused_by_name(tmp_path, small_cifar, change, message):
    arrays = jpeg_arrays(small_cifar[1], grey_jpegs())
    np.savez(tmp_path / "cifar10_jpegq75.npz", **arrays | change(arrays))
    with pytest.raises(DataError, match=message) as caught:
        load("cifar10", tmp_path)
    assert str(tmp_path / "cifar10_jpegq75.npz") in str(caught.value)


def test_a_missing_cifar10_names_both_of_its_forms(tmp_path):
    with pytest.raises(DataError, match=r"data_batch_1\.bin.*cifar10_jpegq75\.npz"):
        load("cifar10", tmp_path)
