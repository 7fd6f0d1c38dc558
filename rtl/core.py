"""The core: engines between two streams, joined by queues."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from snnc.compiler.plan import LOAD_BITS, EngineKind, EnginePlan, MemoryKind, Plan, QueuePlan
from snnc.rtl.beats import input_beat, result_beat, spike_word
from snnc.rtl.block_queue import BlockQueue
from snnc.rtl.delay import Delay
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
    the one before it. Markers travel with the events, so nothing controls them from outside. An engine's spike words go
    to the queues of all that listen to it at once, when every one has room.

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
        engines: dict[str, Engine | ImageEngine] = {}
        for engine_plan in plan.engines:
            behind = tuple(other.projections[k].queue.depth for other, k in plan.listeners(engine_plan.name))
            if engine_plan.kind is EngineKind.IMAGE:
                engine: Engine | ImageEngine = ImageEngine(engine_plan, plan.input, behind)
            else:
                engine = Engine(engine_plan, behind)
            engines[engine_plan.name] = m.submodules[f"engine_{engine_plan.name}"] = engine
        self._from_port(m, engines, self._loaded(m, engines))
        for engine_plan in plan.engines:
            self._behind(m, engines, engine_plan)
        connect(m, engines[plan.readout.name].o, flipped(self.o))
        return m

    def _loaded(self, m: Module, engines: dict[str, Any]) -> Any:
        """Where the input comes from: the port, or what keeps it shut until the memories are filled."""
        plan = self.plan
        if not plan.loaded:
            return flipped(self.i)
        m.submodules.loader = loader = Loader(plan.loaded)
        m.submodules.gate = gate = Gate(input_beat(plan.input))
        connect(m, flipped(self.load), loader.i)
        connect(m, flipped(self.i), gate.i)
        m.d.comb += gate.open.eq(loader.done)
        ports = {memory.name: getattr(loader, f"memory{k}") for k, memory in enumerate(plan.loaded)}
        for engine in plan.engines:
            for k, projection in enumerate(engine.projections):
                if projection.weights.kind is MemoryKind.SPRAM:
                    connect(m, ports[projection.weights.name], getattr(engines[engine.name], f"load{k}"))
        return gate.o

    def _from_port(self, m: Module, engines: dict[str, Any], source: Any) -> None:
        """Join the input to the one projection that listens to it."""
        plan = self.plan
        (plan_behind,) = (engine for engine in plan.engines if engine.main.source == plan.input.name)
        engine, name = engines[plan_behind.name], plan_behind.name
        if isinstance(engine, ImageEngine):
            connect(m, source, engine.i)
            return
        into = getattr(engine, f"i{len(plan_behind.projections) - 1}")
        if plan_behind.main.digits is not None:
            m.submodules[f"digits_{name}"] = digits = DigitSerialiser(plan.input)
            connect(m, source, digits.i)
            connect(m, digits.o, into)
            return
        m.submodules[f"queue_{name}"] = queue = _queue(source.payload.shape(), plan_behind.main.queue)
        connect(m, source, queue.i)
        # An input beat has no lane: its words have one.
        beat, event = queue.o.payload, into.payload
        m.d.comb += [
            into.valid.eq(queue.o.valid),
            queue.o.ready.eq(into.ready),
            event.address.eq(beat.address),
            event.event.eq(beat.event),
            event.marker.eq(beat.marker),
        ]

    def _behind(self, m: Module, engines: dict[str, Any], plan: EnginePlan) -> None:
        """Join an engine to all that listen to it."""
        source, words = engines[plan.name], spike_word(plan)
        for number, (listener, k) in enumerate(self.plan.listeners(plan.name)):
            projection = listener.projections[k]
            stem = listener.name if projection is listener.main else f"{listener.name}_side{k}"
            m.submodules[f"queue_{stem}"] = queue = _queue(words, projection.queue)
            # A spike word is never held back, and finds room in every queue.
            m.d.comb += [
                queue.i.valid.eq(source.o.valid),
                queue.i.payload.eq(source.o.payload),
                source.left[number].eq(queue.left),
            ]
            spikes: Any = queue.o
            if projection.delay:
                m.submodules[f"delay_{stem}"] = delay = Delay(plan, projection.delay)
                connect(m, spikes, delay.i)
                listens = engines[listener.name]
                m.d.comb += [delay.step.eq(listens.step), delay.sample.eq(listens.sample)]
                spikes = delay.o
            m.submodules[f"spikes_{stem}"] = serialiser = SpikeSerialiser(projection, words)
            connect(m, spikes, serialiser.i)
            connect(m, serialiser.o, getattr(engines[listener.name], f"i{k}"))


def _queue(shape: Any, plan: QueuePlan) -> Queue | BlockQueue:
    return Queue(shape, plan.depth) if plan.memory is None else BlockQueue(shape, plan.depth)
