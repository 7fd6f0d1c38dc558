from __future__ import annotations

import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from snnc.rtl.tops.shell import _Narrow, _Widen
from tests.rtl.streams import exchange


class _BackToBack(wiring.Component):
    """A payload to bits and back."""

    i: stream.Interface
    o: stream.Interface

    def __init__(self, width: int) -> None:
        self._width = width
        super().__init__({"i": In(stream.Signature(width)), "o": Out(stream.Signature(width))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.narrow = narrow = _Narrow(self._width)
        m.submodules.widen = widen = _Widen(self._width)
        connect(m, flipped(self.i), narrow.i)
        connect(m, narrow.o, widen.i)
        connect(m, widen.o, flipped(self.o))
        return m


@pytest.mark.parametrize("width", [2, 7, 16])
@pytest.mark.parametrize(("gap", "stall"), [(0.0, 0.0), (0.7, 0.0), (0.0, 0.9)])
def test_bits_and_back(width: int, gap: float, stall: float) -> None:
    items = [(k * 12345 + 7) % 2**width for k in range(30)]
    got, _, _ = exchange(_BackToBack(width), items, len(items), gap=gap, stall=stall)
    assert got == items
