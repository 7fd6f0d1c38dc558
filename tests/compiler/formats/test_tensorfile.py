"""The reader of torch.save files: equal to torch's on sound files, one sentence on everything else."""

from __future__ import annotations

import collections
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnc.compiler.errors import CheckpointError
from snnc.compiler.formats import tensorfile
from snnc.compiler.formats.tensorfile import read_tensors

torch = pytest.importorskip("torch")

DTYPES = [
    *(torch.float32, torch.float64, torch.float16, torch.int64, torch.int32, torch.int16, torch.int8),
    *(torch.uint8, torch.bool, torch.bfloat16),
]


def same(ours, theirs) -> None:
    """Equal values of equal types, with arrays for tensors."""
    if isinstance(theirs, torch.Size):
        assert ours == tuple(theirs)
    elif isinstance(theirs, torch.Tensor):
        if theirs.dtype is torch.bfloat16:
            theirs = theirs.float()
        theirs = theirs.detach()
        assert ours.shape == tuple(theirs.shape)
        assert np.array_equal(ours, theirs.numpy())
        assert ours.dtype == theirs.numpy().dtype
        assert not ours.flags.writeable or not ours.size
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for key in theirs:
            same(ours[key], theirs[key])
    elif isinstance(theirs, list | tuple):
        assert type(ours) is type(theirs)
        assert len(ours) == len(theirs)
        for left, right in zip(ours, theirs, strict=True):
            same(left, right)
    else:
        assert type(ours) is type(theirs)
        assert ours == theirs


def check_against_torch(value, path: Path) -> None:
    torch.save(value, path)
    same(read_tensors(path), torch.load(path, weights_only=True))


@pytest.mark.parametrize(
    "value",
    [
        torch.tensor(1.5).expand(7),
        torch.arange(3.0).expand(4, 3),
        torch.arange(6.0).view(2, 3).t()[1:],
        torch.nn.Parameter(torch.arange(3.0)),
        torch.nn.Parameter(torch.tensor(0.5).expand(4), requires_grad=False),
        torch.zeros(2, 3).shape,
        torch.tensor([1e-40, -3.14, float("inf"), 0.0]).bfloat16(),
    ],
    ids=["expanded", "expanded rows", "view", "parameter", "expanded parameter", "size", "bfloat16"],
)
def test_everything_else_that_weights_only_reads(value, tmp_path):
    check_against_torch({"t": value}, tmp_path / "x.pt")


def test_repeated_numbers_are_bounded_over_the_whole_file(tmp_path, monkeypatch):
    """Four bytes may announce 10^9 numbers, and a thousand tensors a million each."""
    torch.save({"t": torch.tensor(1.0).expand(10**9)}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match=r"repeat numbers beyond 16,777,216"):
        read_tensors(tmp_path / "x.pt")
    monkeypatch.setattr(tensorfile, "REPEATED_LIMIT", 100)
    one = torch.tensor(1.0)
    torch.save([one.expand(50), one.expand(50)], tmp_path / "x.pt")
    check_against_torch([one.expand(50), one.expand(50)], tmp_path / "x.pt")
    torch.save([one.expand(50), one.expand(50), one.expand(2)], tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match="repeat numbers beyond 100"):
        read_tensors(tmp_path / "x.pt")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (2, 3, 4), (0,), (3, 0, 2)], ids=str)
def test_tensors(dtype, shape, tmp_path):
    check_against_torch({"t": (torch.rand(shape) * 100 - 50).to(dtype)}, tmp_path / "x.pt")


def test_views_share_their_storage(tmp_path):
    base = torch.arange(24.0).reshape(4, 6)
    views = {"all": base, "row": base[2], "column": base[:, 1], "turned": base.t(), "part": base[1:3, 2:5:2]}
    check_against_torch(views, tmp_path / "x.pt")


def test_a_state_dict_with_its_versions(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    check_against_torch(model.state_dict(), tmp_path / "x.pt")
    check_against_torch({"ordered": collections.OrderedDict(a=1, b=(2, 3))}, tmp_path / "y.pt")


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(value=plain)
def test_plain_values(value, tmp_path_factory):
    check_against_torch({"value": value}, tmp_path_factory.mktemp("plain") / "x.pt")


def write(path: Path, records: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in records.items():
            archive.writestr(f"x/{name}", data)
    return path


def refusal(path: Path) -> str:
    """The sentence with which a file is refused."""
    with pytest.raises(CheckpointError) as caught:
        read_tensors(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert message.endswith(".")
    return message


def test_every_truncation_is_refused(tmp_path):
    good = tmp_path / "good.pt"
    torch.save({"weight": torch.rand(20, 10), "names": ["a", "b"]}, good)
    data = good.read_bytes()
    path = tmp_path / "cut.pt"
    for length in [*range(0, len(data) - 1, 37), len(data) - 1]:
        path.write_bytes(data[:length])
        refusal(path)


def test_flipped_bytes_never_escape(tmp_path):
    """A damaged file is refused, or read where the damage is in a number; nothing else may happen."""
    good = tmp_path / "good.pt"
    torch.save({"weight": torch.rand(4, 3), "list": [1, 2.5, None]}, good)
    data = good.read_bytes()
    path = tmp_path / "flipped.pt"
    generator = np.random.default_rng(0)
    for _ in range(400):
        damaged = bytearray(data)
        for position in generator.integers(0, len(data), 3):
            damaged[position] ^= 1 << int(generator.integers(8))
        path.write_bytes(damaged)
        try:
            read_tensors(path)
        except CheckpointError:
            continue


class _Evil:
    def __reduce__(self):
        return os.system, ("touch ran",)


def test_code_is_refused_by_name_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for protocol in range(2, 6):
        message = refusal(write(tmp_path / "evil.pt", {"data.pkl": pickle.dumps(_Evil(), protocol)}))
        assert "nothing of it was run" in message
        if protocol < 4:
            assert "posix.system" in message
    torch.save({"x": _Evil()}, tmp_path / "evil.pt")
    assert "system" in refusal(tmp_path / "evil.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
        (torch.zeros(2).to_sparse(), "torch._utils._rebuild_sparse_tensor"),
        ({1, 2}, "set"),
        (torch.zeros(2, dtype=torch.complex64), "ComplexFloatStorage"),
        (2**100, "64 bits"),
    ],
    ids=["module", "sparse", "set", "complex", "huge integer"],
)
def test_more_than_plain_values_is_named(value, named, tmp_path):
    torch.save({"value": value}, tmp_path / "x.pt")
    assert named in refusal(tmp_path / "x.pt")


def tensor_pickle(*, numel: object = 4, offset: object = 0, shape: object = (2, 2), stride: object = (2, 1)) -> bytes:
    """What torch.save writes for one float tensor, with these numbers in it."""

    def number(value: object) -> bytes:
        if isinstance(value, tuple):
            return b"(" + b"".join(number(item) for item in value) + b"t"
        assert isinstance(value, int)
        size = max(1, (value.bit_length() + 8) // 8)
        return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)

    text = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
    text += b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpu" + number(numel) + b"tQ"
    return text + number(offset) + number(shape) + number(stride) + b"\x89ccollections\nOrderedDict\n)RtR."


def test_the_hand_made_tensor_is_read(tmp_path):
    numbers = np.arange(4, dtype="<f4")
    path = write(tmp_path / "x.pt", {"data.pkl": tensor_pickle(), "data/0": numbers.tobytes()})
    same(read_tensors(path), torch.from_numpy(numbers.reshape(2, 2)))
    big = {"data.pkl": tensor_pickle(), "data/0": numbers.astype(">f4").tobytes(), "byteorder": b"big"}
    same(read_tensors(write(path, big)), torch.from_numpy(numbers.reshape(2, 2)))
    assert "byte order" in refusal(write(path, big | {"byteorder": b"middle"}))


@pytest.mark.parametrize(
    "claim",
    [
        {"numel": 5},
        {"numel": -4},
        {"numel": 2**62},
        {"shape": (3, 2)},
        {"shape": (2**40, 2**40), "stride": (0, 0)},
        {"shape": (2**62, 0)},
        {"shape": (2, 2), "stride": (2,)},
        {"shape": (-2, -2)},
        {"stride": (-2, 1)},
        {"stride": (2**61, 1)},
        {"stride": (0, 0), "shape": (10_000, 10_000)},
        {"offset": 1},
        {"offset": -1},
        {"offset": 2**62},
        {"shape": (1,) * 9, "stride": (1,) * 9},
        {"shape": 2},
    ],
    ids=str,
)
def test_impossible_tensors_are_refused(claim, tmp_path):
    refusal(write(tmp_path / "x.pt", {"data.pkl": tensor_pickle(**claim), "data/0": bytes(16)}))


def test_bombs_are_refused_before_they_unfold(tmp_path):
    zeros = bytes(50_000_000)
    records = {"data.pkl": tensor_pickle(numel=12_500_000, shape=(12_500_000,), stride=(1,)), "data/0": zeros}
    path = write(tmp_path / "bomb.pt", records, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 200_000
    assert "compressed" in refusal(path)
    assert "at most" in refusal(write(tmp_path / "long.pt", {"data.pkl": bytes(tensorfile.PICKLE_LIMIT + 1)}))


def test_a_memo_index_takes_no_memory(tmp_path):
    """Python's own unpickler would reserve 64 GB for this one."""
    text = b"\x80\x02Nr" + struct.pack("<I", 2**32 - 1) + b"."
    assert read_tensors(write(tmp_path / "x.pt", {"data.pkl": text})) is None


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b".", b"\x80\x02", b"\x80\x02NN.", b"\x80\x02t.", b"\x80\x02(.", b"\x80\x02Na.", b"\x80\x02h\x05."),
        *(b"\x80\x02NNs.", b"\x80\x02NNR.", b"\x80\x02](NNu.", b"\x80\x02}(Nu.", b"\x80\x02X\xff\xff\xff\xffab."),
        *(b"\x80\x02NQ.", b"\x80\x02}]Ns."),
    ],
    ids=repr,
)
def test_nonsense_pickles_are_refused(text, tmp_path):
    refusal(write(tmp_path / "x.pt", {"data.pkl": text}))


def test_foreign_files(tmp_path):
    path = tmp_path / "x.pt"
    for data in (b"", b"hello", pickle.dumps({"weight": 1})):
        path.write_bytes(data)
        assert "not a file of torch.save" in refusal(path)
    assert "no 'data.pkl'" in refusal(write(path, {"other": b"1"}))
    assert "no file" in refusal(tmp_path / "absent.pt")
    assert refusal(tmp_path)
    torch.save({"a": 1}, path, _use_new_zipfile_serialization=False)
    assert "not a file of torch.save" in refusal(path)


def test_reading_needs_no_torch(tmp_path):
    torch.save({"a": torch.zeros(3)}, tmp_path / "x.pt")
    code = (
        "import sys, pathlib; from snnc.compiler.formats.tensorfile import read_tensors;"
        f"read_tensors(pathlib.Path({str(tmp_path / 'x.pt')!r})); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
