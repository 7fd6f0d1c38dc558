"""Every memory gets a home: the plan for given lanes, and whether it fits the device."""

from __future__ import annotations

import bisect
import dataclasses
import functools

from snnc.compiler.design import Bounds, Design, Objective
from snnc.compiler.ir import Graph, Population, Projection
from snnc.compiler.ir.model import model_hash
from snnc.compiler.lanes.area import total_cells
from snnc.compiler.lanes.knapsack import chosen
from snnc.compiler.lanes.layers import Layer
from snnc.compiler.lanes.order import paced
from snnc.compiler.lanes.port import port_lanes
from snnc.compiler.lanes.queues import deepened
from snnc.compiler.plan import EnginePlan, InputPlan, LayoutPlan, Plan
from snnc.compiler.targets import Device
from snnc.sim.models.timing.estimate import expected

__all__ = ["best_fit", "fitting", "lacking", "layout_of", "place_anyway"]


def best_fit(design: Design) -> Plan:
    """A plan for the device; where there is none, the plan with the fewest block RAMs that has logic enough."""
    device = design.device
    plan = fitting(design)
    if plan is not None:
        return plan
    # More block RAM never costs logic.
    more = range(device.block_rams + 1, max(device.block_rams + 1, _with_blocks(design, 2**31).blocks))
    enough = bisect.bisect_left(
        more, True, key=lambda blocks: total_cells(_with_blocks(design, blocks)) <= device.logic_cells
    )
    return _with_blocks(design, device.block_rams + 1 + enough)


def lacking(plan: Plan, device: Device) -> str:
    """What a plan needs beyond what a device has, as the object of a sentence; empty if it fits."""
    lacks = []
    if plan.blocks > device.block_rams:
        beside = f" beside {plan.sprams} SPRAM" if plan.sprams else ""
        lacks.append(f"{plan.blocks} {device.block_ram_name} (it has {device.block_rams}){beside}")
    if total_cells(plan) > device.logic_cells:
        lacks.append(f"about {total_cells(plan):,} {device.logic_name}s (it has {device.logic_cells:,})")
    return " and ".join(lacks)


def fitting(design: Design) -> Plan | None:
    """A plan for the device, if there is one."""
    device = design.device
    # A core without SPRAM starts from its bitstream alone, and what is there has to be loaded after every reset. For
    # latency it may take all that there is: block RAM that is left makes queues deep.
    some = device.spram_blocks if design.options.objective is Objective.LATENCY else 1
    for sprams in range(0, device.spram_blocks + 1, max(1, some)):
        plan = _with_blocks(design, device.block_rams, sprams)
        if not lacking(plan, device):
            return deepened(plan, device, expected(design.graph))
    return None


def _with_blocks(design: Design, blocks: int, sprams: int | None = None) -> Plan:
    """The plan for a device with so many block RAMs, and as much SPRAM as it has, or so much."""
    device = design.device
    sprams = device.spram_blocks if sprams is None else sprams
    limited = dataclasses.replace(device, block_rams=blocks, spram_blocks=sprams)
    return place_anyway(design.on(limited))


def place_anyway(design: Design) -> Plan:
    """The plan that leaves as little as possible to logic, whether or not it fits the device."""
    graph = design.graph
    port = port_lanes(graph, design.gathered) if design.options.wide_port else 1
    lanes = {graph.input.name: port}
    lanes |= zip((population.name for population in graph.layers), design.lanes, strict=True)
    counts = design.column_banks or (1,) * len(graph.layers)
    banks = dict(zip((population.name for population in graph.layers), counts, strict=True))
    layers = []
    for population, bounds in zip(graph.layers, design.bounds, strict=True):
        joined = (population.name, *(projection.source for projection in graph.into(population.name)))
        widths = tuple((name, lanes[name], banks.get(name, 1)) for name in joined)
        layers.append(_layer(graph, design.device, design.gathered, population, bounds, widths))
    taken = chosen({name: choices for layer in layers for name, choices in layer.menu.items()}, design.device)
    pipelines: dict[str, int] = {}
    engines: list[EnginePlan] = []
    for layer in layers:
        engines.append(layer.engine(taken, pipelines))
        pipelines[engines[-1].name] = engines[-1].pipeline + engines[-1].emission
    return Plan(
        name=graph.name,
        model_hash=model_hash(graph),
        target=design.device.family,
        device=design.device.name,
        time_steps=graph.time_steps,
        input=InputPlan(
            name=graph.input.name,
            encoding=graph.source.encoding,
            layout=layout_of(graph.input, port),
            value_bits=graph.source.bits,
        ),
        engines=tuple(engines),
    )


@functools.lru_cache(maxsize=2**12)  # a search changes a layer or two at a time
def _layer(
    graph: Graph,
    device: Device,
    gathered: frozenset[str],
    population: Population,
    bounds: Bounds,
    widths: tuple[tuple[str, int, int], ...],
) -> Layer:
    """A layer; `widths` are lanes and column banks of it and of what it hears."""
    layouts = {name: layout_of(graph.population(name), lanes) for name, lanes, _ in widths}
    return Layer(
        graph, device, gathered, population, bounds, layouts, {name: banks for name, _, banks in widths}, _paced(graph)
    )


@functools.lru_cache(maxsize=4)
def _paced(graph: Graph) -> frozenset[Projection]:
    return paced(graph)


def layout_of(population: Population, lanes: int) -> LayoutPlan:
    """How `population` lies in words of so many lanes."""
    channels, rows, columns = population.shape
    return LayoutPlan(channels=channels, rows=rows, columns=columns, lanes=lanes)
