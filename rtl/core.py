"""The core: a chain of engines between two streams."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from snnc.compiler.ir.neurons import Encoding
from snnc.compiler.plan import LOAD_BITS, EngineKind, MemoryKind, Plan, QueuePlan
from snnc.rtl.beats import input_beat, result_beat, spike_word
from snnc.rtl.block_queue import BlockQueue
from snnc.rtl.digit_serialiser import DigitSerialiser
from snnc.rtl.engine import Engine
from snnc.rtl.image_engine import ImageEngine
from snnc.rtl.loader import Gate, Loader
from snnc.rtl.queue import Queue
from snnc.rtl.spike_serialiser import SpikeSerialiser

__all__ = ["Core"]


class Core(wiring.Component):
    """A compiled network.

    Engines run at the same time, joined by queues: step ``t + 1`` of one overlaps step ``t`` of the next, and a sample
    the one before it. Markers travel with the events, so nothing controls them from outside.

    Members
    -------
    i : In(stream of `beats.input_beat`)
        Events or pixels of a sample, and its markers.
    o : Out(stream of `beats.result_beat`)
        The logits of a sample in order of their classes, then the next sample's.
    load : In(stream of 16 bits)
        Contents of the memories in SPRAM (only where there are any; `loader.Loader`). Until they are complete, `i` is
        not ready.
    """

    i: stream.Interface
    o: stream.Interface
    load: stream.Interface

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        load = {"load": In(stream.Signature(LOAD_BITS))} if plan.loaded else {}
        super().__init__(
            {
                "i": In(stream.Signature(input_beat(plan.input))),
                "o": Out(stream.Signature(result_beat(plan.readout))),
                **load,
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        plan = self.plan
        source: Any = flipped(self.i)
        loads = {}
        if plan.loaded:
            m.submodules.loader = loader = Loader(plan.loaded)
            m.submodules.gate = gate = Gate(input_beat(plan.input))
            connect(m, flipped(self.load), loader.i)
            connect(m, source, gate.i)
            m.d.comb += gate.open.eq(loader.done)
            source = gate.o
            loads = {memory.name: getattr(loader, f"memory{k}") for k, memory in enumerate(plan.loaded)}
        left: Signal | None = None
        for position, engine_plan in enumerate(plan.engines):
            name = engine_plan.name
            behind = None
            if engine_plan.kind is not EngineKind.READOUT:
                behind = plan.engines[position + 1].projections[0].queue.depth
            engine: Engine | ImageEngine
            if engine_plan.kind is EngineKind.IMAGE:
                assert behind is not None
                engine = ImageEngine(engine_plan, plan.input, behind)
            else:
                engine = Engine(engine_plan, behind)
            m.submodules[f"engine_{name}"] = engine
            (projection,) = engine_plan.projections
            if isinstance(engine, Engine) and projection.weights.kind is MemoryKind.SPRAM:
                connect(m, loads[projection.weights.name], engine.load)
            if isinstance(engine, ImageEngine):
                connect(m, source, engine.i)
            elif position == 0 and plan.input.encoding is Encoding.DIRECT:
                m.submodules[f"digits_{name}"] = digits = DigitSerialiser(plan.input)
                connect(m, source, digits.i)
                connect(m, digits.o, engine.i)
            else:
                m.submodules[f"queue_{name}"] = queue = _queue(source.payload.shape(), projection.queue)
                connect(m, source, queue.i)
                if position == 0:
                    # An input beat has no lane: its words have one.
                    beat, event = queue.o.payload, engine.i.payload
                    m.d.comb += [
                        engine.i.valid.eq(queue.o.valid),
                        queue.o.ready.eq(engine.i.ready),
                        event.address.eq(beat.address),
                        event.event.eq(beat.event),
                        event.marker.eq(beat.marker),
                    ]
                else:
                    m.submodules[f"spikes_{name}"] = spikes = SpikeSerialiser(
                        projection, spike_word(plan.engines[position - 1])
                    )
                    connect(m, queue.o, spikes.i)
                    connect(m, spikes.o, engine.i)
                    assert left is not None  # every engine but the last is a spiking one
                    m.d.comb += left.eq(queue.left)
            source = engine.o
            left = engine.left if engine_plan.kind is not EngineKind.READOUT else None
        connect(m, source, flipped(self.o))
        return m


def _queue(shape: Any, plan: QueuePlan) -> Queue | BlockQueue:
    return Queue(shape, plan.depth) if plan.memory is None else BlockQueue(shape, plan.depth)
