"""How a host and a board talk: ``docs/link.md``."""

from __future__ import annotations

from snnc.compiler.link.frames import Frame, Kind, Unframer, decode, encode
from snnc.compiler.link.identity import Identity, Weights
from snnc.compiler.link.session import LinkError, Session, Transport

__all__ = ["Frame", "Identity", "Kind", "LinkError", "Session", "Transport", "Unframer", "Weights", "decode", "encode"]
