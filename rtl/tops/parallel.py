"""A core with plain pins: a field of a beat each, and the answer as a level that stays."""

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.ir import Encoding
from snnc.compiler.plan import LOAD_BITS, Plan
from snnc.rtl.beats import Marker, input_beat, result_beat
from snnc.rtl.tops.running import running_core
from snnc.rtl.tops.startup import hold_in_reset

__all__ = ["ParallelTop"]


class ParallelTop(wiring.Component):
    """The core's streams as wires for logic that speaks no bus: a counter, a camera's pixel clock, a state machine.

    The core is held in reset for `cycles` after configuration and after each ``rst``, and nothing is taken meanwhile.

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
    clk, rst : In(1)
    address, event, valid : In; ready : Out(1)
        An event of an input beat; it is taken in a cycle in which both are high.
    value : In
        Of a pixel; where the network takes any.
    step_end, sample_end : In(1)
        What ends with the beat; the end of a sample is that of its last step.
    logit, logit_class, logit_valid : Out
        A logit, signed, for one cycle each; it cannot be put off.
    answer, answered : Out
        The class of the last sample that is complete, which stays; for one cycle, that it is new.
    load, load_valid : In; load_ready : Out
        Load words, where the core has any.
    """

    clk: Signal
    rst: Signal
    address: Signal
    event: Signal
    value: Signal
    step_end: Signal
    sample_end: Signal
    valid: Signal
    ready: Signal
    logit: Signal
    logit_class: Signal
    logit_valid: Signal
    answer: Signal
    answered: Signal
    load: Signal
    load_valid: Signal
    load_ready: Signal

    def __init__(self, plan: Plan, core: str, cycles: int) -> None:
        self._plan = plan
        self._core = core
        self._cycles = cycles
        taken, given = input_beat(plan.input), result_beat(plan.readout)
        value = {"value": In(taken["value"].shape)} if plan.input.encoding is Encoding.DIRECT else {}
        load = {"load": In(LOAD_BITS), "load_valid": In(1), "load_ready": Out(1)} if plan.loaded else {}
        super().__init__(
            {
                "clk": In(1),
                "rst": In(1),
                "address": In(taken["address"].shape),
                "event": In(1),
                **value,
                "step_end": In(1),
                "sample_end": In(1),
                "valid": In(1),
                "ready": Out(1),
                "logit": Out(given["logit"].shape),
                "logit_class": Out(given["index"].shape),
                "logit_valid": Out(1),
                "answer": Out(given["best"].shape),
                "answered": Out(1),
                **load,
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        hold_in_reset(m, clock=self.clk, reset=self.rst, cycles=self._cycles)
        beat = input_beat(self._plan.input).signal(name="beat")
        result = result_beat(self._plan.readout).signal(name="result")
        marker = Mux(self.sample_end, Marker.SAMPLE.value, Mux(self.step_end, Marker.STEP.value, Marker.NONE.value))
        m.d.comb += [
            beat.address.eq(self.address),
            beat.event.eq(self.event),
            Value.cast(beat.marker).eq(marker),
            self.logit.eq(result.logit),
            self.logit_class.eq(result.index),
        ]
        if self._plan.input.encoding is Encoding.DIRECT:
            m.d.comb += beat.value.eq(self.value)
        given = self.logit_valid & result.last
        m.d.sync += self.answered.eq(given)
        with m.If(given):
            m.d.sync += self.answer.eq(result.best)
        running_core(
            m,
            self._core,
            i=(beat, self.valid, self.ready),
            o=(result, self.logit_valid, Const(1)),
            load=(self.load, self.load_valid, self.load_ready) if self._plan.loaded else None,
        )
        return m
