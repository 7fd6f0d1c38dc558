"""The page of one build: what its files say, as pictures and tables, in a file that needs nothing but itself.

Everything on it stands in a file of the build folder, which is named beside it. Results of commands that came later are
shown where they are there, and where they are of this network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from snnc.compiler.build.drawing import Scale, areas, line, ticks
from snnc.compiler.build.templates import page_environment

__all__ = ["REPORT_PAGE", "read_results", "render_build_page"]

REPORT_PAGE: Final = "report.html"

SAMPLES: Final = "verify/samples.json"
SYNTHESIS: Final = "synth/result.json"
BOARD: Final = "board/result.json"
_VERDICTS: Final = {
    "verify/result.json": "Verilog",
    "stream/result.json": "Verilog, of a stream",
    "gates/result.json": "netlist of synthesis",
    "routed/result.json": "routed netlist",
    "bitstream/result.json": "bitstream",
}
"""Verdicts, from the top of the ladder down."""

_MOST_BYTES: Final = 2**23
_BINS: Final = 24
"""Of the distribution of cycles."""


def read_results(folder: Path, model_hash: str) -> Mapping[str, Mapping[str, Any]]:
    """What later commands left in a build, by the file's name; nothing of another network, or that cannot be read."""
    found = {}
    for name in (SAMPLES, SYNTHESIS, BOARD, *_VERDICTS):
        try:
            with (folder / name).open("rb") as file:
                facts = json.loads(file.read(_MOST_BYTES))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(facts, dict) and facts.get("model_hash") == model_hash:
            found[name] = facts
    return found


def render_build_page(report: Mapping[str, Any], results: Mapping[str, Mapping[str, Any]]) -> str:
    """The page.

    Parameters
    ----------
    report
        ``report.json``.
    results
        As of `read_results`.
    """
    sections = {section["title"]: section for section in report["sections"]}
    samples = results.get(SAMPLES) if "Verification" in sections else None
    synthesis = results.get(SYNTHESIS) if "Synthesis" in sections else None
    return (
        page_environment(__package__)
        .get_template("build_page.html.j2")
        .render(
            report=report,
            boxes=_boxes(report),
            maps=_maps(report),
            colours=_colours(report),
            ranges=_ranges(report, samples),
            timeline=None if samples is None else _timeline(samples["first"]),
            firing=None if samples is None else _firing(samples),
            rasters=None if samples is None else _rasters(samples["first"]),
            cloud=None if samples is None else _cloud(samples),
            histogram=None if samples is None else _histogram(samples["cycles"]),
            samples=samples,
            verdicts=[_verdict(name, results[name]) for name in _VERDICTS if name in results],
            synthesis=synthesis,
            critical=None if synthesis is None else _critical(synthesis),
            board=results.get(BOARD),
        )
    )


def _colours(report: Mapping[str, Any]) -> Mapping[str, int]:
    """A number for each layer, of which the page has six colours."""
    return {layer["name"]: k % 6 for k, layer in enumerate(report["layers"])}


def _boxes(report: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The network's populations in a row, the input first, with what each hears besides the one before it."""
    given = report["network"]["input"]
    most = max(layer["operations"] for layer in report["layers"]) or 1.0
    memories: dict[str, list[Mapping[str, Any]]] = {}
    for memory in report["memories"]:
        memories.setdefault(memory.get("layer", memory["name"].split(".")[0]), []).append(memory)
    block = report["device"]["block_name"]
    before = given.get("name", "input")
    encoding = given["encoding"] + (f", {given['bits']} bits" if given["encoding"] == "direct" else "")
    boxes: list[Mapping[str, Any]] = [
        {"name": before, "shape": given.get("shape", given["addresses"]), "engine": encoding, "also": [], "share": None}
    ]
    for layer in report["layers"]:
        blocks, sprams = (sum(one[key] for one in memories.get(layer["name"], [])) for key in ("blocks", "sprams"))
        held = [f"{blocks} {block}" if blocks else "", f"{sprams} SPRAM" if sprams else ""]
        banks = f" x {layer['column_banks']}" if layer["column_banks"] > 1 else ""
        boxes.append(
            {
                "name": layer["name"],
                "shape": layer["shape"].split(" to ")[-1],
                "engine": layer.get("engine", ""),
                "neuron": layer["neuron"],
                "lanes": f"{layer['lanes']}{banks} lanes",
                "weights": f"{layer['weight_bits']}-bit weights",
                "memory": " + ".join(text for text in held if text) or "no blocks",
                "also": [source for source in layer.get("sources", []) if source != before],
                "share": layer["operations"] / most,
                "operations": layer["operations"],
            }
        )
        before = layer["name"]
    return boxes


def _maps(report: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Which memory has how many of the device's blocks."""
    device = report["device"]
    kinds = ((device["block_name"], "blocks", "blocks_needed"), ("SPRAM", "sprams", "sprams_needed"))
    found = []
    for title, key, needed in kinds:
        if not device[key]:
            continue
        parts = [
            {"name": one["name"], "layer": one.get("layer", one["name"].split(".")[0]), "blocks": one[key]}
            for one in report["memories"]
            if one[key]
        ]
        found.append({"title": title, "parts": parts, "all": device[key], "free": max(0, device[key] - device[needed])})
    return found


def _ranges(report: Mapping[str, Any], samples: Mapping[str, Any] | None) -> Sequence[Mapping[str, Any]]:
    """What is proven of each layer's numbers, and what was seen of them; places are in per cent."""
    rows = []
    for layer in report["layers"]:
        seen = {} if samples is None else samples["ranges"].get(layer["name"], {})
        for what, title in (("input_current", "input current I"), ("after_reset", "membrane after reset V")):
            low, high = (int(end) for end in layer[what].split(" .. "))
            scale = Scale((low, high), 0, 100)
            found = seen.get(what)
            rows.append(
                {
                    "layer": layer["name"],
                    "what": title,
                    "proven": f"{low:,} .. {high:,}",
                    "seen": None if found is None else f"{found[0]:,} .. {found[1]:,}",
                    "left": None if found is None else scale(found[0]),
                    "width": None if found is None else round(scale(found[1]) - scale(found[0]), 2),
                    "share": None if found is None else (found[1] - found[0]) / ((high - low) or 1),
                }
            )
    return rows


def _timeline(first: Mapping[str, Any]) -> Mapping[str, Any]:
    """One sample, each unit's cycles in every state."""
    cycles, height = first["cycles"], 20
    units = [track["engine"] for track in first["tracks"]]
    return {
        "cycles": cycles,
        "bound": first["bound"],
        "height": height,
        "states": first["states"],
        "stretch": first["stretch"],
        "tracks": [
            {
                "name": track["engine"] + (f" [{track['unit']}]" if units.count(track["engine"]) > 1 else ""),
                "paths": areas(track["counts"], stretch=first["stretch"], total=cycles, height=height),
                "totals": [sum(column) for column in zip(*track["counts"], strict=True)],
            }
            for track in first["tracks"]
        ],
    }


_WIDE, _HIGH = 300, 70


def _firing(samples: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Share of a layer's neurons that fire, over the steps."""
    most = max((value for values in samples["firing"].values() for value in values), default=1.0) or 1.0
    drawn = []
    for name, values in samples["firing"].items():
        steps = range(1, len(values) + 1)
        across, up = Scale((1, max(2, len(values))), 4, _WIDE - 4), Scale((0.0, most), _HIGH - 4, 4)
        drawn.append(
            {
                "name": name,
                "path": line(steps, values, across, up),
                "dots": [(across(step), up(value), value) for step, value in zip(steps, values, strict=True)][:64],
                "mean": sum(values) / len(values),
                "first": values[0],
                "last": values[-1],
            }
        )
    return drawn


def _rasters(first: Mapping[str, Any]) -> Mapping[str, Any]:
    """The spikes of one sample, the membrane of each layer's busiest neuron, and the logits."""
    logits = first["logits"]
    steps = len(logits)
    across = Scale((0.5, steps + 0.5), 0, _WIDE)
    layers = []
    for name, raster in first["rasters"].items():
        rows = len(raster["neurons"])
        wide, high = _WIDE / steps, (_HIGH - 4) / rows
        spikes = "".join(
            f"M{wide * t + 0.1 * wide:.2f},{2 + high * row:.2f}h{0.8 * wide:.2f}v{0.8 * high:.2f}h{-0.8 * wide:.2f}Z"
            for t, row in raster["spikes"]
        )
        membrane = raster["membrane"]
        up = Scale(membrane, _HIGH - 4, 4)
        layers.append(
            {
                "name": name,
                "neurons": rows,
                "spikes": spikes,
                "count": len(raster["spikes"]),
                "busiest": raster["busiest"],
                "membrane": line(range(1, steps + 1), membrane, across, up),
                "ends": (min(membrane), max(membrane)),
            }
        )
    up = Scale([value for row in logits for value in row], _HIGH - 4, 4)
    winner = max(range(len(logits[-1])), key=lambda k: logits[-1][k])
    curves = [line(range(1, steps + 1), [row[k] for row in logits], across, up) for k in range(len(logits[0]))]
    return {"layers": layers, "steps": steps, "curves": curves, "winner": winner, "last": logits[-1]}


def _cloud(samples: Mapping[str, Any]) -> Mapping[str, Any]:
    """Cycles of each sample over its input events, with the bound of each."""
    wide, high = 460, 260
    events, cycles, bound = samples["events"], samples["cycles"], samples["bound"]
    across, up = Scale(events, 56, wide - 10, room=0.05), Scale([*cycles, *bound], high - 34, 10, room=0.05)
    return {
        "wide": wide,
        "high": high,
        "dots": [(across(x), up(y)) for x, y in zip(events, cycles, strict=True)],
        "bounds": [(across(x), up(y)) for x, y in zip(events, bound, strict=False)],
        "across": [(across(value), value) for value in ticks(across)],
        "up": [(up(value), value) for value in ticks(up)],
    }


def _histogram(cycles: Sequence[int]) -> Mapping[str, Any]:
    """How many samples take how many cycles."""
    wide, high, low, most = 460, 160, min(cycles), max(cycles)
    each = max(1, -(-(most - low + 1) // _BINS))
    counts = [0] * (-(-(most - low + 1) // each))
    for value in cycles:
        counts[(value - low) // each] += 1
    width = (wide - 20) / len(counts)
    tallest = max(counts)
    ordered = sorted(cycles)
    return {
        "wide": wide,
        "high": high,
        "bars": [
            {
                "x": round(10 + k * width, 2),
                "width": round(max(0.5, width - 1.5), 2),
                "height": round((high - 40) * count / tallest, 2),
                "text": f"{low + k * each:,} to {low + (k + 1) * each - 1:,} cycles: {count}",
            }
            for k, count in enumerate(counts)
        ],
        "least": low,
        "median": ordered[(len(ordered) - 1) // 2],
        "most": most,
    }


def _verdict(name: str, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """A level's verdict."""
    compared = facts.get("compared")
    return {
        "level": _VERDICTS[name],
        "file": name,
        "samples": facts.get("samples"),
        "source": facts.get("source", ""),
        "hash": facts["model_hash"],
        "compared": compared if isinstance(compared, dict) else {},
    }


def _critical(synthesis: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What limits the clock, for each seed."""
    rows = []
    for seed, mhz in synthesis["fmax_mhz"].items():
        path = (synthesis.get("critical_path") or {}).get(seed)
        rows.append({"seed": seed, "mhz": mhz, "path": path})
    return rows
