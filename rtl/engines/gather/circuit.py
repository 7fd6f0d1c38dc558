"""A gathering engine: the hardware of convolutions that read spike maps and write spike maps.

    taps -> spike map -> word -> byte -> weight row -> residual -> o

For each word of the layer it walks the spikes below the kernel, step after step; the residuals are the adders' own
registers, so that there are no membranes to store. Of several projections each step has the taps of one after those of
another, from a map each, with weights of their own. Several units share out the words, each with all of this, and none
waits for another. `docs/timing.md` says when.
"""

import itertools

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Member, Out, connect, flipped

from snnc.compiler.plan import EnginePlan, InputPlan, MemoryKind, unsigned_bits
from snnc.rtl.beats import MapWrite
from snnc.rtl.credits import MapOutput
from snnc.rtl.engines.gather.neurons import GatherNeurons, addend_bits, least_shift
from snnc.rtl.engines.gather.plan import GatherKind
from snnc.rtl.loader import LoadPort
from snnc.rtl.memories import LoadedRom, Rom, RomPair
from snnc.rtl.modules import place
from snnc.rtl.neurons import at_pass
from snnc.rtl.probes import probe
from snnc.rtl.spike_map import MapPort, MapReader, Reading
from snnc.rtl.tables import last_column, position_fields
from snnc.rtl.tap_serialiser import TapOperation, TapSerialiser
from snnc.rtl.views import Fields, Payload, Stream
from snnc.rtl.walkers.gather.circuit import Walker
from snnc.rtl.walkers.gather.turns import Turns
from snnc.rtl.word_counter import WordCounter

__all__ = ["GatherEngine", "GatherUnit", "build"]


class _Slot(Fields):
    """What is issued in a cycle, on its way to execution."""

    works: Value
    """It is an addition, a load or a sweep."""
    add: Value
    sweep: Value
    sweep_pass: Value
    last: Value
    """Of the sample's last step."""


class GatherUnit(wiring.Component):
    """Hardware of some words of a population whose projections are convolutions of the spikes in maps.

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
    map0, map1, ... : Out(MapPort)
        Reads the spike map of each projection's source, in the plan's order.
    o : Out(stream of `beats.map_write`)
        Is always taken.
    left : In(number of maps)
        A sample has been read from the map.
    load0, load1, ... : In(LoadPort)
        Fills the weights of a projection (only of one whose weights are in SPRAM).
    row0, row1, ... : Out(range(weight rows))
    row_data0, row_data1, ... : In(width of a weight row)
        Reads weights of a projection that it shares with another unit, as a `Rom` is read (only where it does). Of the
        only projection they are called `row` and `row_data`.

    Signals named ``probe_*`` say what executes: `sim` reads them by these names.
    """

    o: Stream[MapWrite]
    left: Signal

    def __init__(self, plan: EnginePlan, maps: int, unit: int = 0, *, cancels: bool = False) -> None:
        if not isinstance(plan.kind, GatherKind):
            raise ValueError(f"Engine {plan.name!r} gathers no spikes")
        self._plan = plan
        self._unit = unit
        self._kind = plan.kind
        self._walker: Walker | Turns = Turns(plan, unit) if len(plan.projections) > 1 else Walker(plan, plan.main, unit)
        self._attempts = cancels
        self._output = MapOutput(plan, plan.kind.steps, maps, attempts=cancels)
        ports: dict[str, Member] = {
            **{f"map{k}": Out(MapPort(one, attempts=cancels)) for k, one in enumerate(plan.projections)},
            "o": Out(self._output.o.signature),
            "left": In(maps),
        }
        for k, projection in enumerate(plan.projections):
            if projection.weights.kind is MemoryKind.SPRAM:
                ports[f"load{k}"] = In(LoadPort(projection.weights))
            if plan.shares(projection):
                row, row_data = _shared_ports(plan, k)
                ports[row] = Out(unsigned_bits(projection.weights.depth - 1))
                ports[row_data] = In(projection.weights.width)
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self._plan
        m.submodules.walker = walker = self._walker
        m.submodules.output = output = self._output
        neurons = place(m, platform, "neurons", f"{plan.name}_neurons", lambda: GatherNeurons(plan))
        serialiser = self._taps(m, platform)
        now = self._pipeline(m, serialiser)
        m.d.comb += neurons.weights.eq(self._addends(m, serialiser))

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
            neurons.works.eq(now.works),
            neurons.add.eq(now.add),
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
                m.d.sync += asks.eq(getattr(self, "map0").asks)  # noqa: B009  # as many maps as projections
            m.d.comb += output.beat.asks.eq(asks)
        probe(
            m,
            execute=now.works,
            sweep=now.sweep,
            word=words.address,
            spikes=neurons.spikes,
            membranes=neurons.residuals,
        )
        return m

    def _taps(self, m: Module, platform: object) -> TapSerialiser:
        """From the walker's taps to operations, through the spike maps of the sources."""
        plan, walker = self._plan, self._walker
        ports: list[Reading] = [getattr(self, f"map{k}") for k in range(len(plan.projections))]
        serialiser = place(m, platform, "serialiser", f"{plan.name}_serialiser", lambda: TapSerialiser(plan))
        several = len(ports) > 1
        turn = {"turn": len(serialiser.turn)} if several else {}
        tag = data.StructLayout({"base": len(serialiser.row), "begins": 1, "ends": 1, "last": 1, **turn})
        tap, word = walker.o.payload, serialiser.i.payload
        # What the maps gave last, side by side: which of them it is from is chosen behind the reader's registers.
        lanes = sum(len(port.data) for port in ports)
        reader = MapReader(len(tap.address), lanes, tag, registers=plan.main.queue.registers)
        m.submodules.reader = reader
        read = reader.o.payload
        for k, port in enumerate(ports):
            rows, last_step = ("rows", "last_step") if not several else (f"rows{k}", f"last_step{k}")
            m.d.comb += [
                getattr(walker, rows).eq(port.rows),
                getattr(walker, last_step).eq(port.last_step),
                port.release.eq(walker.release),
            ]
        mask: Value = read.mask
        if several:
            mask = self._chosen_map(m, reader, ports)
        else:
            reader.reads_from(m, ports[0])
        m.d.comb += [
            reader.i.valid.eq(walker.o.valid),
            walker.o.ready.eq(reader.i.ready),
            reader.i.payload.address.eq(tap.address),
            serialiser.i.valid.eq(reader.o.valid),
            reader.o.ready.eq(serialiser.i.ready),
            word.mask.eq(mask),
        ]
        for field in ("base", "begins", "ends", "last", *turn):
            m.d.comb += [
                reader.i.payload.tag[field].eq(getattr(tap, field)),
                getattr(word, field).eq(read.tag[field]),
            ]
        return serialiser

    def _chosen_map(self, m: Module, reader: MapReader, ports: list[Reading]) -> Value:
        """Connect the reader to several maps, each of which is read in its turn; the word that is offered."""
        begin, words = 0, []
        for k, port in enumerate(ports):
            m.d.comb += [
                port.address.eq(reader.address),
                port.reads.eq(reader.reads & (self._walker.o.payload.turn == k)),
                reader.data[begin : begin + len(port.data)].eq(port.data),
            ]
            if self._plan.main.queue.registers > 1:
                m.d.comb += port.moves.eq(reader.moves)
            words.append(reader.o.payload.mask[begin : begin + len(port.data)])
            begin += len(port.data)
        return Array(words)[reader.o.payload.tag.turn]

    def _pipeline(self, m: Module, serialiser: TapSerialiser) -> _Slot:
        """What executes: what was issued so many cycles before."""
        layout = Payload(_Slot, {"works": 1, "add": 1, "sweep": 1, "sweep_pass": len(serialiser.sweep_pass), "last": 1})
        slots = [layout.signal(name=f"slot{k}") for k in range(self._plan.pipeline + 1)]
        issued = slots[0]
        m.d.comb += [
            issued.works.eq(serialiser.issue),
            issued.add.eq(serialiser.issue & (serialiser.kind == TapOperation.ADD)),
            issued.sweep.eq(serialiser.issue & (serialiser.kind == TapOperation.SWEEP)),
            issued.sweep_pass.eq(serialiser.sweep_pass),
            issued.last.eq(serialiser.last),
        ]
        for before, after in itertools.pairwise(slots):
            m.d.sync += after.eq(before)
        return slots[-1]

    def _addends(self, m: Module, serialiser: TapSerialiser) -> Value:
        """What is added when what is issued executes, lane after lane."""
        plan = self._plan
        width = max(unsigned_bits(projection.weights.depth - 1) for projection in plan.projections)
        row = Signal(width, name="row", reset_less=True)
        m.d.sync += row.eq(serialiser.row + serialiser.lane)
        # One memory may take a cycle more than another.
        longest = max(projection.weights.latency for projection in plan.projections)
        found = [self._weight_row(m, k, row, longest) for k in range(len(plan.projections))]
        addend: Value = found[0]
        if len(found) > 1:
            turn: Value = serialiser.turn
            for stage in range(1 + longest):
                later = Signal.like(serialiser.turn, name=f"turn{stage}", reset_less=True)
                m.d.sync += later.eq(turn)
                turn = later
            addend = Array(found)[turn]
        if not plan.registered and not self._kind.late:
            return addend
        registered = Signal(len(addend), name="registered_row", reset_less=True)
        m.d.sync += registered.eq(addend)
        return registered

    def _weight_row(self, m: Module, k: int, row: Value, latency: int) -> Value:
        """What projection `k` adds with the weights that were at `row` so many cycles ago, lane after lane."""
        plan, projection = self._plan, self._plan.projections[k]
        several = len(plan.projections) > 1
        memory = projection.weights
        address = row[: unsigned_bits(memory.depth - 1)]
        found: Value
        if plan.shares(projection):
            shared, shared_data = _shared_ports(plan, k)
            m.d.comb += getattr(self, shared).eq(address)
            found = getattr(self, shared_data)
        else:
            weights: Rom | LoadedRom
            if memory.kind is MemoryKind.SPRAM:
                weights = LoadedRom(memory)
                connect(m, flipped(getattr(self, f"load{k}")), weights.load)
            else:
                weights = Rom(memory)
            m.submodules[f"weights{k}" if several else "weights"] = weights
            m.d.comb += weights.address.eq(address)
            found = weights.data
        for stage in range(memory.latency, latency):
            held = Signal(len(found), name=f"held_row{k}_{stage}", reset_less=True)
            m.d.sync += held.eq(found)
            found = held
        if not several:
            return found
        bits, shift = addend_bits(plan), projection.shift - least_shift(plan)
        lanes = [found.word_select(lane, projection.weight_bits).as_signed() for lane in range(plan.lanes)]
        addends = [Signal(signed(bits), name=f"addend{k}_{lane}") for lane in range(plan.lanes)]
        m.d.comb += [one.eq(weight.shift_left(shift)) for one, weight in zip(addends, lanes, strict=True)]
        return Cat(addends)


def _shared_ports(plan: EnginePlan, k: int) -> tuple[str, str]:
    """The ports of a unit that read projection `k`'s weights which another one reads, too."""
    return ("row", "row_data") if len(plan.projections) == 1 else (f"row{k}", f"row_data{k}")


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
    map0, map1, ..., o : as of a `GatherUnit`, one for each unit
    left : In(number of maps)
    clears : Out(1)
        Never: no memory of its own must be written first (only where `cancels`).
    load0, load1, ... : In(LoadPort)
        Of a single unit alone.
    """

    o: list[Stream[MapWrite]]
    left: Signal

    def __init__(self, plan: EnginePlan, maps: int, *, cancels: bool = False) -> None:
        self._plan = plan
        self._units = [GatherUnit(plan, maps, unit, cancels=cancels) for unit in range(plan.units)]
        members = self._units[0].signature.members
        ports: dict[str, Member] = {"left": In(maps), **({"clears": Out(1)} if cancels else {})}
        for name, member in members.items():
            if name == "o" or name.startswith("map"):
                ports[name] = member.array(plan.units)
            elif name.startswith("load"):
                if plan.units > 1:
                    raise ValueError(f"Engine {plan.name!r} has several memories to load")
                ports[name] = member
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for k, unit in enumerate(self._units):
            m.submodules[f"unit{k}"] = unit
            for name in self._of_units("map"):
                connect(m, getattr(unit, name), flipped(getattr(self, name)[k]))
            connect(m, unit.o, flipped(self.o[k]))
            m.d.comb += unit.left.eq(self.left)
        for number, projection in enumerate(self._plan.projections):
            if self._plan.shares(projection):
                self._share_weights(m, number)
        for name in self._of_units("load"):
            connect(m, flipped(getattr(self, name)), getattr(self._units[0], name))
        return m

    def _of_units(self, kind: str) -> list[str]:
        """The ports whose names begin so."""
        return [name for name in self.signature.members if name.startswith(kind)]

    def _share_weights(self, m: Module, number: int) -> None:
        """Give every two units a memory of a projection's weights."""
        row, row_data = _shared_ports(self._plan, number)
        stem = "weights" if len(self._plan.projections) == 1 else f"weights{number}_"
        for k in range(0, len(self._units), 2):
            m.submodules[f"{stem}{k}"] = weights = RomPair(self._plan.projections[number].weights)
            for port, unit in enumerate(self._units[k : k + 2]):
                m.d.comb += [
                    weights.address[port].eq(getattr(unit, row)),
                    getattr(unit, row_data).eq(weights.data[port]),
                ]


def build(plan: EnginePlan, source: InputPlan, behind: tuple[int, ...], *, cancels: bool) -> GatherEngine:
    """The engine in front of so many spike maps."""
    return GatherEngine(plan, len(behind), cancels=cancels)
