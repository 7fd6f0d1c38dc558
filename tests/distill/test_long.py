"""Training over a thousand steps: in bounded memory, measured in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

STEPS = 1000


@pytest.mark.nightly
def test_a_thousand_steps_take_less_than_two_gibibytes(tmp_path: Path) -> None:
    generator, labels = np.random.default_rng(0), np.arange(240) % 6
    rates = generator.uniform(0.02, 0.17, (6, 4))[labels]
    events = (generator.random((240, STEPS, 4)) < rates[:, np.newaxis]).astype(np.uint8)
    data, student = tmp_path / "long.npz", tmp_path / "long.pt"
    np.savez(data, x_train=events[:160], y_train=labels[:160], x_test=events[160:], y_test=labels[160:])
    words = ["distill", "--data", str(data), "--architecture", "4-48-6", "--teacher-epochs", "0", "--twin-epochs", "0"]
    words += ["--loss", "cross-entropy", "--epochs", "3", "-o", str(student)]
    # Its own peak, at its end: what `os.wait4` says of a child counts the pages of whoever started it, too.
    status = tmp_path / "status"
    keep = f"import atexit, shutil; atexit.register(shutil.copyfile, '/proc/self/status', {str(status)!r})"
    command = [sys.executable, "-c", f"{keep}; from snnc.compiler.cli import main; main()", *words]
    assert subprocess.run(command, check=False).returncode == 0
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())
    most = int(peak) * 1024
    assert student.exists()
    assert most < 2 * 2**30
