"""A full disk, found where it did harm: some tools end with success after they could write half of a file."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from snnc.compiler.errors import ToolError

__all__ = ["check_room"]

_ROOM: Final = 1 << 16
"""Bytes; below that a tool's last writes may have failed."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def check_room(title: str, folders: Iterable[Path]) -> None:
    """Whether there is room left in each folder after the program `title` wrote there.

    Raises
    ------
    ToolError
        A disk or a quota is full; what was written last may be cut.
    """
    for folder in folders:
        try:
            # By writing: what statvfs says knows of no quota.
            with tempfile.NamedTemporaryFile(prefix=".snnc-", dir=folder) as probe:
                probe.write(bytes(_ROOM))
                probe.flush()
                os.fsync(probe.fileno())
        except OSError as error:
            if error.errno in _FULL:
                temporary = folder.parent == Path(tempfile.gettempdir())
                place = ", or name another place for temporary files in TMPDIR" if temporary else ""
                raise ToolError(
                    f"{title} had no room: the disk of '{folder}' is full ({error.strerror}); make room there{place}."
                ) from None
