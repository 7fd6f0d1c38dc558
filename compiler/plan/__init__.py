"""The plan: the one seam between the compiler and everything that is built from its decisions.

Frozen, plain (numbers, strings, tuples), saved as JSON in the build folder. The hardware, the performance model, the
verifier and the reports are all constructed from it; none of them decides a width, a depth or a lane count again.
What the numbers *mean* in cycles is ``docs/timing.md``; what they mean in values is ``docs/semantics.md``.

Representation of a membrane. Hardware keeps the *residual* ``X = leak(V) + bias - threshold`` between steps:
accumulating the events of a step turns it into ``U - threshold``, whose sign is the spike. For an IF neuron one
addition of ``bias`` or of ``bias - threshold`` then gives the next step's residual: comparison, bias and soft reset
together cost one adder. A floor and a leak take further passes through the same adder (`SweepPass`). A readout keeps
``X = V``.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from snnc.compiler.contract import SEMANTICS_VERSION
from snnc.compiler.errors import BuildError
from snnc.compiler.ir.neurons import Encoding, Reset

__all__ = [
    "LOAD_BITS",
    "PLAN_VERSION",
    "ConstantField",
    "DigitPlan",
    "EngineKind",
    "EnginePlan",
    "ImagePlan",
    "InputPlan",
    "KernelPlan",
    "LayoutPlan",
    "MemoryKind",
    "MemoryPlan",
    "Plan",
    "ProjectionPlan",
    "QueuePlan",
    "Range",
    "SweepPass",
    "plan_from_json",
    "plan_to_json",
    "signed_bits",
    "unsigned_bits",
]

PLAN_VERSION = 4

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
    """Event-driven: adds rows of weights to stored membranes."""
    IMAGE = "image"
    """The first layer after pixels: gathers each neuron's current once, and takes all its steps there and then."""
    READOUT = "readout"
    """Event-driven, and hands out its membranes."""


class SweepPass(Enum):
    """What happens to every membrane word when a step ends, in this order. ``z`` is the floor, or 0 without one."""

    FIRE = "fire"
    """Spike where ``X >= 0``; then ``X = V - z``, the membrane after the reset but before the floor."""
    FLOOR = "floor"
    """``X = max(X, 0)`` and a constant: the membrane, or without a leak the next step's residual."""
    LEAK = "leak"
    """``X = X - (X >> k) - 1``, which takes no carry."""
    BIAS = "bias"
    """``X = X + 1 + (bias - threshold)``; in a readout, ``X = V + bias``."""


class ConstantField(Enum):
    """What a pass of a sweep adds, one value per channel."""

    FIRED = "fired"
    """By `SweepPass.FIRE` where the neuron spikes."""
    SILENT = "silent"
    """By `SweepPass.FIRE` where it does not."""
    FLOOR = "floor"
    """By `SweepPass.FLOOR`."""
    BIAS = "bias"
    """By `SweepPass.BIAS`."""
    INITIAL = "initial"
    """The residual that a sample begins with."""


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
        Block RAMs (EBR) paid for, in all copies; 0 for anything else.
    sprams
        SPRAM blocks paid for; 0 for anything else.
    bits_used, bits_paid
        Bits that hold a parameter or a state, and bits that the chosen memory provides in all copies.
    copies
        Memories of this shape that stand side by side, one for each column bank of an engine: read-only ones hold the
        same.
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

    @property
    def banks(self) -> int:
        return -(-self.depth // self.bank_depth)

    @property
    def chunks(self) -> int:
        """Load words of a row: row bits ``16 k ..`` are chunk ``k``, the last one padded with zeros."""
        return -(-self.width // LOAD_BITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutPlan:
    """How an array of neurons lies in words: a word holds `lanes` channels of one position.

    The channels fall into `groups` of `lanes`; channel ``c`` is lane ``c % lanes`` of group ``c // lanes``. A word's
    address is the bit fields ``{row, column, group}``, the group lowest, each as wide as its largest value needs: no
    hardware divides to find a position, and the price is addresses that stand for nothing. Fully connected layers have
    one row and one column, so that their addresses are 0, 1, 2, ... The network's input has one lane.

    Words are always visited in the order of their addresses.
    """

    channels: int
    rows: int
    columns: int
    lanes: int

    @property
    def groups(self) -> int:
        return -(-self.channels // self.lanes)

    @property
    def sizes(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.columns

    @property
    def neurons(self) -> int:
        return self.channels * self.rows * self.columns

    @property
    def shape(self) -> str:
        """As in an architecture string: ``32x6x6``, or ``128`` where there are no positions."""
        return str(self.channels) if self.sizes == (1, 1) else f"{self.channels}x{self.rows}x{self.columns}"

    @property
    def words(self) -> int:
        """Words that stand for neurons."""
        return self.rows * self.columns * self.groups

    @property
    def group_bits(self) -> int:
        return (self.groups - 1).bit_length()

    @property
    def column_bits(self) -> int:
        return (self.columns - 1).bit_length()

    @property
    def row_bits(self) -> int:
        return (self.rows - 1).bit_length()

    def address(self, row: int, column: int, group: int) -> int:
        """Of the word that holds the channels of `group` at a position."""
        return ((row << self.column_bits | column) << self.group_bits) | group

    @property
    def depth(self) -> int:
        """Words of a memory that is addressed so."""
        return self.address(self.rows - 1, self.columns - 1, self.groups - 1) + 1

    @property
    def address_bits(self) -> int:
        """Width of an address, at least 1."""
        return unsigned_bits(self.depth - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelPlan:
    """Geometry of a convolution; pairs are (vertical, horizontal), as in ``docs/semantics.md`` section 1.

    Attributes
    ----------
    size, stride, padding, dilation
        Of the kernel, over the source's sums of ``pool x pool`` windows.
    groups
        Into which the channels of source and target fall.
    """

    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    @property
    def next_column_taps(self) -> int | None:
        """Kernel positions between that through which a column sees an event, and that of the column right of it.

        None where no event reaches columns side by side.
        """
        taps, rest = divmod(self.stride[1], self.dilation[1])
        return None if rest or taps >= self.size[1] else taps

    @property
    def columns_reached(self) -> int:
        """Columns side by side that an event may reach."""
        taps = self.next_column_taps
        return 1 if taps is None else -(-self.size[1] // taps)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePlan:
    """The queue in front of a projection's walker: spike words (or external events) wait here.

    Attributes
    ----------
    depth
        Entries.
    memory
        Where they are: block RAM, or flip-flops where it is None.
    """

    depth: int
    memory: MemoryPlan | None = None


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
class ImagePlan:
    """What an engine of kind `EngineKind.IMAGE` keeps.

    Attributes
    ----------
    value_bits
        Width of a pixel.
    current_bits
        Width of the accumulator of a neuron's current, bias included, and of every partial sum's result.
    pixels
        The image: one pixel per word, at the address of its neuron in the source's layout.
    multiplies
        Whether a weight row is multiplied by a pixel, in one operation, instead of added for each of its signed digits.
    spikes
        Of all steps but the first, which leave at once: at a word's address, ``lanes`` bits per step, step 1 lowest.
        None for networks of one step.
    """

    value_bits: int
    current_bits: int
    multiplies: bool
    pixels: MemoryPlan
    spikes: MemoryPlan | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionPlan:
    """How one projection is walked.

    Attributes
    ----------
    source
        Name of the source population.
    source_layout
        How the source packs its spikes.
    walker
        ``dense``: each event reads the target's `words` consecutive weight rows from ``index * row_stride``, where
        ``index`` counts the lanes of the source's pooled words: ``(position * groups + group) * lanes + lane``, and
        ``position`` is the bit fields ``{row, column}``.
        ``convolution``: the rows of source channel ``c``, kernel position ``(u, v)`` and target group ``g`` are
        ``((c * kernel height + u) * kernel width + v) * row_stride + g - first``: `row_stride` groups, from the first
        one that the channel reaches.
        ``image``: as ``convolution``, and every channel reaches all groups.
    pool
        ``q``: the source is first summed over windows of ``q x q``.
    kernel
        Of a convolution; None for a dense projection.
    row_stride
        Weight rows of one source neuron (and kernel position).
    weight_bits, shift
        Width of a weight; left shift of the weighted sum.
    weights
        The weight memory; its word holds one weight per lane, lane 0 in the low bits.
    delay
        Time steps between a spike and its effect.
    queue
        What stands in front of the walker. Of those that listen to one population, at most one may fill within a
        sample (`Plan.fills`).
    digits, image
        One of them for a direct-encoded source: in front of an event-driven engine, or of one that gathers.
    """

    source: str
    source_layout: LayoutPlan
    walker: str
    pool: int
    kernel: KernelPlan | None
    row_stride: int
    weight_bits: int
    shift: int
    weights: MemoryPlan
    delay: int
    queue: QueuePlan
    digits: DigitPlan | None
    image: ImagePlan | None

    @property
    def next_column_rows(self) -> int | None:
        """Weight rows from what an event adds to a column up to what it adds to the one right of it.

        None where no event reaches columns side by side.
        """
        taps = None if self.kernel is None else self.kernel.next_column_taps
        return None if taps is None else taps * self.row_stride

    def first_group(self, channel: int, target: LayoutPlan) -> int:
        """The first group of `target` in which a source channel's convolution has a weight row."""
        if self.kernel is None or self.row_stride == target.groups:
            return 0
        reached = target.channels // self.kernel.groups
        return channel // (self.source_layout.channels // self.kernel.groups) * reached // target.lanes


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePlan:
    """One population's hardware.

    Attributes
    ----------
    name
        Of the population; also of its Verilog instance and its probes.
    layout
        How the neurons lie in words.
    column_banks
        A power of two: the words of column ``x`` lie in bank ``x mod column_banks``, each bank with lanes, weights and
        membranes of its own, so that one operation of a convolution updates up to so many columns side by side.
    reset
        None for a readout.
    leak_shift
        ``k`` of a LIF neuron; None for IF.
    floor
        Whether membranes are clamped from below.
    pipeline
        Cycles from the issue of an operation to its execution (``docs/timing.md``): 1, plus 1 for a banked weight
        memory's multiplexer, plus 1 for the digit shifter or the multiplier, plus 1 for a register in front of the
        latter, plus 1 where several projections meet, plus 1 if `staged`, plus 1 for a register behind the choice of
        what each column bank does.
    staged
        Membranes are read a cycle before they are added to: a register stands before the adder. It takes membranes in
        EBR of three words or more.
    residual_bits
        Width of a stored membrane ``X``.
    membrane
        Where the membranes live; a word holds one per lane, lane 0 in the low bits. A single word where an image is
        gathered.
    constants
        The sweep's constants, one word per group of channels: for each of `constant_fields` a value per lane, each
        `residual_bits` wide, the first field in the low bits.
    input_current, before_reset, after_reset
        Proven ranges over all neurons of ``I``, ``U`` and ``V``.
    projections
        Those that end here, in the order in which each step walks them. The last one is the *main* one, whose markers
        end the steps; the others are *side* projections.
    """

    name: str
    kind: EngineKind
    layout: LayoutPlan
    column_banks: int
    reset: Reset | None
    leak_shift: int | None
    floor: bool
    pipeline: int
    staged: bool
    residual_bits: int
    membrane: MemoryPlan
    constants: MemoryPlan
    input_current: Range
    before_reset: Range
    after_reset: Range
    projections: tuple[ProjectionPlan, ...]

    @property
    def neurons(self) -> int:
        return self.layout.neurons

    @property
    def lanes(self) -> int:
        return self.layout.lanes

    @property
    def width(self) -> str:
        """Lanes and column banks, as `--lanes` takes them: ``48``, or ``48x2``."""
        return f"{self.lanes}x{self.column_banks}" if self.column_banks > 1 else str(self.lanes)

    @property
    def words(self) -> int:
        return self.layout.words

    @property
    def bank_layout(self) -> LayoutPlan:
        """Of the words in one column bank: an address lacks the low bits of the column."""
        return dataclasses.replace(self.layout, columns=-(-self.layout.columns // self.column_banks))

    def columns_at_once(self, projection: ProjectionPlan) -> int:
        """Columns side by side that an operation of `projection` updates at most."""
        return self.column_banks if projection.next_column_rows is not None else 1

    @property
    def main(self) -> ProjectionPlan:
        return self.projections[-1]

    @property
    def passes(self) -> tuple[SweepPass, ...]:
        """Of a sweep, in order."""
        if self.kind is EngineKind.READOUT:
            return (SweepPass.BIAS,)
        passes = [SweepPass.FIRE]
        if self.floor:
            passes.append(SweepPass.FLOOR)
        if self.leak_shift is not None:
            passes += [SweepPass.LEAK, SweepPass.BIAS]
        return tuple(passes)

    @property
    def membrane_pass(self) -> int:
        """Index of the pass after which a word holds the membrane ``V``.

        Without a leak it is ``V + bias - threshold``, but in a readout.
        """
        return self.passes.index(SweepPass.FLOOR) if self.floor else 0

    @property
    def constant_fields(self) -> tuple[ConstantField, ...]:
        """The fields of a word of `constants`, the lowest first."""
        of_pass = {
            SweepPass.FIRE: [ConstantField.FIRED, ConstantField.SILENT],
            SweepPass.FLOOR: [ConstantField.FLOOR],
            SweepPass.LEAK: [],
            SweepPass.BIAS: [ConstantField.BIAS],
        }
        fields = [field for sweep_pass in self.passes for field in of_pass[sweep_pass]]
        if self.membrane.kind is MemoryKind.EBR or self.kind is EngineKind.IMAGE:
            fields.append(ConstantField.INITIAL)
        return tuple(fields)

    @property
    def forwards(self) -> bool:
        """Whether what is written goes to the adder's register, too.

        It must where a word may be read before it is written: in a staged engine that does not visit its words in turn.
        """
        return self.staged and any(projection.walker != "dense" for projection in self.projections)

    @property
    def emission(self) -> int:
        """Cycles from the execution of what gives a spike word to its entry into the queues behind.

        Spikes that come out of block RAM in that cycle pass a register first.
        """
        return int(self.kind is EngineKind.IMAGE or (self.membrane.kind is MemoryKind.EBR and not self.staged))

    @property
    def waits(self) -> bool:
        """Whether an operation may have to wait for the one before it: where that could be on the same word."""
        return (
            not self.staged
            and self.words > 1
            and any(
                projection.walker == "convolution" and projection.row_stride == 1 for projection in self.projections
            )
        )

    @property
    def memories(self) -> tuple[MemoryPlan, ...]:
        found = [projection.weights for projection in self.projections]
        for projection in self.projections:
            if projection.digits is not None:
                found.append(projection.digits.memory)
            extra = [projection.queue.memory]
            if projection.image is not None:
                extra += [projection.image.pixels, projection.image.spikes]
            found += [memory for memory in extra if memory is not None]
        return (*found, self.membrane, self.constants)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPlan:
    """The network's input port: an event's address is that of its neuron's word in `layout`, which has one lane."""

    name: str
    encoding: Encoding
    layout: LayoutPlan
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

    def engine(self, name: str) -> EnginePlan:
        """The engine of a population."""
        return next(engine for engine in self.engines if engine.name == name)

    def listeners(self, source: str) -> tuple[tuple[EnginePlan, int], ...]:
        """The projections that listen to a population: each by its engine, and its place among that engine's."""
        return tuple(
            (engine, k)
            for engine in self.engines
            for k, projection in enumerate(engine.projections)
            if projection.source == source
        )

    def fills(self, engine: EnginePlan, projection: ProjectionPlan) -> bool:
        """Whether the queue of a projection into `engine` may fill within a sample, so that its source must wait."""
        if projection.source == self.input.name:
            return True
        steps = self.time_steps
        if projection.source == engine.name:  # what is sent in a step has left before the step that is `delay` later
            steps = min(steps, projection.delay)
        return projection.queue.depth < steps * self.engine(projection.source).words

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
