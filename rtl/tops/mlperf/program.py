"""What is said to each command, as a program for `snnc.rtl.tops.mlperf.interpreter`.

The commands and answers are those of the benchmark's firmware (github.com/mlcommons/tiny, ``benchmark/api``), as far as
its published runner uses them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Final

__all__ = ["ADDRESS_BITS", "COMMAND_BYTES", "NUMBER", "STAMP_DIGITS", "Label", "Op", "Program", "mlperf_program"]

COMMAND_BYTES: Final = 80
"""Of a command, without its end; what is longer is cut."""

STAMP_DIGITS: Final = 10
"""Of a time in microseconds, with a byte of 0 behind it."""

NUMBER: Final = ord("#")
"""In a word: one digit or more."""

ADDRESS_BITS: Final = 11
"""Of an instruction."""


@unique
class Op(IntEnum):
    """An instruction: two bytes ``1ooooaaa aaaaaaaa``. A byte below 128 is sent as it is.

    *The word* is what lies between two blanks of the command, and was found by the last `MATCH`.
    """

    GOTO = 0
    MATCH = 1
    """Go on to the next word. Behind it stand words, each closed by a `CASE`; where none is the command's, what follows
    them, an instruction, is next."""
    CASE = 2
    """Go there if this is the word."""
    REWIND = 3
    """Before the first word again."""
    WORD = 4
    """Send the word."""
    PUT = 5
    """Write the byte that is its address behind what has been matched."""
    SHOW = 6
    """Send from there up to a byte of 0."""
    STAMP = 7
    """Write the time there, in decimal digits; a multiple of 16."""
    RUN = 8
    """As many inferences as the word says."""
    EMPTY = 9
    """Forget the sample."""
    HEX = 10
    """Take the word's bytes for the sample; then go to one of the program's four `Label`."""
    LOGIT = 11
    """Take the next logit, after `EMPTY` or the last one the first."""
    DIGIT = 12
    """Send its next decimal digit."""
    LAST = 13
    """Go there if it was the last one."""
    END = 14
    """Wait for the next command."""


@unique
class Label(IntEnum):
    """Where `Op.HEX` goes on."""

    TAKEN = 0
    """The sample is not complete."""
    COMPLETE = 1
    BAD = 2
    """A byte is not one of two hexadecimal digits."""
    ODD = 3
    """The last byte has one digit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Text and instructions.

    Attributes
    ----------
    content
        From address `first` on.
    start, command, refused
        Where it begins after a reset, with a command, and with a command to a board whose weights are wrong.
    labels
        In the order of `Label`.
    """

    first: int
    content: bytes
    start: int
    command: int
    refused: int
    labels: tuple[int, ...]


Item = str | tuple[Op, str | int]
"""Text, or an instruction with a label or a number."""


def _assemble(lines: dict[str, Sequence[Item]], first: int) -> tuple[bytes, dict[str, int]]:
    places, at = {}, first
    for label, items in lines.items():
        places[label] = at
        at += sum(len(item) if isinstance(item, str) else 2 for item in items)
    content = bytearray()
    for items in lines.values():
        for item in items:
            if isinstance(item, str):
                content += item.encode("ascii")
                continue
            op, target = item
            address = places[target] if isinstance(target, str) else target
            content += (1 << 15 | op << ADDRESS_BITS | address).to_bytes(2, "big")
    if at >= 1 << ADDRESS_BITS:
        raise ValueError(f"A program must end before byte {1 << ADDRESS_BITS}, not at {at}")
    return bytes(content), places


def mlperf_program(
    *, name: str, model: str, sample_bytes: int, digits: int, stamps: Sequence[int], first: int
) -> Program:
    """The program for a board.

    Parameters
    ----------
    name, model
        What ``name`` and ``profile`` are answered with.
    sample_bytes
        Of a sample's tensor.
    digits
        Behind the point of a result.
    stamps
        Where the two times of ``infer`` are kept.
    first
        The program's own first byte.
    """
    end, match, rewind, word = (Op.END, 0), (Op.MATCH, 0), (Op.REWIND, 0), (Op.WORD, 0)
    line = "\r\n"
    lines: dict[str, Sequence[Item]] = {
        "start": [f"m-timestamp-mode-performance{line}m-init-done{line}"],
        "ready": [f"m-ready{line}", end],
        "command": [
            match,
            *("name", (Op.CASE, "name"), "profile", (Op.CASE, "profile"), "timestamp", (Op.CASE, "timestamp")),
            *("db", (Op.CASE, "db"), "infer", (Op.CASE, "infer"), "results", (Op.CASE, "results")),
            (Op.GOTO, "unknown"),
        ],
        "unknown": ["e-[Unknown command: ", word, f"]{line}", (Op.GOTO, "ready")],
        "name": [f"m-name-dut-[{name}]{line}", (Op.GOTO, "ready")],
        "profile": [
            f"m-profile-[ULPMark for tinyML Firmware V0.0.1]{line}m-model-[{model}]{line}",
            (Op.GOTO, "ready"),
        ],
        "timestamp": [(Op.STAMP, stamps[0]), "m-lap-us-", (Op.SHOW, stamps[0]), line, (Op.GOTO, "ready")],
        "db": [match, "load", (Op.CASE, "load"), (Op.CASE, "no bytes"), (Op.HEX, 0)],
        "load": [match, str(sample_bytes), (Op.CASE, "expect"), (Op.GOTO, "size")],
        "expect": [(Op.EMPTY, 0), f"m-[Expecting {sample_bytes} bytes]{line}", (Op.GOTO, "ready")],
        "size": [f"e-[A sample of this model has {sample_bytes} bytes]{line}", (Op.GOTO, "ready")],
        "no bytes": [f"e-[Command 'db' requires a subcommand]{line}", (Op.GOTO, "ready")],
        "loaded": [f"m-load-done{line}", (Op.GOTO, "ready")],
        "bad": [f"e-[Invalid hex digit]{line}", (Op.GOTO, "ready")],
        "odd": [f"e-[Insufficent number of hex digits]{line}", (Op.GOTO, "ready")],  # the firmware's own spelling
        "infer": [
            match,
            *((Op.CASE, "one"), "0", (Op.CASE, "none"), "#", (Op.CASE, "warm-ups"), (Op.GOTO, "none")),
        ],
        "one": [(Op.PUT, ord(" ")), (Op.PUT, ord("1"))],
        "ten": [
            *((Op.PUT, ord(" ")), (Op.PUT, ord("1")), (Op.PUT, ord("0")), (Op.PUT, 0)),
            *(rewind, match, "infer", (Op.CASE, "infer"), end),
        ],
        "warm-ups": [match, (Op.CASE, "ten"), "#", (Op.CASE, "run"), (Op.GOTO, "negative")],
        "none": [f"e-[Inference iterations must be >0]{line}", (Op.GOTO, "ready")],
        "negative": [f"e-[Inference warmup must be >=0]{line}", (Op.GOTO, "ready")],
        "run": [
            *("m-warmup-start-", word, line, (Op.RUN, 0), f"m-warmup-done{line}m-infer-start-"),
            *(rewind, match, "infer", (Op.CASE, "count"), end),
        ],
        "count": [match, "#", (Op.CASE, "measure"), end],
        # Both times are sent afterwards, so that nothing but inferences lies between them.
        "measure": [
            *(word, line, (Op.STAMP, stamps[0]), (Op.RUN, 0), (Op.STAMP, stamps[1])),
            *("m-lap-us-", (Op.SHOW, stamps[0]), f"{line}m-lap-us-", (Op.SHOW, stamps[1]), f"{line}m-infer-done{line}"),
        ],
        "results": ["m-results-["],
        "logit": [(Op.LOGIT, 0), "0.", *[(Op.DIGIT, 0)] * digits, (Op.LAST, "closed"), ",", (Op.GOTO, "logit")],
        "closed": [f"]{line}", (Op.GOTO, "ready")],
        "refused": [f"e-[The weights in flash are not those of the bitstream]{line}", (Op.GOTO, "ready")],
    }
    content, places = _assemble(lines, first)
    return Program(
        first=first,
        content=content,
        start=places["start"],
        command=places["command"],
        refused=places["refused"],
        labels=(places["ready"], places["loaded"], places["bad"], places["odd"]),
    )
