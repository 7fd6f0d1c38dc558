"""Where a bench sees what the engines do."""

from __future__ import annotations

from dataclasses import dataclass

from snnc.compiler.plan import EnginePlan

__all__ = ["Probe", "probes_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What sweeps some words of a population, one at a time: an engine, or one of its units.

    Attributes
    ----------
    name
        Of the population; with a dot and the unit where there are several.
    signals
        Of the core, up to what of it: ``core.engine_hidden0.probe_``.
    words
        Numbers of the words that it sweeps, in this order.
    """

    name: str
    signals: str
    words: tuple[int, ...]


def probes_of(engine: EnginePlan) -> tuple[Probe, ...]:
    """All of an engine."""
    scope, units = f"core.engine_{engine.name}", engine.units
    if not engine.kind.apart:
        return (Probe(name=engine.name, signals=f"{scope}.probe_", words=tuple(range(engine.words))),)
    return tuple(
        Probe(
            name=engine.name if units == 1 else f"{engine.name}.unit{unit}",
            signals=f"{scope}.unit{unit}.probe_",
            words=engine.layout.words_of(unit, units),
        )
        for unit in range(units)
    )
