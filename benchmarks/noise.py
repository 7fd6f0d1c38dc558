"""Noise immunity of distilled students against ones taught by labels alone: the claim of KDSNN's table, repeated.

    SNNC_DATA=DIR python -m benchmarks.noise [--seeds 3] [--images 5500] [--samples 1000]

Trains `1x28x28-8c5s2-16c3s2-10` on Fashion-MNIST with every seed twice at equal cost, by labels alone and by the
response of the VGG that ships (`kdsnn-response`, alpha 0.5, temperature 2), and runs the integer networks on test
images under every kind of noise that `snnc evaluate --noise all` has. Students and evaluations are kept in
``build/noise/``, where a second run goes on; the table goes to ``build/noise/noise.md``: the accuracy without noise and
the area below accuracy against level, each with its paired difference and the 95 % interval of that over the seeds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from snnc.distill.compare.gains import paired_gain, verdict

REPOSITORY: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = Path("build/noise")
TEACHER: Final = REPOSITORY / "examples" / "teachers" / "fashion-mnist-vgg.pt"
TRAINING: Final = {
    "dataset": "fashion-mnist",
    "architecture": "1x28x28-8c5s2-16c3s2-10",
    "twin-epochs": "12",
    "epochs": "18",
    "copies": "20",
    "augment": "crop=1,flip=0.5",
    "batch-size": "128",
    "optimiser": "adamw",
    "learning-rate": "4e-3",
    "weight-decay": "1e-2",
}
METHODS: Final = {
    "labels": {"loss": "cross-entropy"},
    "distilled": {"loss": "kdsnn-response", "alpha": "0.5", "temperature": "2", "teacher-from": str(TEACHER)},
}


def snnc(*arguments: str) -> None:
    """Run the command of this environment."""
    subprocess.run([str(Path(sys.executable).with_name("snnc")), *arguments], check=True, stdout=subprocess.DEVNULL)


def evaluation(method: str, seed: int, images: int, samples: int) -> dict[str, Any]:
    """What `snnc evaluate` says of a student, which is trained where it is not there yet."""
    student, folder = FOLDER / f"{method}-{seed}.pt", FOLDER / f"{method}-{seed}"
    if not student.exists():
        settings = {**TRAINING, **METHODS[method], "images": str(images), "seed": str(seed), "output": str(student)}
        snnc("distill", *(word for name, value in settings.items() for word in (f"--{name}", value)))
    found = folder / "evaluation.json"
    if not found.exists():
        noise = ("--noise", "all", "--noise-samples", str(samples), "-o", str(folder))
        snnc("evaluate", str(student), "--dataset", "fashion-mnist", *noise)
    result: dict[str, Any] = json.loads(found.read_text(encoding="utf-8"))
    return result


def row(name: str, pairs: Sequence[tuple[float, ...]]) -> list[str]:
    """Means in per cent, and the paired difference in points."""
    labels, distilled = (
        {seed: 100 * value for seed, value in enumerate(values)} for values in zip(*pairs, strict=True)
    )
    gain = paired_gain(distilled, labels)
    means = [f"{sum(values.values()) / len(pairs):.2f}" for values in (labels, distilled)]
    shown = "" if gain is None else f"{gain.mean:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]"
    return [name, *means, shown, verdict(gain).value]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=5500)
    parser.add_argument("--samples", type=int, default=1000)
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    runs = {
        method: [evaluation(method, seed, options.images, options.samples) for seed in range(options.seeds)]
        for method in METHODS
    }
    pairs = list(zip(runs["labels"], runs["distilled"], strict=True))
    rows = [row("no noise, all test images", [tuple(run["accuracy"]["integer"][-1] for run in pair) for pair in pairs])]
    families = [family["name"] for family in runs["labels"][0]["noise"]["families"]]
    for number, family in enumerate(families):
        areas = [tuple(run["noise"]["families"][number]["area"] for run in pair) for pair in pairs]
        rows.append(row(f"area, {family}", areas))
    headings = ["", "labels, %", "distilled, %", "difference, points", ""]
    table = Table(*headings)
    for cells in rows:
        table.add_row(*cells)
    Console().print(table)
    lines = [headings, ["---"] * len(headings), *rows]
    text = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    (FOLDER / "noise.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
