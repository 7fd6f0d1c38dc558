"""Runs the bench in this folder on random inputs: ``python tb/run.py`` (from anywhere, with snnc installed).

Change the inputs here and what is checked in ``test_core.py``. Compiling again keeps files that were changed.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

from snnc.compiler.artefacts import open_build
from snnc.compiler.errors import SnncError
from snnc.sim.commands import random_inputs
from snnc.sim.cosimulation import build_executable, run_bench
from snnc.sim.protocol import vectors

SAMPLES = 4
TIME_STEPS = 3  # 1 to 3

build = open_build(Path(__file__).resolve().parents[1])

# (time, sample, address): spikes.
inputs = random_inputs(build.plan, SAMPLES, time_steps=TIME_STEPS, density=0.2, seed=0)

# Input beats, and the results that the golden model expects.
expected = vectors(build, inputs, time_steps=TIME_STEPS)

executable = build_executable(build.core_verilog, {}, "snnc_core")
with tempfile.TemporaryDirectory() as folder:
    os.environ["SNNC_VECTORS"] = str(Path(folder) / "vectors.json")
    Path(os.environ["SNNC_VECTORS"]).write_text(json.dumps(expected))
    try:
        # The core finds its memory images relative to the build folder.
        run_bench(executable, "test_core", cwd=build.path)
    except SnncError as error:
        sys.exit(f"{error}")
print(f"test_core.py passed: {SAMPLES} samples, classes {expected['classes']}.")
