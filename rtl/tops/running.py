"""The core in a top that is wired to ports: it takes and gives nothing while it is in reset."""

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Signal, Value, ValueLike

__all__ = ["running_core"]


def running_core(
    m: Module,
    core: str,
    *,
    i: tuple[ValueLike, Value, Signal],
    o: tuple[ValueLike, Signal, Value],
    load: tuple[ValueLike, Value, Signal] | None,
) -> None:
    """Make the submodule ``core``, by its name: what is integrated is the very Verilog that was verified.

    Parameters
    ----------
    core
        Name of its module.
    i, o
        Payload, *valid* and *ready* of its two streams: a beat that is taken in reset is lost, and one that is offered
        in it may not be withdrawn.
    load
        The same of the stream that fills its SPRAM; None where it has none.
    """
    running = ~ResetSignal()
    ready, valid = Signal(), Signal()
    m.d.comb += [i[2].eq(ready & running), o[1].eq(valid & running)]
    loads = {}
    if load is not None:
        load_ready = Signal()
        m.d.comb += load[2].eq(load_ready & running)
        loads = {
            "i_load__payload": load[0],
            "i_load__valid": load[1] & running,
            "o_load__ready": load_ready,
        }
    m.submodules.core = Instance(
        core,
        i_clk=ClockSignal(),
        i_rst=ResetSignal(),
        i_i__payload=Value.cast(i[0]),
        i_i__valid=i[1] & running,
        o_i__ready=ready,
        o_o__payload=Value.cast(o[0]),
        o_o__valid=valid,
        i_o__ready=o[2] & running,
        **loads,
    )
