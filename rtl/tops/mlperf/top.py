"""A core on a board that speaks MLPerf Tiny's serial commands."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log10

from amaranth.hdl import ClockSignal, Const, Instance, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import wiring

from snnc.compiler.plan import Plan, unsigned_bits
from snnc.rtl.tops.board import BUFFER, BoardTop
from snnc.rtl.tops.mlperf.feeder import Feeder, sample_bytes
from snnc.rtl.tops.mlperf.interpreter import Interpreter
from snnc.rtl.tops.mlperf.program import COMMAND_BYTES, STAMP_DIGITS, Program, mlperf_program
from snnc.rtl.tops.mlperf.stamp import Stamp
from snnc.rtl.tops.uart.framing import Checksum
from snnc.rtl.tops.uart.line import Receiver, Transmitter
from snnc.rtl.tops.uart.places import HEADER_BYTES, logit_bytes
from snnc.rtl.tops.uart.results import Results

__all__ = ["MlperfTop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """First bytes in the memory, behind a command: two times, the program, the sample, results; `depth` in all."""

    stamps: tuple[int, int]
    program: int
    sample: int
    results: int
    depth: int


def _lay_out(plan: Plan, name: str, model: str) -> tuple[_Places, Program]:
    stamps, first = (96, 112), 128
    assert stamps[0] > COMMAND_BYTES
    assert stamps[1] + STAMP_DIGITS < first
    size = sample_bytes(plan.input, plan.time_steps)
    program = mlperf_program(
        name=name,
        model=model,
        sample_bytes=size,
        digits=ceil(plan.readout.residual_bits * log10(2)),
        stamps=stamps,
        first=first,
    )
    sample = first + len(program.content)
    results = sample + size
    depth = results + HEADER_BYTES + plan.readout.neurons * logit_bytes(plan.readout)
    return _Places(stamps=stamps, program=first, sample=sample, results=results, depth=depth), program


class MlperfTop(BoardTop):
    """Everything on the chip.

    Members
    -------
    rx : In(1)
    tx : Out(1)
    """

    rx: Signal
    tx: Signal

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, settings = self._plan, self._settings
        self._start(m)
        places, program = _lay_out(plan, f"snnc {settings.board}", settings.model)
        address_bits = unsigned_bits(places.depth - 1)
        m.submodules.interpreter = unit = Interpreter(
            program,
            sample=places.sample,
            sample_bytes=places.results - places.sample,
            logits=places.results + HEADER_BYTES,
            classes=plan.readout.neurons,
            logit_bits=plan.readout.residual_bits,
            address_bits=address_bits,
        )
        m.submodules.stamp = stamp = Stamp(STAMP_DIGITS, settings.clock_hz)
        m.submodules.feeder = feeder = Feeder(
            plan.input, plan.time_steps, first=places.sample, address_bits=address_bits
        )
        m.submodules.results = results = Results(plan.readout)
        m.submodules.receiver = receiver = Receiver(settings.divisor)
        m.submodules.transmitter = transmitter = Transmitter(settings.divisor)
        wiring.connect(m, unit.o, transmitter.i)
        # Behind a command, for whoever sends it: zeros close the times.
        content = bytes(places.program - places.stamps[0]) + program.content
        byte = Signal(8)
        m.submodules.buffer = Instance(
            BUFFER,
            p_DEPTH=places.depth,
            p_ADDRESS_BITS=address_bits,
            p_FIRST=places.stamps[0],
            p_BYTES=len(content),
            p_CONTENT=Const(int.from_bytes(content, "little"), 8 * len(content)),
            i_clk=ClockSignal(),
            i_read_address=Mux(unit.feeds, feeder.address, unit.address),
            o_read_data=byte,
            i_write=unit.write | results.write,
            i_write_address=Mux(results.write, places.results + results.position, unit.write_address),
            i_write_data=Mux(results.write, results.byte, unit.write_data),
        )
        m.d.comb += [
            receiver.line.eq(self.rx),
            self.tx.eq(transmitter.line),
            unit.data.eq(receiver.data),
            unit.valid.eq(receiver.valid),
            unit.byte.eq(byte),
            feeder.data.eq(byte),
            feeder.start.eq(unit.start),
            unit.fed.eq(feeder.done),
            unit.answered.eq(results.ready),
            unit.stamp_digit.eq(stamp.digit),
            unit.stamp_place.eq(stamp.place),
            unit.stamp_valid.eq(stamp.valid),
            unit.stamp_done.eq(stamp.done),
            stamp.ask.eq(unit.stamp_ask),
            # While a sample is computed nothing else is written.
            results.free.eq(1),
            results.ended.eq(feeder.done),
        ]
        payload = self._add_core(
            m,
            Value.cast(feeder.o.payload),
            feeder.o.valid,
            feeder.o.ready,
            i_rst=ResetSignal(),
            o_o__valid=results.i.valid,
            i_o__ready=results.i.ready,
            **self._load(m, unit),
        )
        m.d.comb += results.i.payload.eq(payload)
        self._lights(m, unit.feeds | results.write)
        return m

    def _load(self, m: Module, unit: Interpreter) -> dict[str, Value]:
        if self._settings.load is None:
            return {}
        reader, ports = self._add_reader(m, self._settings.load, Const(0))
        m.submodules.checksum = checksum = Checksum()
        m.d.comb += [
            checksum.clear.eq(reader.sum_clear),
            checksum.start.eq(reader.sum_start),
            checksum.data.eq(reader.sum_data),
            reader.sum_busy.eq(checksum.busy),
            reader.sum_value.eq(checksum.value),
            unit.loading.eq(reader.busy),
            unit.wrong.eq(~reader.right),
        ]
        return ports
