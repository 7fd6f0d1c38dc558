"""A gathering engine: the hardware of a convolution that reads spike maps and writes spike maps.

    taps -> spike map -> word -> byte -> weight row -> residual -> o

For each word of the layer it walks the spikes below the kernel, step after step; the residuals are the adders' own
registers, so that there are no membranes to store. Several units share out the words, each with all of this, and none
waits for another. `docs/timing.md` says when.
"""

import itertools

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Member, Out, connect, flipped

from snnc.compiler.plan import EnginePlan, InputPlan, MemoryKind, unsigned_bits
from snnc.rtl.beats import MapWrite
from snnc.rtl.credits import MapOutput
from snnc.rtl.engines.gather.neurons import GatherNeurons
from snnc.rtl.engines.gather.plan import GatherKind
from snnc.rtl.loader import Loading, LoadPort
from snnc.rtl.memories import LoadedRom, Rom, RomPair
from snnc.rtl.modules import place
from snnc.rtl.neurons import at_pass
from snnc.rtl.probes import probe
from snnc.rtl.spike_map import MapPort, MapReader, Reading
from snnc.rtl.tables import last_column, position_fields
from snnc.rtl.tap_serialiser import TapOperation, TapSerialiser
from snnc.rtl.views import Fields, Payload, Stream
from snnc.rtl.walkers import witness
from snnc.rtl.word_counter import WordCounter

__all__ = ["GatherEngine", "GatherUnit", "build"]


class _Slot(Fields):
    """What is issued in a cycle, on its way to execution."""

    add: Value
    load: Value
    sweep: Value
    sweep_pass: Value
    last: Value
    """Of the sample's last step."""


class GatherUnit(wiring.Component):
    """Hardware of some words of a population whose one projection is a convolution of the spikes in a map.

    Parameters
    ----------
    plan
        The population.
    maps
        How many spike maps take its spikes.
    unit
        Which of the engine's it is.
    cancels
        Samples may be cancelled, and are computed in attempts.

    Members
    -------
    map0 : Out(MapPort)
        Reads the spike map of its source.
    o : Out(stream of `beats.map_write`)
        Is always taken.
    left : In(number of maps)
        A sample has been read from the map.
    load0 : In(LoadPort)
        Fills the weights (only where they are in SPRAM).
    row : Out(range(weight rows))
    row_data : In(width of a weight row)
        Reads weights that it shares with another unit, as a `Rom` is read (only where it does).

    Signals named ``probe_*`` say what executes: `sim` reads them by these names.
    """

    map0: Reading
    load0: Loading
    row: Signal
    row_data: Signal
    o: Stream[MapWrite]
    left: Signal

    def __init__(self, plan: EnginePlan, maps: int, unit: int = 0, *, cancels: bool = False) -> None:
        if not isinstance(plan.kind, GatherKind):
            raise ValueError(f"Engine {plan.name!r} gathers no spikes")
        self._plan = plan
        self._unit = unit
        self._kind = plan.kind
        projection = plan.main
        self._walker = witness(projection.walk, "circuit").Walker(plan, projection, unit)
        self._attempts = cancels
        self._output = MapOutput(plan, plan.kind.steps, maps, attempts=cancels)
        ports: dict[str, Member] = {
            "map0": Out(MapPort(projection, attempts=cancels)),
            "o": Out(self._output.o.signature),
            "left": In(maps),
        }
        if projection.weights.kind is MemoryKind.SPRAM:
            ports["load0"] = In(LoadPort(projection.weights))
        if plan.pairs:
            ports["row"] = Out(unsigned_bits(projection.weights.depth - 1))
            ports["row_data"] = In(projection.weights.width)
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self._plan
        m.submodules.walker = walker = self._walker
        m.submodules.output = output = self._output
        neurons = place(m, platform, "neurons", f"{plan.name}_neurons", lambda: GatherNeurons(plan))
        serialiser = self._taps(m, platform)
        now = self._pipeline(m, serialiser)
        m.d.comb += neurons.weights.eq(self._weight_row(m, serialiser))

        # --- which word and step it is follows from what has been done ---
        m.submodules.words = words = WordCounter(plan.layout, self._unit, plan.units)
        group, column, _ = position_fields(words.address, plan.layout)
        ends_row = (group == plan.layout.groups - 1) & last_column(column, plan.layout, plan.units)
        step = Signal(unsigned_bits(self._kind.steps - 1))
        finishes, closes = Signal(), Signal()
        m.d.comb += [
            finishes.eq(now.sweep & at_pass(plan, now.sweep_pass, len(plan.passes) - 1)),
            closes.eq(finishes & now.last),
            words.step.eq(closes),
            neurons.add.eq(now.add),
            neurons.load.eq(now.load),
            neurons.sweep.eq(now.sweep),
            neurons.sweep_pass.eq(now.sweep_pass),
            neurons.clear.eq(closes),
            neurons.group.eq(group),
            neurons.next_group.eq(Mux(closes, Mux(group == plan.layout.groups - 1, 0, group + 1), group)),
        ]
        with m.If(finishes):
            m.d.sync += step.eq(Mux(closes, 0, step + 1))

        connect(m, output.o, flipped(self.o))
        m.d.comb += [
            output.left.eq(self.left),
            output.ends.eq(walker.release),
            walker.allow.eq(output.allow),
            output.execute.eq(now.sweep & at_pass(plan, now.sweep_pass, 0)),
            output.beat.word.eq(words.address),
            output.beat.step.eq(step),
            output.beat.mask.eq(neurons.spikes),
            output.beat.final.eq(now.last),
            output.beat.completes.eq(now.last & ends_row),
        ]
        if self._attempts:
            # What executes is of the attempt that is read: the next one begins when the maps behind have been read.
            asks = Signal()
            with m.If(walker.o.valid & walker.o.payload.begins):
                m.d.sync += asks.eq(self.map0.asks)
            m.d.comb += output.beat.asks.eq(asks)
        probe(
            m,
            execute=now.add | now.load | now.sweep,
            sweep=now.sweep,
            word=words.address,
            spikes=neurons.spikes,
            membranes=neurons.residuals,
        )
        return m

    def _taps(self, m: Module, platform: object) -> TapSerialiser:
        """From the walker's taps to operations, through the spike map of the source."""
        plan, walker, port = self._plan, self._walker, self.map0
        serialiser = place(m, platform, "serialiser", f"{plan.name}_serialiser", lambda: TapSerialiser(plan, plan.main))
        tag = data.StructLayout({"base": len(serialiser.row), "begins": 1, "ends": 1, "last": 1})
        reader = MapReader(len(port.address), len(port.data), tag, registers=plan.main.queue.registers)
        m.submodules.reader = reader
        tap, read, word = walker.o.payload, reader.o.payload, serialiser.i.payload
        m.d.comb += [
            walker.rows.eq(port.rows),
            walker.last_step.eq(port.last_step),
            port.release.eq(walker.release),
        ]
        reader.reads_from(m, port)
        m.d.comb += [
            reader.i.valid.eq(walker.o.valid),
            walker.o.ready.eq(reader.i.ready),
            reader.i.payload.address.eq(tap.address),
            serialiser.i.valid.eq(reader.o.valid),
            reader.o.ready.eq(serialiser.i.ready),
            word.mask.eq(read.mask),
        ]
        for field in ("base", "begins", "ends", "last"):
            m.d.comb += [
                reader.i.payload.tag[field].eq(getattr(tap, field)),
                getattr(word, field).eq(read.tag[field]),
            ]
        return serialiser

    def _pipeline(self, m: Module, serialiser: TapSerialiser) -> _Slot:
        """What executes: what was issued so many cycles before."""
        layout = Payload(_Slot, {"add": 1, "load": 1, "sweep": 1, "sweep_pass": len(serialiser.sweep_pass), "last": 1})
        slots = [layout.signal(name=f"slot{k}") for k in range(self._plan.pipeline + 1)]
        issued = slots[0]
        m.d.comb += [
            issued.add.eq(serialiser.issue & (serialiser.kind == TapOperation.ADD)),
            issued.load.eq(serialiser.issue & (serialiser.kind == TapOperation.LOAD)),
            issued.sweep.eq(serialiser.issue & (serialiser.kind == TapOperation.SWEEP)),
            issued.sweep_pass.eq(serialiser.sweep_pass),
            issued.last.eq(serialiser.last),
        ]
        for before, after in itertools.pairwise(slots):
            m.d.sync += after.eq(before)
        return slots[-1]

    def _weight_row(self, m: Module, serialiser: TapSerialiser) -> Value:
        """The weights that are added when what is issued executes."""
        plan = self._plan.main.weights
        row = Signal(unsigned_bits(plan.depth - 1), name="row", reset_less=True)
        m.d.sync += row.eq(serialiser.row + serialiser.lane)
        found: Value
        if self._plan.pairs:
            m.d.comb += self.row.eq(row)
            found = self.row_data
        else:
            weights: Rom | LoadedRom
            if plan.kind is MemoryKind.SPRAM:
                weights = LoadedRom(plan)
                connect(m, flipped(self.load0), weights.load)
            else:
                weights = Rom(plan)
            m.submodules.weights = weights
            m.d.comb += weights.address.eq(row)
            found = weights.data
        if not self._kind.late:
            return found
        registered = Signal(plan.width, name="registered_row", reset_less=True)
        m.d.sync += registered.eq(found)
        return registered


class GatherEngine(wiring.Component):
    """Units side by side that share out the words of a population.

    Parameters
    ----------
    plan
        The population.
    maps
        How many spike maps take its spikes.
    cancels
        Samples may be cancelled: `snnc.rtl.engines` says what that means.

    Members
    -------
    map0, o : as of a `GatherUnit`, one for each unit
    left : In(number of maps)
    clears : Out(1)
        Never: no memory of its own must be written first (only where `cancels`).
    load0 : In(LoadPort)
        Of a single unit alone.
    """

    map0: list[Reading]
    o: list[Stream[MapWrite]]
    left: Signal

    def __init__(self, plan: EnginePlan, maps: int, *, cancels: bool = False) -> None:
        self._plan = plan
        self._units = [GatherUnit(plan, maps, unit, cancels=cancels) for unit in range(plan.units)]
        members = self._units[0].signature.members
        ports: dict[str, Member] = {"left": In(maps), **({"clears": Out(1)} if cancels else {})}
        for name, member in members.items():
            if name in ("map0", "o"):
                ports[name] = member.array(plan.units)
            elif name == "load0":
                if plan.units > 1:
                    raise ValueError(f"Engine {plan.name!r} has several memories to load")
                ports[name] = member
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for k, unit in enumerate(self._units):
            m.submodules[f"unit{k}"] = unit
            connect(m, unit.map0, flipped(self.map0[k]))
            connect(m, unit.o, flipped(self.o[k]))
            m.d.comb += unit.left.eq(self.left)
        for k in range(0, len(self._units), 2) if self._plan.pairs else ():
            m.submodules[f"weights{k}"] = weights = RomPair(self._plan.main.weights)
            for port, unit in enumerate(self._units[k : k + 2]):
                m.d.comb += [weights.address[port].eq(unit.row), unit.row_data.eq(weights.data[port])]
        if hasattr(self, "load0"):
            connect(m, flipped(self.load0), self._units[0].load0)
        return m


def build(plan: EnginePlan, source: InputPlan, behind: tuple[int, ...], *, cancels: bool) -> GatherEngine:
    """The engine in front of so many spike maps."""
    return GatherEngine(plan, len(behind), cancels=cancels)
