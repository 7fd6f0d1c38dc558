"""How a training uses the processor."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_UPDATES = """
import resource, sys, torch
from snnc.distill.processor import use_processor

torch.set_num_threads(1)
if sys.argv[1] == "kept":
    use_processor(1)
network = torch.nn.Sequential(*(torch.nn.Conv2d(8, 8, 3, padding=1) for _ in range(4)))
images = torch.rand(64, 8, 64, 64)
def faults_of(updates):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(updates):
        network(images).sum().backward()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults_of(20)  # until what is left over between tensors is large enough
print(torch.get_num_threads(), faults_of(8))
"""


@pytest.mark.heavy
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_a_training_takes_its_memory_once() -> None:
    faults = {}
    for how in ("kept", "given back"):
        done = subprocess.run([sys.executable, "-c", _UPDATES, how], check=True, capture_output=True, text=True)
        threads, faults[how] = map(int, done.stdout.split())
        assert threads == 1
    # Otherwise there would be nothing to keep; a page of any size is one fault.
    assert faults["given back"] > 1000
    assert faults["kept"] < faults["given back"] / 20
