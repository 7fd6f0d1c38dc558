"""Memories: where their bits live, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from snnc.compiler.plan.faults import Fault, at_least

__all__ = ["LOAD_BITS", "MemoryKind", "MemoryPlan"]

LOAD_BITS = 16
"""Of a word that fills memories at start-up: what one SPRAM block holds at an address."""


class MemoryKind(Enum):
    """Where a memory's bits live."""

    REGISTERS = "registers"
    """Flip-flops, one per bit, as a ring that turns by one word per access."""
    LUT = "lut"
    """Read-only, as logic."""
    EBR = "ebr"
    """Block RAM."""
    SPRAM = "spram"
    """Large single-port RAM, whose contents come through the core's port ``load`` after every reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """One memory.

    Attributes
    ----------
    name
        Unique; also the stem of its image ``images/<name>.hex`` (banked: ``images/<name>.<bank>.hex``). What is in
        SPRAM is part of ``images/load.hex`` instead.
    kind
        Where it lives.
    width, depth
        Bits of a word and words, as the hardware addresses it.
    bank_depth
        Words per bank: a memory deeper than one block is built from ``ceil(depth / bank_depth)`` banks.
    blocks
        Block RAMs (EBR) paid for, in all copies; 0 for anything else.
    sprams
        SPRAM blocks paid for; 0 for anything else.
    bits_used, bits_paid
        Bits that hold a parameter or a state, and bits that the chosen memory provides in all copies.
    copies
        Memories of this shape that stand side by side, one for each column bank of an engine: read-only ones hold the
        same.
    registered
        Of weights in block RAM: what is read goes to a register before anything is made of it. Where block RAM is late,
        the word's way across the chip is then a cycle of its own. Of banks in logic: each has a register for its
        address, which many look-up tables hear.
    """

    name: str
    kind: MemoryKind
    width: int
    depth: int
    bank_depth: int
    blocks: int
    bits_used: int
    bits_paid: int
    sprams: int = 0
    copies: int = 1
    registered: bool = False

    @property
    def latency(self) -> int:
        """Cycles from an address to a word, where it is read-only: with several banks one for choosing among them."""
        return 1 + self.registered + (self.banks > 1)

    @property
    def banks(self) -> int:
        return -(-self.depth // self.bank_depth)

    @property
    def chunks(self) -> int:
        """Load words of a row: row bits ``16 k ..`` are chunk ``k``, the last one padded with zeros."""
        return -(-self.width // LOAD_BITS)

    def faults(self) -> Iterator[Fault]:
        if not self.name or set(self.name) & set("/\\\0"):
            yield Fault("name", f"is {self.name!r}, which names no file")
        yield from at_least(self, 1, "width", "depth", "bank_depth", "copies")
        yield from at_least(self, 0, "blocks", "sprams", "bits_used", "bits_paid")
        if self.bank_depth > self.depth:
            yield Fault("bank_depth", f"is {self.bank_depth}, more than the {self.depth} words of the memory")
        if self.kind is MemoryKind.REGISTERS and self.banks > 1:
            yield Fault("bank_depth", f"makes {self.banks} banks, which a memory in {self.kind.value} has none of")
        if self.blocks and self.kind is not MemoryKind.EBR:
            yield Fault("blocks", f"is {self.blocks}, but the memory is in {self.kind.value}")
        if self.registered and self.kind is not MemoryKind.EBR and not (self.kind is MemoryKind.LUT and self.banks > 1):
            yield Fault("registered", f"is true, but the memory is in {self.kind.value}")
        if self.sprams and self.kind is not MemoryKind.SPRAM:
            yield Fault("sprams", f"is {self.sprams}, but the memory is in {self.kind.value}")
