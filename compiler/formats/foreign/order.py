"""Populations in the order of their data, and a delay on every loop."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from snnc.compiler.ir import Population, Projection

__all__ = ["in_order"]


def in_order(
    populations: Sequence[Population], projections: Sequence[Projection]
) -> tuple[tuple[Population, ...], tuple[Projection, ...]]:
    """Sort populations topologically; the projection that closes a loop gets a delay of one step, as in all libraries.

    The first population is the input and the last the readout. A loop is closed by the projection that leads back to
    where a walk from the input first entered it.
    """
    by_name = {population.name: population for population in populations}
    after: dict[str, list[int]] = {name: [] for name in by_name}
    for position, projection in enumerate(projections):
        if not projection.delay:
            after[projection.source].append(position)
    closing: set[int] = set()
    finished: list[str] = []
    state: dict[str, bool] = {}
    """True while a walk passes through, False once it has left."""
    for start in by_name:
        if start in state:
            continue
        state[start] = True
        walk: list[tuple[str, Iterator[int]]] = [(start, iter(after[start]))]
        while walk:
            name, ways = walk[-1]
            position = next(ways, -1)
            if position < 0:
                state[name] = False
                finished.append(name)
                walk.pop()
                continue
            target = projections[position].target
            if target not in state:
                state[target] = True
                walk.append((target, iter(after[target])))
            elif state[target]:
                closing.add(position)
    last = populations[-1].name
    order = [by_name[name] for name in reversed(finished) if name != last]
    order.sort(key=lambda population: population is not populations[0])
    return (*order, by_name[last]), tuple(
        dataclasses.replace(projection, delay=1) if position in closing else projection
        for position, projection in enumerate(projections)
    )
