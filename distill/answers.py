"""What teachers answer to a copy of the training images: asked for once, and kept on disk for other runs.

A file of the store holds one teacher's answers to one copy, under a name that is the hash of all that they follow from:
the teacher's structure and weights, the bytes of the very images, and what of torch and the machine may change the
last bits of a sum.  So nothing in it is ever out of date, and runs that share a teacher and their images share answers,
whatever else sets them apart.

    file = magic [8], T', N, K as little-endian uint64, answers [T', N, K] float32, SHA-256 of all before [32]

A file that is not exactly so is passed over and made anew: the store is a cache, and no fault of it ends a training.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from snnc.compiler.ir.neurons import Encoding
from snnc.distill.batches import Images, SparseImages
from snnc.distill.objective import AnnTeacher, Teaching
from snnc.distill.students import Student
from snnc.distill.teachers import SpikingTeacher

__all__ = ["AnswerStore", "Answers", "fingerprint"]

_MAGIC: Final = b"snncans1"
_HEADER: Final = struct.Struct("<8sQQQ")
_DIGEST: Final = 32
_STEPS_LIMIT: Final = 256
_CLASSES_LIMIT: Final = 1 << 16
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class AnswerStore:
    """A folder of answers; where it grows beyond ``limit`` bytes, those not used for longest are removed."""

    folder: Path
    limit: int = 2 << 30

    def read(self, key: str, count: int) -> Tensor | None:
        """The answers ``[T', count, K]`` that are kept under `key`; None if there are none that are whole."""
        path = self.folder / key
        try:
            with path.open("rb") as file:
                header = file.read(_HEADER.size)
                if len(header) < _HEADER.size:
                    return None
                magic, steps, samples, classes = _HEADER.unpack(header)
                size = 4 * steps * samples * classes
                # Nothing is taken in before the sizes agree: the header may claim anything.
                if (
                    magic != _MAGIC
                    or samples != count
                    or not (0 < steps <= _STEPS_LIMIT and 0 < classes <= _CLASSES_LIMIT)
                    or os.fstat(file.fileno()).st_size != _HEADER.size + size + _DIGEST
                ):
                    return None
                data, digest = file.read(size), file.read(_DIGEST)
            if hashlib.sha256(header + data).digest() != digest:
                return None
            os.utime(path)
        except OSError:
            return None
        answers = torch.from_numpy(np.frombuffer(data, dtype="<f4").reshape(steps, samples, classes).copy())
        return answers if bool(answers.isfinite().all()) else None

    def write(self, key: str, answers: Tensor) -> None:
        """Keep answers ``[T', N, K]``; a disk that is full or not writable only means that nothing is kept."""
        data = answers.detach().cpu().numpy().astype("<f4").tobytes()
        if len(data) > self.limit:
            return
        contents = _HEADER.pack(_MAGIC, *answers.shape) + data
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=f".{key[:16]}.", suffix=".part", dir=self.folder)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(contents + hashlib.sha256(contents).digest())
                Path(name).replace(self.folder / key)
            finally:
                Path(name).unlink(missing_ok=True)
            self._shrink()

    def _shrink(self) -> None:
        kept = []
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):  # another run may remove it, too
                status = path.stat()
                kept.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in kept)
        for _, size, path in sorted(kept):
            if total <= self.limit:
                return
            path.unlink(missing_ok=True)
            total -= size


class Answers:
    """Answers of several teachers to every image of a copy: the mean of their logits.

    Parameters
    ----------
    given
        Teachers that other runs may have, too; their answers go to the store.
    before
        Networks of this run alone.
    store
        None to keep nothing on disk.
    """

    def __init__(
        self, given: Sequence[Teaching], before: Sequence[Teaching] = (), *, store: AnswerStore | None = None
    ) -> None:
        self._teachers = (*((teacher, None) for teacher in before), *((teacher, store) for teacher in given))
        self._kept: dict[int, Tensor] = {}
        self._fingerprints: dict[int, str | None] = {}

    @torch.no_grad()
    def to(self, copy: int, images: Images) -> Tensor:
        """``[T', N, K]``, with ``T' = 1`` unless a single spiking teacher answers step by step."""
        if copy not in self._kept:
            parts = [self._answers(teacher, store, images) for teacher, store in self._teachers]
            if len(parts) > 1:
                parts = [part.mean(dim=0, keepdim=True) for part in parts]
            self._kept[copy] = torch.stack(parts).mean(dim=0)
        return self._kept[copy]

    def _answers(self, teacher: Teaching, store: AnswerStore | None, images: Images) -> Tensor:
        if store is None:
            return _ask(teacher, images)
        if id(teacher) not in self._fingerprints:
            self._fingerprints[id(teacher)] = fingerprint(teacher)
        identity = self._fingerprints[id(teacher)]
        if identity is None:
            return _ask(teacher, images)
        key = _key(identity, images)
        kept = store.read(key, len(images))
        if kept is not None:
            return kept.to(images.device)
        answers = _ask(teacher, images)
        store.write(key, answers)
        return answers


def fingerprint(teacher: Teaching) -> str | None:
    """Hash of a teacher's structure and weights; None where the same images are not answered the same every time."""
    match teacher:
        case AnnTeacher(network=ann):
            network: nn.Module = ann
            described = f"{type(ann).__qualname__} {ann!r}"
        case SpikingTeacher(network=Student() as student):
            if student.config.encoding is Encoding.EVENTS:  # which are drawn anew
                return None
            network = student
            described = f"{student.phase} {student.config!r}"
        case _:
            return None
    digest = hashlib.sha256(described.encode())
    for name, value in network.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)} ".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _key(identity: str, images: Images) -> str:
    device = images.device
    machine = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    facts = (torch.__version__, device.type, machine, torch.get_num_threads(), _BATCH, identity, tuple(images.shape))
    digest = hashlib.sha256(repr(facts).encode())
    if isinstance(images, SparseImages):
        images.hash_into(digest)
    else:
        digest.update(images.cpu().contiguous().numpy().data)
    return digest.hexdigest()


def _ask(teacher: Teaching, images: Images) -> Tensor:
    answers = [teacher(chunk) for chunk in images.split(_BATCH)]
    return torch.cat([answer if answer.dim() == 3 else answer[None] for answer in answers], dim=1)
