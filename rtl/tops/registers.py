"""A core as a component of somebody else's design: registers behind AXI4-Lite."""

from __future__ import annotations

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import LOAD_BITS, Plan
from snnc.rtl.beats import ResultBeat, input_beat, result_beat
from snnc.rtl.tops import Register
from snnc.rtl.tops.startup import hold_in_reset

__all__ = ["RegistersTop"]

_WORD = 32
_OKAY, _ERROR = 0, 2
"""AXI's OKAY and SLVERR."""


class RegistersTop(wiring.Component):
    """The core's streams as registers of 32 bits (`snnc.rtl.tops.Register`, ``docs/integrate.md``).

    No access ever waits for the core: what cannot be done at once is answered with an error and not done, and the
    status says beforehand what can. The core is held in reset for `cycles` after configuration and after each
    ``aresetn``, and no access is taken meanwhile.

    Parameters
    ----------
    plan
        What the core was made from; its beats have at most 32 bits.
    core
        Name of the core's Verilog module.
    cycles
        Of the hold.

    Members
    -------
    aclk, aresetn : In(1)
    s_axil_* :
        AXI4-Lite, with addresses of bytes; writes are of whole words.
    """

    aclk: Signal
    aresetn: Signal
    s_axil_awaddr: Signal
    s_axil_awprot: Signal
    s_axil_awvalid: Signal
    s_axil_awready: Signal
    s_axil_wdata: Signal
    s_axil_wstrb: Signal
    s_axil_wvalid: Signal
    s_axil_wready: Signal
    s_axil_bresp: Signal
    s_axil_bvalid: Signal
    s_axil_bready: Signal
    s_axil_araddr: Signal
    s_axil_arprot: Signal
    s_axil_arvalid: Signal
    s_axil_arready: Signal
    s_axil_rdata: Signal
    s_axil_rresp: Signal
    s_axil_rvalid: Signal
    s_axil_rready: Signal

    def __init__(self, plan: Plan, core: str, cycles: int) -> None:
        if input_beat(plan.input).size > _WORD:
            raise ValueError(f"An input beat must have at most {_WORD} bits, not {input_beat(plan.input).size}")
        self._plan = plan
        self._core = core
        self._cycles = cycles
        address, bit = Register.address_bits(), 1
        super().__init__(
            {
                "aclk": In(bit),
                "aresetn": In(bit),
                "s_axil_awaddr": In(address),
                "s_axil_awprot": In(3),
                "s_axil_awvalid": In(bit),
                "s_axil_awready": Out(bit),
                "s_axil_wdata": In(_WORD),
                "s_axil_wstrb": In(_WORD // 8),
                "s_axil_wvalid": In(bit),
                "s_axil_wready": Out(bit),
                "s_axil_bresp": Out(2),
                "s_axil_bvalid": Out(bit),
                "s_axil_bready": In(bit),
                "s_axil_araddr": In(address),
                "s_axil_arprot": In(3),
                "s_axil_arvalid": In(bit),
                "s_axil_arready": Out(bit),
                "s_axil_rdata": Out(_WORD),
                "s_axil_rresp": Out(2),
                "s_axil_rvalid": Out(bit),
                "s_axil_rready": In(bit),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        hold_in_reset(m, clock=self.aclk, reset=~self.aresetn, cycles=self._cycles)
        beat, word = Signal(input_beat(self._plan.input).size), Signal(LOAD_BITS)
        offered, loads = Signal(), Signal()
        taken, load_taken, result_valid, result_taken = Signal(), Signal(), Signal(), Signal()
        result = result_beat(self._plan.readout).signal(name="result")
        load = {}
        if self._plan.loaded:
            load = {"i_load__payload": word, "i_load__valid": loads, "o_load__ready": load_taken}
        # By name: what is integrated is the very Verilog that was verified.
        m.submodules.core = Instance(
            self._core,
            i_clk=ClockSignal(),
            i_rst=ResetSignal(),
            i_i__payload=beat,
            i_i__valid=offered,
            o_i__ready=taken,
            o_o__payload=Value.cast(result),
            o_o__valid=result_valid,
            i_o__ready=result_taken,
            **load,
        )
        with m.If(taken):
            m.d.sync += offered.eq(0)
        with m.If(load_taken):
            m.d.sync += loads.eq(0)
        status = Cat(~offered, result_valid, load_taken & ~loads)
        self._writes(m, beat, offered, word, loads, load_taken)
        with m.If(self.s_axil_rvalid & self.s_axil_rready):
            m.d.sync += self.s_axil_rvalid.eq(0)
        with m.If(self.s_axil_arvalid & ~self.s_axil_rvalid & ~ResetSignal()):
            m.d.comb += self.s_axil_arready.eq(1)
            m.d.sync += [self.s_axil_rvalid.eq(1), self.s_axil_rresp.eq(_OKAY), self.s_axil_rdata.eq(0)]
            with m.Switch(self.s_axil_araddr[2:]):
                with m.Case(Register.STATUS // 4):
                    m.d.sync += self.s_axil_rdata.eq(status)
                with m.Case(Register.MODEL // 4):
                    m.d.sync += self.s_axil_rdata.eq(int(self._plan.model_hash[:8], 16))
                with m.Case(Register.LOGIT // 4):
                    m.d.sync += self.s_axil_rdata.eq(result.logit)  # extends its sign
                    m.d.sync += self.s_axil_rresp.eq(_or_error(result_valid))
                with m.Case(Register.RESULT // 4):
                    m.d.comb += result_taken.eq(result_valid)
                    m.d.sync += self.s_axil_rdata.eq(_fields(result))
                    m.d.sync += self.s_axil_rresp.eq(_or_error(result_valid))
                with m.Default():
                    m.d.sync += self.s_axil_rresp.eq(_ERROR)
        return m

    def _writes(self, m: Module, beat: Signal, offered: Signal, word: Signal, loads: Signal, ready: Signal) -> None:
        whole = Signal()
        m.d.comb += whole.eq(self.s_axil_wstrb.all())
        with m.If(self.s_axil_bvalid & self.s_axil_bready):
            m.d.sync += self.s_axil_bvalid.eq(0)
        with m.If(self.s_axil_awvalid & self.s_axil_wvalid & ~self.s_axil_bvalid & ~ResetSignal()):
            m.d.comb += [self.s_axil_awready.eq(1), self.s_axil_wready.eq(1)]
            m.d.sync += [self.s_axil_bvalid.eq(1), self.s_axil_bresp.eq(_ERROR)]
            with m.If(whole & (self.s_axil_awaddr[2:] == Register.INPUT // 4) & ~offered):
                m.d.sync += [beat.eq(self.s_axil_wdata), offered.eq(1), self.s_axil_bresp.eq(_OKAY)]
            with m.If(whole & (self.s_axil_awaddr[2:] == Register.LOAD // 4) & ready & ~loads):
                m.d.sync += [word.eq(self.s_axil_wdata), loads.eq(1), self.s_axil_bresp.eq(_OKAY)]


def _or_error(there: Value) -> Value:
    return Cat(Const(0, 1), ~there)


def _fields(result: ResultBeat) -> Value:
    """The register `Register.RESULT`: the class in bits 0 to 11, the best so far in 12 to 23, the last's mark in 31."""
    return Cat(
        *(part for field in (result.index, result.best) for part in (field, Const(0, 12 - len(field)))),
        Const(0, 7),
        result.last,
    )
