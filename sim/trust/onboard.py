"""Samples on a board, through the link: what it answers, and whether that is what the golden model says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from snnc.compiler.build.folder import LOAD_IMAGE, Build
from snnc.compiler.errors import VerificationError
from snnc.compiler.link import Kind, LinkError, Session, Weights
from snnc.compiler.link.frames import PAYLOAD_BYTES
from snnc.compiler.plan import LOAD_BITS
from snnc.sim.cosimulation.ports import pack_inputs
from snnc.sim.models import golden
from snnc.sim.models.stimulus import stimulus

__all__ = ["Answer", "Classified", "answers", "check_identity", "check_link", "checked", "load"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A board's to one sample; ``cycles`` from the sample's last beat in to its last logit out."""

    index: int
    logits: tuple[int, ...]
    cycles: int


class Classified(Protocol):
    """An answer, however it came."""

    @property
    def index(self) -> int: ...

    @property
    def logits(self) -> tuple[int, ...]: ...


_PROVOKED: Final = {"damaged": 1, "repeated": 1, "refused": 1, "line": 0}

_LEAST_LOGITS: Final = 40
"""Bytes of an answer, if there are as many: 48, in whole logits."""

_AnswerT = TypeVar("_AnswerT", bound=Classified)


def check_identity(session: Session, build: Build) -> None:
    """Whether the board runs this build.

    Raises
    ------
    LinkError
        It runs another network.
    """
    if session.identity.model != bytes.fromhex(build.model_hash)[: len(session.identity.model)]:
        raise LinkError(
            f"The board runs another network (model {session.identity.model.hex()[:12]}) than '{build.path}' "
            f"({build.model_hash[:12]}): flash this build, or give the one that is on the board."
        )


def load(session: Session, build: Build) -> None:
    """Fill the core's SPRAM, where it has any and the board does not do it by itself.

    Raises
    ------
    LinkError
        The board found other weights in its flash than this build's.
    """
    if session.identity.weights is Weights.WRONG:
        raise LinkError(
            "The board refuses the weights in its flash, which are not those of its bitstream (their CRC differs): "
            "write both again with snnc flash."
        )
    if session.identity.load_bytes:
        words = Path(build.path / LOAD_IMAGE).read_text(encoding="utf-8").split()
        size = LOAD_BITS // 8
        session.send(Kind.LOAD, b"".join(int(word, 16).to_bytes(size, "little") for word in words), size=size)


def check_link(session: Session, logits: Sequence[int]) -> None:
    """Whether a board does what a host asks for that sends no sample: every byte comes back, what is wrong is counted,
    and `logits`, the last sample's, come from any byte on. For a line that loses nothing.

    Raises
    ------
    VerificationError
        It does not.
    """
    step = PAYLOAD_BYTES
    for first in range(0, 256, step):
        sent = bytes(range(first, min(first + step, 256)))
        if session.echo(sent) != sent:
            raise VerificationError("The board does not send back what it is sent.")
    if (counted := session.provoke()) != _PROVOKED:
        raise VerificationError(f"The board counts {counted} where {_PROVOKED} went wrong.")
    size = session.identity.logit_bytes
    whole = b"".join(logit.to_bytes(size, "little", signed=True) for logit in logits)
    for first in {1, size, len(whole) // 2, len(whole) - 1, len(whole)}:
        found = session.logits_from(first)
        if found != whole[first:][: len(found)] or len(found) < min(len(whole) - first, _LEAST_LOGITS):
            raise VerificationError(f"The board sends other logits from byte {first} on than from the first.")


def answers(session: Session, build: Build, inputs: npt.NDArray[Any], *, time_steps: int) -> Iterator[Answer]:
    """Send samples, in the shape of the golden model, one after the other."""
    beats = stimulus(build.plan.input, inputs, time_steps=time_steps)
    payloads = pack_inputs(build.plan, beats)
    size = session.identity.beat_bytes
    for number in range(len(beats)):
        words = payloads[beats.sample(number)].astype("<u8").view(np.uint8).reshape(-1, 8)[:, :size]
        session.send(Kind.BEATS, words.tobytes(), size=size)
        best, cycles, logits = session.result()
        yield Answer(index=best, logits=tuple(logits), cycles=cycles)


def checked(
    found: Iterator[_AnswerT], build: Build, inputs: npt.NDArray[Any], *, time_steps: int
) -> Iterator[_AnswerT]:
    """The same answers, each held against the golden model.

    Raises
    ------
    VerificationError
        One differs.
    """
    trace = golden.run(build.load_graph(), inputs, time_steps=time_steps)
    for number, answer in enumerate(found):
        wanted = (int(trace.classes[number]), tuple(trace.logits[number].tolist()))
        if (answer.index, answer.logits) != wanted:
            raise VerificationError(
                f"Sample {number}: the board answers class {answer.index} with logits {answer.logits}, the golden "
                f"model {wanted[0]} with {wanted[1]}; flash the build again, and verify it."
            )
        yield answer
