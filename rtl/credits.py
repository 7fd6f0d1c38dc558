"""How an engine's spikes leave: a place in the next queue is promised before anything is computed for it."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import EnginePlan
from snnc.rtl.beats import MapWrite, Marker, SpikeWord, map_write, spike_word
from snnc.rtl.views import Stream

__all__ = ["MapOutput", "SpikeOutput"]


_FEW = 8
"""Places in a queue that are counted in ones."""


class SpikeOutput(wiring.Component):
    """Offers spike words, and lets no operation be issued whose word might find a queue behind full.

    Of a queue's places, those that are taken or promised are counted: an issue promises one; an execution whose word
    does not enter, or a word that leaves the queue, returns one.

    Parameters
    ----------
    plan
        The population whose spikes they are.
    behind
        Depths of the queues that take them.

    Members
    -------
    allow : Out(1)
        An operation that gives a spike word may be issued.
    issue : In(1)
        One is.
    execute : In(1)
        One executes, with the word `beat`, which goes out `EnginePlan.emission` cycles later. Its `marker` counts where
        `last` is set.
    beat : In(spike word)
    last : In(1)
        It is the last word of its step, which enters whatever its mask.
    left : In(number of queues)
        A word leaves the queue.
    o : Out(stream of spike words)
        A word is never held back: it is offered for one cycle, and there is room for it.
    """

    allow: Signal
    issue: Signal
    execute: Signal
    beat: SpikeWord
    last: Signal
    left: Signal
    o: Stream[SpikeWord]

    def __init__(self, plan: EnginePlan, behind: tuple[int, ...]) -> None:
        self._plan = plan
        self._behind = behind
        super().__init__(
            {
                "allow": Out(1),
                "issue": In(1),
                "execute": In(1),
                "beat": In(spike_word(plan)),
                "last": In(1),
                "left": In(len(behind)),
                "o": Out(stream.Signature(spike_word(plan))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        execute, last, beat = Signal(), Signal(), Signal.like(self.beat)
        domain = m.d.sync if self._plan.emission else m.d.comb
        domain += [execute.eq(self.execute), last.eq(self.last), beat.eq(self.beat)]
        sends = Signal()
        m.d.comb += [
            sends.eq(execute & (beat.mask.any() | last)),
            self.o.valid.eq(sends),
            self.o.payload.word.eq(beat.word),
            self.o.payload.mask.eq(beat.mask),
            self.o.payload.marker.eq(Mux(last, beat.marker, Marker.NONE)),
        ]
        returned = execute & ~sends
        m.d.comb += self.allow.eq(
            Cat(self._has_room(m, k, depth, returned) for k, depth in enumerate(self._behind)).all()
        )
        return m

    def _has_room(self, m: Module, k: int, depth: int, returned: Value) -> Value:
        """Whether queue `k` has a place that is neither taken nor promised."""
        # Whether a word leaves is known last in a cycle: it is counted in the next one, in which its place is free.
        left = Signal(name=f"left{k}")
        m.d.sync += left.eq(self.left[k])
        if depth > _FEW:
            reserved = Signal(range(depth + 1), name=f"reserved{k}")
            m.d.sync += reserved.eq(reserved + self.issue - returned - left)
            return left | (reserved != depth)
        # As so many ones: what changes them is known late in a cycle, and then shifts them, where a number would have
        # to be added to.
        ones = Signal(depth, name=f"reserved{k}")
        changed = Mux(left, ones >> 1, ones)
        changed = Mux(returned, changed >> 1, changed)
        m.d.sync += ones.eq(Mux(self.issue, Cat(Const(1, 1), changed), changed))
        return left | ~ones[-1]


class MapOutput(wiring.Component):
    """Sends spike words into spike maps, which hold a sample each: the next one waits until all have been read.

    Parameters
    ----------
    plan
        The population whose spikes they are.
    steps
        Of the maps.
    maps
        How many there are.
    attempts
        Samples are computed in attempts, of which `beat` says whether one is asked for its answer.

    Members
    -------
    allow : Out(1)
        A sample's first word may begin.
    ends : In(1)
        The last word of a sample is under way.
    execute : In(1)
        A word comes out, which goes out a cycle later.
    beat : In(`beats.map_write`)
    left : In(number of maps)
        The sample has been read from a map.
    o : Out(stream of `beats.map_write`)
        Is always taken.
    """

    allow: Signal
    ends: Signal
    execute: Signal
    beat: MapWrite
    left: Signal
    o: Stream[MapWrite]

    def __init__(self, plan: EnginePlan, steps: int, maps: int, *, attempts: bool = False) -> None:
        beat = map_write(plan, steps, attempts=attempts)
        super().__init__(
            {
                "allow": Out(1),
                "ends": In(1),
                "execute": In(1),
                "beat": In(beat),
                "left": In(maps),
                "o": Out(stream.Signature(beat, always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        unread = Signal(len(self.left))
        m.d.comb += self.allow.eq(~unread.any())
        m.d.sync += [
            unread.eq(Mux(self.ends, ~Const(0, len(unread)), unread & ~self.left)),
            self.o.valid.eq(self.execute),
            self.o.payload.eq(self.beat),
        ]
        return m
