"""The core: engines between two streams, joined by queues."""

from typing import Any, TypeAlias

from amaranth.hdl import Cat, ClockDomain, ClockSignal, DomainRenamer, Elaboratable, Module, ResetSignal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from snnc.compiler.plan import LOAD_BITS, EnginePlan, MemoryKind, Plan, ProjectionPlan
from snnc.rtl.beats import InputBeat, ResultBeat, SpikeWord, input_beat, result_beat, spike_word
from snnc.rtl.block_queue import queue_of
from snnc.rtl.byte_serialiser import ByteSerialiser
from snnc.rtl.delay import Delay
from snnc.rtl.engines import witness
from snnc.rtl.exits import OneSample
from snnc.rtl.loader import Gate, Loader
from snnc.rtl.replay import Replay
from snnc.rtl.spike_map import SpikeMap
from snnc.rtl.spike_serialiser import SpikeSerialiser
from snnc.rtl.views import Stream

__all__ = ["Core"]

# Any: the classes are loaded by the name of the engine's kind, and have as many ports as the engine has projections.
_Engine: TypeAlias = Any


class Core(wiring.Component):
    """A compiled network.

    Engines run at the same time, joined by queues: step ``t + 1`` of one overlaps step ``t`` of the next, and a sample
    the one before it. Markers travel with the events, so nothing controls them from outside. An engine's spike words go
    to the queues of all that listen to it at once, when every one has room.

    Of a network with an early exit there is one sample inside at a time. Where it exits, all but the readout is reset,
    and what is left of it at the port is dropped (`docs/timing.md`).

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

    i: Stream[InputBeat]
    o: Stream[ResultBeat]
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

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self.plan
        engines: dict[str, _Engine] = {}
        for engine in plan.engines:
            behind = tuple(other.projections[k].queue.depth for other, k in plan.listeners(engine.name))
            build = witness(engine.kind, "circuit").build
            engines[engine.name] = built = build(engine, plan.input, behind, cancels=plan.exit is not None)
            m.submodules[f"engine_{engine.name}"] = built if engine is plan.readout else self._cancelled(built)
        (first,) = (engine for engine in plan.engines if engine.main.source == plan.input.name)
        hear_input = witness(first.kind, "circuit").hear_input
        beats = self._one_sample(m, engines, self._loaded(m, engines))
        hear_input(m, engines[first.name], first, plan.input, beats, self._cancelled)
        for engine in plan.engines:
            self._behind(m, engines, engine)
        connect(m, engines[plan.readout.name].o, flipped(self.o))
        if plan.exit is not None:
            self._resets(m, engines[plan.readout.name])
        return m

    def _cancelled(self, component: Elaboratable) -> Elaboratable:
        """`component`, reset by a cancel where there is an exit."""
        return component if self.plan.exit is None else DomainRenamer("cancelled")(component)

    def _resets(self, m: Module, readout: _Engine) -> None:
        """What is cancelled is reset by a register, with no logic between it and the thousands that it is told to.

        So a reset takes effect there a cycle later than elsewhere. Meanwhile no beat passes: what stands beside it is
        clearing, or shut.
        """
        m.domains += ClockDomain("cancelled", local=True)
        m.d.comb += [ClockSignal("cancelled").eq(ClockSignal()), ResetSignal("cancelled").eq(readout.halts)]

    def _one_sample(self, m: Module, engines: dict[str, _Engine], beats: Stream[InputBeat]) -> Stream[InputBeat]:
        """`beats`, of one sample at a time where there is an exit."""
        if self.plan.exit is None:
            return beats
        m.submodules.one_sample = one_sample = OneSample(self.plan.input)
        readout = engines[self.plan.readout.name]
        connect(m, beats, one_sample.i)
        m.d.comb += [
            one_sample.cancel.eq(readout.exits),
            one_sample.finished.eq(readout.finished),
            one_sample.clears.eq(readout.halts | Cat(engine.clears for engine in engines.values()).any()),
        ]
        return one_sample.o

    def _loaded(self, m: Module, engines: dict[str, _Engine]) -> Stream[InputBeat]:
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

    def _behind(self, m: Module, engines: dict[str, _Engine], plan: EnginePlan) -> None:
        """Join an engine to all that listen to it."""
        source, words = engines[plan.name], spike_word(plan)
        for number, (listener, k) in enumerate(self.plan.listeners(plan.name)):
            projection = listener.projections[k]
            stem = listener.name if projection is listener.main else f"{listener.name}_side{k}"
            if projection.queue.steps is not None:
                readers = listener.units if listener.kind.reads_maps else 1
                asked = () if self.plan.exit is None else self.plan.exit.steps
                spike_map = SpikeMap(plan, projection, readers, asked)
                m.submodules[f"map_{stem}"] = self._cancelled(spike_map)
                m.d.comb += source.left[number].eq(spike_map.left)
                for unit, write in enumerate(spike_map.i):
                    m.d.comb += [write.valid.eq(source.o[unit].valid), write.payload.eq(source.o[unit].payload)]
                if listener.kind.reads_maps:
                    for unit, port in enumerate(spike_map.port):
                        connect(m, port, getattr(engines[listener.name], f"map{k}")[unit])
                    continue
                replay = Replay(plan, projection, attempts=bool(asked))
                m.submodules[f"replay_{stem}"] = self._cancelled(replay)
                connect(m, spike_map.port[0], replay.port)
                self._serialised(m, engines[listener.name], k, stem, projection, plan, replay.o)
                continue
            queue = queue_of(words, projection.queue)
            m.submodules[f"queue_{stem}"] = self._cancelled(queue)
            # A spike word is never held back, and finds room in every queue.
            m.d.comb += [
                queue.i.valid.eq(source.o.valid),
                queue.i.payload.eq(source.o.payload),
                source.left[number].eq(queue.left),
            ]
            spikes: Stream[SpikeWord] = queue.o
            if projection.delay:
                delay = Delay(plan, projection.delay)
                m.submodules[f"delay_{stem}"] = self._cancelled(delay)
                connect(m, spikes, delay.i)
                listens = engines[listener.name]
                m.d.comb += [delay.step.eq(listens.step), delay.sample.eq(listens.sample)]
                spikes = delay.o
            self._serialised(m, engines[listener.name], k, stem, projection, plan, spikes)

    def _serialised(
        self,
        m: Module,
        engine: _Engine,
        k: int,
        stem: str,
        projection: ProjectionPlan,
        source: EnginePlan,
        spikes: Stream[SpikeWord],
    ) -> None:
        """Join an engine's projection `k` to the spike words that it walks."""
        # A queue of beats takes what it offers as the search gives it.
        serialiser = (ByteSerialiser if projection.buffered else SpikeSerialiser)(projection, spike_word(source))
        m.submodules[f"spikes_{stem}"] = self._cancelled(serialiser)
        connect(m, spikes, serialiser.i)
        connect(m, serialiser.o, getattr(engine, f"i{k}"))
