"""What every engine shows of its execution: `sim` reads signals of these names in the emitted Verilog."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value

__all__ = ["probe"]


def probe(m: Module, *, execute: Value, sweep: Value, word: Value, spikes: Value, membranes: Value) -> None:
    """Give an engine's probes their names.

    Parameters
    ----------
    execute, sweep
        Whether an operation executes in this cycle, and whether it is a sweep: the neurons of a word decide.
    word
        Its number in the layer.
    spikes, membranes
        Of the word's lanes, lane 0 lowest; the membranes are those before the reset.
    """
    probes = {"execute": execute, "sweep": sweep, "word": word, "spikes": spikes, "membranes": membranes}
    for name, value in probes.items():
        signal = Signal(len(value), name=f"probe_{name}")
        m.d.comb += signal.eq(value)
