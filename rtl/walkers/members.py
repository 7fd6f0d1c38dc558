"""What every walker has in common."""

from amaranth.hdl import ShapeLike
from amaranth.lib import stream
from amaranth.lib.wiring import In, Member, Out

from snnc.compiler.plan import EnginePlan, ProjectionPlan, unsigned_bits
from snnc.rtl.beats import Marker

__all__ = ["walker_members"]


def walker_members(engine: EnginePlan, projection: ProjectionPlan, beat: ShapeLike) -> dict[str, Member]:
    """The members of a walker that turns beats of the layout `beat` into the accumulates of `projection`.

    Members
    -------
    i : In(stream of `beat`)
    allow : In(1)
        An accumulate may be issued.
    issue : Out(1)
        One is, of the membrane word at the address `word` with the weight row `row`.
    more : Out(range(engine.column_banks))
        And of so many columns right of it, with the rows that `Walk.next_column_rows` says (only where there
        are column banks).
    marker : Out(Marker)
        What ends now: the marker of a beat whose event, if any, is done. It does not depend on `allow`.
    done : In(1)
        The marker has taken effect, in this cycle.
    """
    return {
        "i": In(stream.Signature(beat)),
        "allow": In(1),
        "issue": Out(1),
        "word": Out(engine.layout.address_bits),
        **({"more": Out(range(engine.column_banks))} if engine.column_banks > 1 else {}),
        "row": Out(unsigned_bits(projection.weights.depth - 1)),
        "marker": Out(Marker),
        "done": In(1),
    }
