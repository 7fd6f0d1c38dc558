"""Files as each library's own exporter writes them, read under the options that it needs (`make peers`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnc.compiler.errors import SnncError
from snnc.compiler.formats.foreign.assumptions import Assumptions, ResetKind
from snnc.compiler.formats.foreign.findings import Verdict
from snnc.compiler.formats.nir.reader import import_nir
from snnc.compiler.ir import Comparison

nir = pytest.importorskip("nir")
torch = pytest.importorskip("torch")
nn = torch.nn

pytestmark = [pytest.mark.nightly, pytest.mark.filterwarnings("ignore")]

AT_LEAST = Comparison.AT_LEAST


def _snntorch(beta: float) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        snntorch = pytest.importorskip("snntorch")
        from snntorch.export_nir import export_to_nir

        # A scalar beta is what its exporter fails at.
        fires = [
            snntorch.Leaky(beta=beta * torch.ones(size), threshold=torch.ones(size), init_hidden=True)
            for size in (6, 3)
        ]
        net = nn.Sequential(nn.Linear(5, 6), fires[0], nn.Linear(6, 3), fires[1])
        nir.write(path, export_to_nir(net, torch.zeros(5)))

    return write


def _spikingjelly(make: Callable[[Any], Any]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        pytest.importorskip("spikingjelly")
        from spikingjelly.activation_based import layer, neuron
        from spikingjelly.activation_based.nir_exchange import export_to_nir

        net = nn.Sequential(layer.Linear(5, 6), make(neuron), layer.Linear(6, 3), make(neuron))
        nir.write(path, export_to_nir(net, torch.zeros(1, 5), dt=1e-4))

    return write


def _sinabs(make: Callable[[Any], Any]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        sinabs = pytest.importorskip("sinabs")
        from sinabs import layers
        from sinabs.nir import to_nir

        assert sinabs
        # Of a convolution it leaves the input's shape out, which the package cannot write.
        net = nn.Sequential(nn.Linear(5, 6), make(layers), nn.Linear(6, 4), make(layers))
        nir.write(path, to_nir(net, torch.zeros(1, 5)))

    return write


def _norse(path: Path) -> None:
    norse = pytest.importorskip("norse.torch")
    # Single values are what the package cannot write.
    ones = torch.ones(6)
    parameters = norse.LIFBoxParameters(tau_mem_inv=250 * ones, v_leak=0 * ones, v_th=ones, v_reset=0 * ones)
    cell = norse.LIFBoxCell(parameters, dt=0.001)
    net = norse.SequentialState(nn.Linear(5, 6), cell, nn.Linear(6, 3))
    nir.write(path, norse.to_nir(net, torch.zeros(1, 5)))


FILES: dict[str, tuple[Callable[[Path], None], Assumptions, Verdict]] = {
    "snnTorch, beta 0.75": (_snntorch(0.75), Assumptions(dt=1e-4, reset=ResetKind.LATE), Verdict.EXACT),
    "snnTorch, beta 0.9": (_snntorch(0.9), Assumptions(dt=1e-4, reset=ResetKind.LATE), Verdict.REFITTED),
    "SpikingJelly IF": (
        _spikingjelly(lambda neuron: neuron.IFNode()),
        Assumptions(dt=1e-4, comparison=AT_LEAST),
        Verdict.EXACT,
    ),
    "SpikingJelly LIF": (
        _spikingjelly(lambda neuron: neuron.LIFNode(tau=2.0)),
        Assumptions(dt=1e-4, comparison=AT_LEAST),
        Verdict.EXACT,
    ),
    "sinabs IAF": (
        _sinabs(lambda layers: layers.IAFSqueeze(batch_size=1)),
        Assumptions(dt=1.0, reset=ResetKind.SOFT, comparison=AT_LEAST),
        Verdict.EXACT,
    ),
    # It writes time constants a thousand times too small.
    "Norse LIFBox": (_norse, Assumptions(dt=1e-6), Verdict.EXACT),
}


@pytest.mark.parametrize("name", FILES)
def test_what_a_library_exports(name: str, tmp_path: Path) -> None:
    write, options, verdict = FILES[name]
    path = tmp_path / "network.nir"
    write(path)
    try:
        found = import_nir(path, options)
    except SnncError as error:
        pytest.fail(str(error))
    assert found.verdict is verdict, [finding.sentence for finding in found.findings]
    graph = found.accepted()
    assert len(graph.layers) >= 2
    assert all(np.isfinite(item.weight).all() for item in graph.projections)
