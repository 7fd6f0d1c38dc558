"""What every pass makes of six small networks, as text that is kept: `tests/compiler/passes/stored/NAME.txt`.

The files document the passes: read one from top to bottom to see a network become hardware. A difference is either a
mistake or a decision of the compiler that has changed. Where it is meant, they are written anew with
``python -m tests.compiler.passes.test_stored``, and the change of the text is part of the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from snnc.compiler.design import Design
from snnc.compiler.formats import RandomNetwork
from snnc.compiler.formats.random_network import random_graph
from snnc.compiler.formats.student import student_graph
from snnc.compiler.ir import Encoding, Graph
from snnc.compiler.pipeline import passes_before, run_passes
from tests.compiler.networks import checkpoint, deep_checkpoint, design_of

STORED = Path(__file__).parent / "stored"


def _random(architecture: str, encoding: Encoding = Encoding.EVENTS) -> Callable[[], Graph]:
    return lambda: random_graph(RandomNetwork(architecture=architecture, encoding=encoding, time_steps=4))


NETWORKS: Mapping[str, tuple[Callable[[], Graph], str]] = {
    "dense": (lambda: student_graph(checkpoint()), "a trained student: batch norm folds, weights become integers"),
    "deep": (lambda: student_graph(deep_checkpoint()), "residual, LIF, max pooling, recurrence, average pooling"),
    "pixels": (_random("1x8x8-a2-4c3-3", Encoding.DIRECT), "average pooling of pixels, a readout behind a convolution"),
    "rate": (_random("1x6x6-3c3s2-5-3", Encoding.RATE), "spikes of an encoder, a stride"),
    "residual": (_random("2x6x6-4c3-4r3-3"), "a residual block of spikes"),
    "memory": (_random("6-5R-3"), "a recurrent layer: two projections, one of them late"),
}
"""By the name of the file: the network, and what it shows."""


def text_of(name: str) -> str:
    make, shows = NETWORKS[name]
    parts = [f"# {shows}"]

    def observe(step: str, text: str) -> None:
        parts.append(f"\n--- after {step}\n{text}")

    design = run_passes(design_of(make(), device="hx8k"), passes_before("place"), observe=observe)
    design = run_passes(design, [step for step in passes_before("emit") if step.name == "place"])
    return "\n".join([*parts, f"\n--- after place\n{_memories(design)}", ""])


def _memories(design: Design) -> str:
    """The plan in short: its JSON has every field."""
    lines = []
    for engine in design.complete_plan.engines:
        lines.append(f"engine {engine.name}  {engine.width} lanes, pipeline of {engine.pipeline}")
        lines += [
            f"  memory {memory.name}  {memory.width} x {memory.depth} in {memory.kind.value}"
            + (f", {memory.blocks} blocks" if memory.blocks else "")
            for memory in engine.memories
        ]
    return "\n".join(lines)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_pass_makes_of_a_network_what_is_stored(name: str) -> None:
    assert text_of(name) == (STORED / f"{name}.txt").read_text(encoding="utf-8")


def test_every_stored_text_has_its_network() -> None:
    assert {path.stem for path in STORED.iterdir()} == set(NETWORKS)


if __name__ == "__main__":
    for stem in NETWORKS:
        (STORED / f"{stem}.txt").write_text(text_of(stem), encoding="utf-8")
