"""A host's side of MLPerf Tiny's serial commands: ``docs/mlperf.md``."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from snnc.compiler.link.session import LinkError, Transport

__all__ = ["Inference", "Runner"]

_END: Final = "%"
_TRIES: Final = 6
_SILENT: Final = (
    "The board does not answer: was it built with --protocol mlperf-tiny, is this its port, and is the baud rate "
    "that of its build?"
)
_READY: Final = "m-ready"
_CHUNK: Final = 31
"""Bytes of a sample in a command, as the published runner sends them: 80 characters hold no more than 38."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """What ``infer`` was answered with: results as they were written, and the time of all measured inferences."""

    results: tuple[str, ...]
    microseconds: int


class Runner:
    """Talks to one board as the benchmark's published runner does.

    Parameters
    ----------
    line
        Where it is.
    timeout
        Seconds for an answer.

    Attributes
    ----------
    name, model
        What the board said of itself.
    """

    def __init__(self, line: Transport, *, timeout: float = 5.0) -> None:
        self._line = line
        self._timeout = timeout
        self._left = ""
        self._lines: list[str] = []
        self._meet()
        self.name = self._told("name", r"m-name-dut-\[([^]]+)]")
        self.model = self._told("profile", r"m-model-\[([^]]+)]")

    def _meet(self) -> None:
        """Find the answer to a word that nobody knows: all before it was for another host, or said at the start."""
        word = os.urandom(4).hex()
        # What a host before this one left open ends here. Of what is sent while a board speaks some is lost.
        self._line.write(f"{_END}{word}{_END}".encode())
        for _ in range(_TRIES):
            lines: Sequence[str] = ()
            with contextlib.suppress(LinkError):
                lines = self._answer()
            if any(word in line for line in lines):
                return
            if any("weights in flash" in line for line in lines):
                raise LinkError(
                    "The board refuses the weights in flash, which are not those of its bitstream: write both again "
                    "with snnc flash."
                )
            self._line.write(f"{word}{_END}".encode())
        raise LinkError(_SILENT)

    def load(self, sample: bytes) -> None:
        """Send a sample's tensor.

        Raises
        ------
        LinkError
            The board takes samples of another size, or did not take all of this one.
        """
        self.ask(f"db load {len(sample)}")
        lines: Sequence[str] = ()
        for first in range(0, len(sample), _CHUNK):
            lines = self.ask(f"db {sample[first : first + _CHUNK].hex()}")
        if "m-load-done" not in lines:
            raise LinkError("The board did not take the whole sample: connect again.")

    def infer(self, count: int, warm_ups: int) -> Inference:
        """Run inferences of the sample that was sent last, at first some that are not measured."""
        lines = self.ask(f"infer {count} {warm_ups}")
        times = [int(found[1]) for line in lines if (found := re.fullmatch(r"m-lap-us-(\d+)", line))]
        results = [found[1] for line in lines if (found := re.fullmatch(r"m-results-\[([\d.,]+)]", line))]
        if len(times) != 2 or len(results) != 1:
            raise LinkError(f"The board's answer to 'infer' is none of this release's: {'; '.join(lines)}.")
        return Inference(results=tuple(results[0].split(",")), microseconds=times[1] - times[0])

    def ask(self, command: str) -> tuple[str, ...]:
        """The lines that a command is answered with, without the last one.

        Raises
        ------
        LinkError
            There is no answer, or it is an error.
        """
        self._line.write(f"{command}{_END}".encode())
        lines = self._answer()
        if errors := [line for line in lines if line.startswith("e-")]:
            raise LinkError(f"The board refuses '{command}': {errors[0][2:].strip('[]')}.")
        return lines

    def _told(self, command: str, pattern: str) -> str:
        lines = self.ask(command)
        found = next((match[1] for line in lines if (match := re.fullmatch(pattern, line))), None)
        if found is None:
            raise LinkError(f"The board's answer to '{command}' is none of MLPerf Tiny's: {'; '.join(lines)}.")
        return found

    def _answer(self) -> tuple[str, ...]:
        deadline = time.monotonic() + self._timeout
        while _READY not in self._lines:
            left = deadline - time.monotonic()
            if left <= 0:
                raise LinkError(_SILENT)
            *whole, self._left = (self._left + self._line.read(left).decode("ascii", "replace")).split("\n")
            self._lines += [line.strip() for line in whole]
        at = self._lines.index(_READY)
        found, self._lines = self._lines[:at], self._lines[at + 1 :]
        return tuple(found)
