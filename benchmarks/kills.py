"""An exploration that is killed at random moments and resumed, against one that ran through: the same table.

    SNNC_DATA=... .venv/bin/python benchmarks/kills.py [--kills 20] [--seed 0]

108 points of the MNIST convolutional student (three chips, three objectives, four numbers of steps, three widths), in
processes that are killed with all that they started. The end says how many results each kill left behind, and whether
``points.csv`` and ``explore.html`` are the same byte for byte.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STUDENT = Path(__file__).parents[1] / "examples" / "students" / "mnist-conv-int4.pt"
AXES = (
    *("--dataset", "mnist", "--samples", "500", "--devices", "up5k,25k,gw2ar-18c"),
    *("--weight-bits", "2,3,4", "--time-steps", "1,2,3,4"),
)


def command(folder: Path) -> list[str]:
    """Writes into that folder."""
    starts = (sys.executable, "-P", "-c", "from snnc.compiler.cli import main; main()")
    return [*starts, "explore", str(STUDENT), *AXES, "-o", str(folder)]


def kept(folder: Path) -> int:
    """Results in that folder."""
    results = folder / "results.jsonl"
    return results.read_bytes().count(b"\n") if results.exists() else 0


def main(kills: int, seed: int) -> int:
    """Compare; the exit status."""
    generator = random.Random(seed)
    with tempfile.TemporaryDirectory() as scratch:
        whole, part = Path(scratch) / "whole", Path(scratch) / "part"
        start = time.perf_counter()
        subprocess.run(command(whole), check=True, stdout=subprocess.DEVNULL)
        took = time.perf_counter() - start
        print(f"{kept(whole)} results in {took:.1f} s")
        for _ in range(kills):
            # Starting takes some of it, so that the last ones still find work to stop.
            moment = generator.uniform(0.02, 0.12) * took
            process = subprocess.Popen(command(part), stdout=subprocess.DEVNULL, start_new_session=True)
            try:
                process.wait(moment)
                ended = "had ended"
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                ended = "killed"
            print(f"after {moment:5.1f} s {ended}, {kept(part)} results kept", flush=True)
        subprocess.run(command(part), check=True, stdout=subprocess.DEVNULL)
        same = True
        for name in ("points.csv", "explore.html"):
            equal = (whole / name).read_bytes() == (part / name).read_bytes()
            print(f"{name}: {'the same' if equal else 'DIFFERENT'}")
            same = same and equal
    return int(not same)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sys.exit(main(options.kills, options.seed))
