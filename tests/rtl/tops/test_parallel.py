"""Plain pins: every logit and answer of samples that come with random pauses, pixels and spikes, loaded or not."""

from __future__ import annotations

import json

import pytest

from snnc.compiler import cli
from snnc.compiler.build.folder import LOAD_IMAGE
from snnc.compiler.commands.verify import random_inputs
from snnc.compiler.errors import VerificationError
from snnc.compiler.ir import Encoding
from snnc.rtl.tops import PARALLEL
from snnc.sim.cosimulation.ports import pack_inputs
from snnc.sim.cosimulation.simulator import build_executable, run_bench
from snnc.sim.models import golden
from snnc.sim.models.stimulus import Marker, stimulus
from tests.networks import build_graph, random_chain

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module", params=["pixels", "spikes", "loaded"])
def component(request, tmp_path_factory):
    """A build, and the folder that `snnc integrate` writes of it."""
    path = tmp_path_factory.mktemp("parallel") / "build"
    encoding = Encoding.EVENTS if request.param == "spikes" else Encoding.DIRECT
    graph = random_chain((12, 6, 3), encoding=encoding, seed=4)
    build = build_graph(graph, path, lanes=(2, 3), spram=request.param == "loaded")
    assert cli.run(["integrate", str(path), "--mhz", "2"]) == 0  # a short hold: 100 cycles
    return build, path.with_name("build-axis")


def run(component, repository, tmp_path, *, pause, seed, spoil=0):
    build, folder = component
    steps, classes = build.plan.time_steps, build.plan.readout.neurons
    inputs = random_inputs(build.plan, 6, time_steps=steps, density=0.4, seed=seed)
    trace = golden.run(build.load_graph(), inputs, time_steps=steps)
    results = [[logit, k] for row in trace.logits.tolist() for k, logit in enumerate(row)]
    for number, index in enumerate(trace.classes.tolist()):
        results[(number + 1) * classes - 1].append(index)
    results[2][0] += spoil
    beats = stimulus(build.plan.input, inputs, time_steps=steps)
    low = build.plan.input.layout.words - 1
    addresses = (pack_inputs(build.plan, beats) & ((1 << low.bit_length()) - 1)).tolist()
    pins = []
    for k, address in enumerate(addresses):
        marker = int(beats.marker[k])
        pin = {"address": address, "event": int(beats.event[k])}
        # A sample's end is that of its last step, whether or not that is said.
        pin |= {"step_end": int(marker == Marker.STEP or k % 2), "sample_end": int(marker == Marker.SAMPLE)}
        pin["step_end"] &= marker != Marker.NONE
        pins.append(pin | ({"value": int(beats.value[k])} if build.plan.input.encoding is Encoding.DIRECT else {}))
    image = build.path / LOAD_IMAGE
    loads = [int(word, 16) for word in image.read_text().split()] if build.plan.loaded else []
    content = {"beats": pins, "results": results, "load": loads, "pause": pause, "seed": seed}
    path = tmp_path / "vectors.json"
    path.write_text(json.dumps(content))
    sources = [folder / name for name in ("core.v", "primitives.v", PARALLEL.file)]
    run_bench(
        build_executable(sources, {}, PARALLEL.module),
        "tests.rtl.tops.parallel_bench",
        cwd=folder,
        plusargs=["+verilator+rand+reset+2", f"+verilator+seed+{seed + 1}"],
        environment={"SNNC_VECTORS": str(path), "PYTHONPATH": str(repository)},
    )


@pytest.mark.parametrize(("pause", "seed"), [(0.0, 0), (0.6, 1)])
def test_every_logit_and_every_answer_comes(pause, seed, component, repository, tmp_path):
    run(component, repository, tmp_path, pause=pause, seed=seed)


def test_a_wrong_logit_is_seen(component, repository, tmp_path):
    with pytest.raises(VerificationError, match="expected"):
        run(component, repository, tmp_path, pause=0.0, seed=0, spoil=1)
