"""The primitives of ``rtl/primitives.v`` and ``products.v`` for Amaranth's own simulator, which runs no Verilog."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Elaboratable, Module, Mux, Signal, Value, signed
from amaranth.lib.memory import Memory

__all__ = ["simulate_memories"]


def simulate_memories(monkeypatch: pytest.MonkeyPatch, folder: Path, *modules: str) -> None:
    """Put models in the place of the instances that `modules` make; contents are read below `folder`.

    Multipliers are among them.
    """

    def instance(primitive: str, **ports: Any) -> Elaboratable:
        return _MultiplyPair(ports) if primitive == "snnc_multiply_pair" else _Model(primitive, folder, ports)

    for module in (*modules, "snnc.rtl.products"):
        monkeypatch.setattr(f"{module}.Instance", instance)


class _Model(Elaboratable):
    def __init__(self, primitive: str, folder: Path, ports: dict[str, Any]) -> None:
        self._primitive = primitive
        self._folder = folder
        self._ports = ports

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ports = self._ports
        width, depth = ports["p_WIDTH"], ports["p_DEPTH"]
        if self._primitive in ("snnc_ram_block", "snnc_ram_huge"):
            noise = random.Random(depth)
            contents = [noise.getrandbits(width) for _ in range(depth)]
        else:
            contents = [int(line, 16) for line in (self._folder / ports["p_FILE"]).read_text().split()]
            if depth == 1 << ports["p_ADDRESS_BITS"]:  # the rows behind the last one may be missing
                contents += [random.Random(depth).getrandbits(width) for _ in range(depth - len(contents))]
            assert len(contents) == depth
        memory: Any = Memory(shape=width, depth=depth, init=contents)
        m.submodules.memory = memory
        if self._primitive == "snnc_rom_pair":
            for port in "ab":
                read = memory.read_port()
                m.d.comb += [read.addr.eq(ports[f"i_address_{port}"]), ports[f"o_data_{port}"].eq(read.data)]
            return m
        if self._primitive == "snnc_ram_block":
            write = memory.write_port()
            read = memory.read_port()
            m.d.comb += [
                write.addr.eq(ports["i_write_address"]),
                write.data.eq(ports["i_write_data"]),
                write.en.eq(ports["i_write"]),
                read.en.eq(ports["i_read"]),
                read.addr.eq(ports["i_read_address"]),
            ]
            # What is written in the cycle of its read may be read as anything.
            collides, seed = Signal(), random.Random(width).getrandbits(width) | 1
            with m.If(read.en):
                m.d.sync += collides.eq(write.en & (write.addr == read.addr))
            m.d.comb += ports["o_read_data"].eq(read.data ^ Mux(collides, seed, 0))
        elif self._primitive == "snnc_ram_huge":
            write = memory.write_port()
            read = memory.read_port()  # one port: a write leaves what was read as it was
            m.d.comb += [
                write.addr.eq(ports["i_address"]),
                write.data.eq(ports["i_write_data"]),
                write.en.eq(ports["i_write"]),
                read.addr.eq(ports["i_address"]),
                read.en.eq(~ports["i_write"]),
                ports["o_data"].eq(read.data),
            ]
        else:
            read = memory.read_port(domain="comb" if self._primitive == "snnc_lookup" else "sync")
            m.d.comb += [read.addr.eq(ports["i_address"]), ports["o_data"].eq(read.data)]
        return m


class _MultiplyPair(Elaboratable):
    """``rtl/products.v``."""

    def __init__(self, ports: dict[str, Any]) -> None:
        self._ports = ports

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ports = self._ports
        value = Signal(8)
        m.d.sync += value.eq(ports["i_value"])
        for which in "ab":
            weight, product, total = Signal(signed(8)), Signal(signed(16)), Signal(signed(16), init=-77)
            m.d.sync += [weight.eq(Value.cast(ports[f"i_weight_{which}"]).as_signed()), product.eq(weight * value)]
            with m.If(ports["i_clear"]):
                m.d.sync += total.eq(0)
            with m.Elif(ports["i_adds"]):
                m.d.sync += total.eq(total + product)
            m.d.comb += ports[f"o_sum_{which}"].eq(total)
        return m
