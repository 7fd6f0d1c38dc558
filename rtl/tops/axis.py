"""A core as a component of somebody else's design: AXI4-Stream in, AXI4-Stream out."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import LOAD_BITS, Plan
from snnc.rtl.beats import Marker, input_beat, result_beat
from snnc.rtl.tops.running import running_core
from snnc.rtl.tops.startup import hold_in_reset

__all__ = ["AxisTop"]


class AxisTop(wiring.Component):
    """The core's streams under AXI4-Stream's names, each payload in whole bytes, low bits first.

    ``TLAST`` of an input beat ends the sample, as its marker does; of a result beat it says that this is the sample's
    last logit. The core is held in reset for `cycles` after configuration and after each ``aresetn``, and nothing is
    taken meanwhile.

    Parameters
    ----------
    plan
        What the core was made from.
    core
        Name of the core's Verilog module.
    cycles
        Of the hold.

    Members
    -------
    aclk, aresetn : In(1)
    s_axis_tdata, s_axis_tvalid, s_axis_tlast : In; s_axis_tready : Out
        Input beats.
    m_axis_tdata, m_axis_tvalid, m_axis_tlast : Out; m_axis_tready : In
        Result beats.
    s_load_tdata, s_load_tvalid : In; s_load_tready : Out
        Load words, where the core has any.
    """

    aclk: Signal
    aresetn: Signal
    s_axis_tdata: Signal
    s_axis_tvalid: Signal
    s_axis_tlast: Signal
    s_axis_tready: Signal
    m_axis_tdata: Signal
    m_axis_tvalid: Signal
    m_axis_tlast: Signal
    m_axis_tready: Signal
    s_load_tdata: Signal
    s_load_tvalid: Signal
    s_load_tready: Signal

    def __init__(self, plan: Plan, core: str, cycles: int) -> None:
        self._plan = plan
        self._core = core
        self._cycles = cycles
        taken, given = (-(-layout.size // 8) * 8 for layout in (input_beat(plan.input), result_beat(plan.readout)))
        load = {"s_load_tdata": In(LOAD_BITS), "s_load_tvalid": In(1), "s_load_tready": Out(1)} if plan.loaded else {}
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                "s_axis_tdata": In(taken),
                "s_axis_tvalid": In(1),
                "s_axis_tlast": In(1),
                "s_axis_tready": Out(1),
                "m_axis_tdata": Out(given),
                "m_axis_tvalid": Out(1),
                "m_axis_tlast": Out(1),
                "m_axis_tready": In(1),
                **load,
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        hold_in_reset(m, clock=self.aclk, reset=~self.aresetn, cycles=self._cycles)
        taken, given = input_beat(self._plan.input), result_beat(self._plan.readout)
        beat = taken(self.s_axis_tdata[: taken.size])
        payload, result = taken.signal(name="payload"), given.signal(name="result")
        m.d.comb += Value.cast(payload).eq(Value.cast(beat))
        with m.If(self.s_axis_tlast):
            m.d.comb += payload.marker.eq(Marker.SAMPLE)
        m.d.comb += [self.m_axis_tdata.eq(Value.cast(result)), self.m_axis_tlast.eq(result.last)]
        running_core(
            m,
            self._core,
            i=(payload, self.s_axis_tvalid, self.s_axis_tready),
            o=(result, self.m_axis_tvalid, self.m_axis_tready),
            load=(self.s_load_tdata, self.s_load_tvalid, self.s_load_tready) if self._plan.loaded else None,
        )
        return m
