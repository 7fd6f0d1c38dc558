"""The plan: the one seam between the compiler and everything that is built from its decisions.

Frozen, plain (numbers, strings, tuples), saved as JSON in the build folder. The hardware, the performance model, the
verifier and the reports are all constructed from it; none of them decides a width, a depth or a lane count again.
What the numbers *mean* in cycles is ``docs/timing.md``; what they mean in values is ``docs/semantics.md``.

Representation of a membrane. Hardware keeps the *residual* ``X = V + bias - threshold`` between steps: accumulating the
events of a step turns it into ``U - threshold``, whose sign is the spike, and one addition of ``bias`` or of
``bias - threshold`` then gives the next step's residual. Comparison, bias and soft reset together cost one adder.
A readout keeps ``X = V``.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from snnc.compiler.errors import BuildError
from snnc.compiler.ir.neurons import Encoding, Reset

__all__ = [
    "LOAD_BITS",
    "PLAN_VERSION",
    "SEMANTICS_VERSION",
    "DigitPlan",
    "EngineKind",
    "EnginePlan",
    "InputPlan",
    "MemoryKind",
    "MemoryPlan",
    "Plan",
    "ProjectionPlan",
    "QueuePlan",
    "Range",
    "plan_from_json",
    "plan_to_json",
    "signed_bits",
    "unsigned_bits",
]

PLAN_VERSION = 2
SEMANTICS_VERSION = 1

LOAD_BITS = 16
"""Of a word that fills memories at start-up: what one SPRAM block holds at an address."""


def signed_bits(low: int, high: int) -> int:
    """Bits of the narrowest two's complement number that holds every integer in ``[low, high]``; at least 1."""
    return max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + 1


def unsigned_bits(high: int) -> int:
    """Bits that hold ``0 .. high``; at least 1, so that every field of a port exists."""
    return max(1, high.bit_length())


class EngineKind(Enum):
    SPIKING = "spiking"
    READOUT = "readout"


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
class Range:
    """Inclusive bounds of an integer."""

    low: int
    high: int

    @property
    def bits(self) -> int:
        """Signed width."""
        return signed_bits(self.low, self.high)


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
        Block RAMs (EBR) paid for; 0 for anything else.
    sprams
        SPRAM blocks paid for; 0 for anything else.
    bits_used, bits_paid
        Bits that hold a parameter or a state, and bits that the chosen memory provides.
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

    @property
    def banks(self) -> int:
        return -(-self.depth // self.bank_depth)

    @property
    def chunks(self) -> int:
        """Load words of a row: row bits ``16 k ..`` are chunk ``k``, the last one padded with zeros."""
        return -(-self.width // LOAD_BITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePlan:
    """The queue in front of a projection's walker: spike words (or external events) wait here."""

    depth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitPlan:
    """A direct-encoded source: every value is recoded to signed digits (non-adjacent form), one walk per digit.

    Attributes
    ----------
    value_bits
        Width of a value; a value of ``b`` bits has digits at positions ``0 .. b``.
    current
        Proven range of the weighted sum of an image, without bias.
    current_bits
        Width of a stored current.
    memory
        Where the image's current is kept, with a word for each of the membrane's: a ring of registers or EBR.
    """

    value_bits: int
    current: Range
    current_bits: int
    memory: MemoryPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionPlan:
    """How one projection is walked.

    Attributes
    ----------
    source
        Name of the source population.
    walker
        ``dense``: each event reads ``words`` consecutive weight rows from ``address * row_stride``.
    addresses
        Number of source neurons.
    source_lanes, source_words
        How the source packs its spikes; 1 and `addresses` for the network's input (one address per event).
    row_stride
        Weight rows from one source address to the next, at least the target's words.
    weight_bits, shift
        Width of a weight; left shift of the weighted sum.
    weights
        The weight memory; its word holds one weight per lane, lane 0 in the low bits.
    queue
        What stands in front of the walker.
    digits
        For a direct-encoded source only.
    """

    source: str
    walker: str
    addresses: int
    source_lanes: int
    source_words: int
    row_stride: int
    weight_bits: int
    shift: int
    weights: MemoryPlan
    queue: QueuePlan
    digits: DigitPlan | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePlan:
    """One population's hardware.

    Attributes
    ----------
    name
        Of the population; also of its Verilog instance and its probes.
    neurons, lanes, words
        ``words = ceil(neurons / lanes)``; neuron ``n`` is lane ``n % lanes`` of word ``n // lanes``.
    reset
        None for a readout.
    pipeline
        Cycles from the issue of an operation to its execution (``docs/timing.md``): 1, plus 1 for a banked weight
        memory's multiplexer, plus 1 for the digit shifter.
    residual_bits
        Width of a stored membrane ``X``.
    membrane
        Where the membranes live; a word holds one per lane, lane 0 in the low bits.
    constants
        The sweep's constants, one word per membrane word: per lane ``bias - threshold``, then per lane ``bias``, then
        (membrane in EBR only) per lane the initial residual; each `residual_bits` wide, first field in the low bits.
        A readout has ``bias`` (and the initial value) alone.
    input_current, before_reset, after_reset
        Proven ranges over all neurons of ``I``, ``U`` and ``V``.
    projections
        Those that end here.
    """

    name: str
    kind: EngineKind
    neurons: int
    lanes: int
    words: int
    reset: Reset | None
    pipeline: int
    residual_bits: int
    membrane: MemoryPlan
    constants: MemoryPlan
    input_current: Range
    before_reset: Range
    after_reset: Range
    projections: tuple[ProjectionPlan, ...]

    @property
    def memories(self) -> tuple[MemoryPlan, ...]:
        currents = (projection.digits.memory for projection in self.projections if projection.digits is not None)
        return (*(projection.weights for projection in self.projections), *currents, self.membrane, self.constants)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPlan:
    """The network's input port."""

    name: str
    encoding: Encoding
    addresses: int
    value_bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A compiled network.

    Attributes
    ----------
    name
        Of the network.
    model_hash
        SHA-256 of the sealed integer model that this plan was made for.
    target, device
        FPGA family and chip.
    time_steps
        ``T_max``.
    input
        The input port.
    engines
        In topological order, the readout last.
    """

    plan_version: int = PLAN_VERSION
    semantics_version: int = SEMANTICS_VERSION
    name: str
    model_hash: str
    target: str
    device: str
    time_steps: int
    input: InputPlan
    engines: tuple[EnginePlan, ...]

    @property
    def readout(self) -> EnginePlan:
        return self.engines[-1]

    @property
    def blocks(self) -> int:
        """Block RAMs of all memories."""
        return sum(memory.blocks for engine in self.engines for memory in engine.memories)

    @property
    def sprams(self) -> int:
        """SPRAM blocks of all memories."""
        return sum(memory.sprams for memory in self.loaded)

    @property
    def loaded(self) -> tuple[MemoryPlan, ...]:
        """The memories that are filled through the port ``load``, in that order; else there is no such port."""
        memories = (memory for engine in self.engines for memory in engine.memories)
        return tuple(memory for memory in memories if memory.kind is MemoryKind.SPRAM)

    @property
    def load_words(self) -> int:
        """Words of a whole load: memory after memory, row after row, the lowest chunk of a row first."""
        return sum(memory.depth * memory.chunks for memory in self.loaded)


def plan_to_json(plan: Plan) -> str:
    """Readable JSON; `plan_from_json` is its inverse."""
    return json.dumps(_to_plain(plan), indent=2) + "\n"


def plan_from_json(text: str) -> Plan:
    """Parse and check a saved plan.

    Raises
    ------
    BuildError
        It is no plan, or one of another version.
    """
    try:
        plain = json.loads(text)
        version = plain["plan_version"]
    except (ValueError, KeyError, TypeError):
        raise BuildError("The plan is not readable; compile the network again.") from None
    if version != PLAN_VERSION:
        raise BuildError(
            f"The plan has version {version}, this program reads {PLAN_VERSION}; compile the network again."
        )
    try:
        return _from_plain(Plan, plain)
    except (KeyError, TypeError, ValueError):
        raise BuildError("The plan lacks a field or has one of the wrong kind; compile the network again.") from None


def _to_plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_to_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


_T = TypeVar("_T")


def _from_plain(kind: type[_T], plain: dict[str, Any]) -> _T:
    hints = typing.get_type_hints(kind)
    if not isinstance(plain, dict) or set(plain) != set(hints):
        raise ValueError
    return kind(**{name: _field(hint, plain[name]) for name, hint in hints.items()})


def _field(hint: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        inner = next(argument for argument in arguments if argument is not types.NoneType)
        return None if value is None else _field(inner, value)
    if origin is tuple:
        if not isinstance(value, list):
            raise TypeError
        return tuple(_field(arguments[0], item) for item in value)
    if dataclasses.is_dataclass(hint):
        return _from_plain(typing.cast(type, hint), value)
    if issubclass(hint, Enum):
        return hint(value)
    if type(value) is not hint:
        raise TypeError
    return value
