"""Memories as a plan describes them, over the primitives of ``primitives.v``."""

from typing import Final, assert_never

from amaranth.hdl import Array, ClockSignal, Const, Instance, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import LOAD_BITS, ConstantField, EnginePlan, MemoryKind, MemoryPlan, unsigned_bits
from snnc.rtl.loader import Loading, LoadPort

__all__ = [
    "BlockMembrane",
    "LoadedRom",
    "Lookup",
    "Ring",
    "Rom",
    "RomPair",
    "block_ram",
    "constant_fields",
    "constant_word",
    "image_path",
]


_ALWAYS: Final = Const(1, 1)


def image_path(name: str) -> str:
    """Where the hardware looks for a memory's contents, relative to the build folder."""
    return f"images/{name}.hex"


class Rom(wiring.Component):
    """A read-only memory, in banks where it is deeper than one block.

    Members
    -------
    address : In(range(depth))
    data : Out(width)
        The word at the address of `latency` cycles before.

    Attributes
    ----------
    latency
        `MemoryPlan.latency`.
    """

    address: Signal
    data: Signal

    def __init__(self, plan: MemoryPlan) -> None:
        self._plan = plan
        self.latency = plan.latency
        match plan.kind:
            case MemoryKind.EBR:
                self._primitive = "snnc_rom_block"
            case MemoryKind.LUT:
                self._primitive = "snnc_rom_logic"
            case MemoryKind.REGISTERS | MemoryKind.SPRAM:
                raise ValueError(f"A read-only memory cannot be of kind {plan.kind!r}")
            case _:
                assert_never(plan.kind)
        super().__init__({"address": In(unsigned_bits(plan.depth - 1)), "data": Out(plan.width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self._plan
        row_bits = (plan.bank_depth - 1).bit_length()
        in_logic = plan.kind is MemoryKind.LUT
        outputs = []
        for bank in range(plan.banks):
            depth = min(plan.bank_depth, plan.depth - bank * plan.bank_depth)
            name = plan.name if plan.banks == 1 else f"{plan.name}.{bank}"
            output = Signal(plan.width, name=f"bank{bank}")
            address_bits = unsigned_bits(depth - 1)
            address: Value = self.address[:address_bits]
            if in_logic and plan.registered:
                address = Signal(address_bits, name=f"address{bank}", reset_less=True)
                # It stays while others are read: registers that were all the same would be made one.
                with m.If(self.address[row_bits:] == bank):
                    m.d.sync += address.eq(self.address[:address_bits])
            m.submodules[f"bank{bank}"] = Instance(
                self._primitive,
                p_WIDTH=plan.width,
                p_DEPTH=_declared(plan, depth),
                p_ADDRESS_BITS=address_bits,
                p_FILE=image_path(name),
                i_clk=ClockSignal(),
                i_address=address,
                o_data=output,
            )
            outputs.append(output)
        _join_banks(m, plan, outputs, self.address[row_bits:], self.data)
        return m


class RomPair(wiring.Component):
    """A read-only memory in block RAM for two readers, in banks where it is deeper than one block.

    Members
    -------
    address : In(range(depth)), one for each reader
    data : Out(width), one for each reader
        As those of a `Rom`.
    """

    address: list[Signal]
    data: list[Signal]

    def __init__(self, plan: MemoryPlan) -> None:
        if plan.kind is not MemoryKind.EBR:
            raise ValueError(f"A memory of kind {plan.kind!r} has no second port")
        self._plan = plan
        super().__init__({"address": In(unsigned_bits(plan.depth - 1)).array(2), "data": Out(plan.width).array(2)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self._plan
        row_bits = (plan.bank_depth - 1).bit_length()
        outputs: list[list[Signal]] = [[], []]
        for bank in range(plan.banks):
            depth = min(plan.bank_depth, plan.depth - bank * plan.bank_depth)
            address_bits = unsigned_bits(depth - 1)
            first, second = (Signal(plan.width, name=f"bank{bank}_{port}") for port in "ab")
            m.submodules[f"bank{bank}"] = Instance(
                "snnc_rom_pair",
                p_WIDTH=plan.width,
                p_DEPTH=_declared(plan, depth),
                p_ADDRESS_BITS=address_bits,
                p_FILE=image_path(plan.name if plan.banks == 1 else f"{plan.name}.{bank}"),
                i_clk=ClockSignal(),
                i_address_a=self.address[0][:address_bits],
                o_data_a=first,
                i_address_b=self.address[1][:address_bits],
                o_data_b=second,
            )
            outputs[0].append(first)
            outputs[1].append(second)
        for reader, found in enumerate(outputs):
            _join_banks(m, plan, found, self.address[reader][row_bits:], self.data[reader])
        return m


def _join_banks(m: Module, plan: MemoryPlan, outputs: list[Signal], bank: Value, data: Signal) -> None:
    """Give `data` the output of the bank that was read; of several, through a register behind their multiplexer."""
    if plan.registered and plan.kind is MemoryKind.EBR:
        outputs = [_held(m, output) for output in outputs]
    if len(outputs) == 1:
        m.d.comb += data.eq(outputs[0])
        return
    bank_index = Signal(len(bank), reset_less=True)
    m.d.sync += bank_index.eq(bank)
    if plan.registered:
        bank_index = _held(m, bank_index)
    m.d.sync += data.eq(Array(outputs)[bank_index])


def _declared(plan: MemoryPlan, depth: int) -> int:
    """Words that synthesis is told of. Of other numbers than powers of two it may fold several words into a wide row of
    fewer blocks, with a multiplexer between the block and the register that stands behind it for its lateness.
    """
    folds = plan.registered and plan.kind is MemoryKind.EBR
    return 1 << unsigned_bits(depth - 1) if folds else depth


def _held(m: Module, value: Signal) -> Signal:
    """A register that follows."""
    register = Signal.like(value, name=f"{value.name}_held", reset_less=True)
    m.d.sync += register.eq(value)
    return register


class LoadedRom(wiring.Component):
    """A memory of the device's large single-port blocks, filled by a loader and read-only from then on.

    The blocks of a row lie side by side, each with a chunk of 16 bits, in banks where it is deeper than one block.

    Members
    -------
    address : In(range(depth))
    data : Out(width)
        The word at the address of `latency` cycles before. Anything until the loader is done.
    load : In(LoadPort)

    Attributes
    ----------
    latency
        `MemoryPlan.latency`.
    """

    address: Signal
    data: Signal
    load: Loading

    def __init__(self, plan: MemoryPlan) -> None:
        if plan.kind is not MemoryKind.SPRAM:
            raise ValueError(f"A memory of kind {plan.kind!r} is not loaded")
        self._plan = plan
        self.latency = plan.latency
        super().__init__(
            {"address": In(unsigned_bits(plan.depth - 1)), "data": Out(plan.width), "load": In(LoadPort(plan))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self._plan
        address = Signal.like(self.address)
        m.d.comb += address.eq(Mux(self.load.loading, self.load.row, self.address))
        row_bits = (plan.bank_depth - 1).bit_length()
        outputs = []
        for bank in range(plan.banks):
            depth = min(plan.bank_depth, plan.depth - bank * plan.bank_depth)
            address_bits = unsigned_bits(depth - 1)
            output = Signal(plan.width, name=f"bank{bank}")
            for chunk in range(plan.chunks):
                data = output[chunk * LOAD_BITS : (chunk + 1) * LOAD_BITS]
                write = self.load.write[chunk]
                if plan.banks > 1:
                    write &= address[row_bits:] == bank
                m.submodules[f"bank{bank}_chunk{chunk}"] = Instance(
                    "snnc_ram_huge",
                    p_WIDTH=len(data),
                    p_DEPTH=depth,
                    p_ADDRESS_BITS=address_bits,
                    i_clk=ClockSignal(),
                    i_address=address[:address_bits],
                    o_data=data,
                    i_write=write,
                    i_write_data=self.load.data[: len(data)],
                )
            outputs.append(output)
        _join_banks(m, plan, outputs, self.address[row_bits:], self.data)
        return m


class Lookup(wiring.Component):
    """Constants as logic, read in the same cycle.

    Parameters
    ----------
    name
        Of the image.
    width, depth
        Bits of a word; words.

    Members
    -------
    address : In(range(depth))
    data : Out(width)
    """

    address: Signal
    data: Signal

    def __init__(self, name: str, width: int, depth: int) -> None:
        self._name = name
        self._depth = depth
        super().__init__({"address": In(unsigned_bits(depth - 1)), "data": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.lookup = Instance(
            "snnc_lookup",
            p_WIDTH=len(self.data),
            p_DEPTH=self._depth,
            p_ADDRESS_BITS=len(self.address),
            p_FILE=image_path(self._name),
            i_address=self.address,
            o_data=self.data,
        )
        return m


class Ring(wiring.Component):
    """Words in flip-flops that turn by one place per access.

    Walkers visit all words in order, again and again: then the next word is always the same flip-flops, and a read
    needs no multiplexer. `restore` puts every word back to its constant in one cycle, through the flip-flops' own set
    and reset inputs.

    Parameters
    ----------
    width, depth
        Bits of a word; words.
    initial
        Name of the image with all words' initial values as one number, word 0 lowest; None for zeros.
    ones
        Without an image: every bit starts as 1 instead.

    Members
    -------
    head : Out(width)
        The word whose turn it is.
    tail : In(width)
        What takes its place.
    turn : In(1)
        Replace the head by `tail` and go on to the next word.
    restore : In(1)
        Every word to its initial value, with word 0 as the head; wins over `turn`.
    """

    head: Signal
    tail: Signal
    turn: Signal
    restore: Signal

    def __init__(self, width: int, depth: int, initial: str | None, *, ones: bool = False) -> None:
        self._depth = depth
        self._initial = initial
        self._ones = ones
        super().__init__({"head": Out(width), "tail": In(width), "turn": In(1), "restore": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width, depth = len(self.head), self._depth
        words = [Signal(width, name=f"word{k}", reset_less=True) for k in range(depth)]
        constants = Signal(width * depth)
        if self._initial is not None:
            m.submodules.initial = initial_values = Lookup(self._initial, width * depth, 1)
            m.d.comb += constants.eq(initial_values.data)
        elif self._ones:
            m.d.comb += constants.eq(-1)
        m.d.comb += self.head.eq(words[0])
        for k, word in enumerate(words):
            with m.If(self.restore):
                m.d.sync += word.eq(constants[k * width : (k + 1) * width])
            with m.Elif(self.turn):
                m.d.sync += word.eq(words[k + 1] if k + 1 < depth else self.tail)
        return m


class BlockMembrane(wiring.Component):
    """Membranes in block RAM, one word read and one written per cycle.

    A word must not be read in the cycle in which it is written, nor in the one before: with at least two words that
    are visited in turn it never is.

    Members
    -------
    read_word : In(range(depth))
    data : Out(width)
        The word at `read_word` of the cycle before.
    write : In(1)
    write_word : In(range(depth))
    write_data : In(width)
    """

    read_word: Signal
    data: Signal
    write: Signal
    write_word: Signal
    write_data: Signal

    def __init__(self, plan: MemoryPlan) -> None:
        if plan.depth < 2:
            raise ValueError("Membranes in block RAM need at least two words: a single one is read while it is written")
        self._plan = plan
        word = unsigned_bits(plan.depth - 1)
        super().__init__(
            {
                "read_word": In(word),
                "data": Out(plan.width),
                "write": In(1),
                "write_word": In(word),
                "write_data": In(plan.width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        data = block_ram(
            m,
            "memory",
            width=self._plan.width,
            depth=self._plan.depth,
            read=self.read_word,
            write=self.write,
            write_address=self.write_word,
            value=self.write_data,
        )
        m.d.comb += self.data.eq(data)
        return m


def block_ram(
    m: Module,
    name: str,
    *,
    width: int,
    depth: int,
    read: Value,
    reads: Value = _ALWAYS,
    write: Value,
    write_address: Value,
    value: Value,
) -> Signal:
    """Block RAM with a read and a write port as submodule `name`; gives the word at `read` of the cycle before, or that
    of the last cycle before in which it `reads`.
    """
    word = Signal(width, name=f"{name}_read")
    m.submodules[name] = Instance(
        "snnc_ram_block",
        p_WIDTH=width,
        p_DEPTH=depth,
        p_ADDRESS_BITS=unsigned_bits(depth - 1),
        i_clk=ClockSignal(),
        i_read=reads,
        i_read_address=read,
        o_read_data=word,
        i_write=write,
        i_write_address=write_address,
        i_write_data=value,
    )
    return word


def constant_word(m: Module, plan: EnginePlan, next_group: Value, group: Value) -> Signal:
    """The constants of an engine's `group` of channels; `next_group` is that of the next cycle.

    The memory becomes the submodule ``constants``.
    """
    constants: Lookup | Rom
    if plan.constants.kind is MemoryKind.LUT:
        m.submodules.constants = constants = Lookup(plan.constants.name, plan.constants.width, plan.constants.depth)
        m.d.comb += constants.address.eq(group)
    else:
        m.submodules.constants = constants = Rom(plan.constants)
        if constants.latency != 1:
            raise ValueError(f"The constants of {plan.name!r} must fit one bank")
        m.d.comb += constants.address.eq(next_group)
    return constants.data


def constant_fields(plan: EnginePlan, word: Value) -> dict[ConstantField, list[Value]]:
    """Per lane, what a word of an engine's constants holds."""
    values = [
        word.word_select(k, plan.residual_bits).as_signed() for k in range(plan.constants.width // plan.residual_bits)
    ]
    return {field: values[k * plan.lanes :][: plan.lanes] for k, field in enumerate(plan.constant_fields)}
