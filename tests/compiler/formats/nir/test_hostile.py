"""Files that are wrong, each in its own way: one sentence that names the place, whatever they hold."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snnc.compiler.errors import CheckpointError, SnncError, UnsupportedError
from snnc.compiler.formats.foreign.assumptions import Assumptions
from snnc.compiler.formats.nir.reader import read_nir

h5py = pytest.importorskip("h5py")

OPTIONS = Assumptions(dt=1.0)
ONES = np.ones(4)

Nodes = dict[str, dict[str, Any]]


def good() -> Nodes:
    """A network by hand, as old files are: no version, a missing v_reset, single values for whole layers."""
    return {
        "input": {"type": "Input", "shape": np.array([5])},
        "fc": {"type": "Affine", "weight": np.arange(20.0).reshape(4, 5) / 10, "bias": np.zeros(4, np.float32)},
        "lif": {"type": "LIF", "tau": np.float32(4), "r": np.array([4.0]), "v_leak": 0.0, "v_threshold": ONES},
        "output": {"type": "Output", "shape": np.array([99])},
    }


def save(path: Path, nodes: Nodes, edges: list[tuple[str, str]] | None = None) -> Path:
    """Write nodes and edges, by default from each to the next; a node that has nodes of its own is a graph."""
    with h5py.File(path, "w") as file:
        _graph(file.create_group("node"), nodes, list(itertools.pairwise(nodes)) if edges is None else edges)
    return path


def _graph(group: Any, nodes: Nodes, edges: list[tuple[str, str]]) -> None:
    group["type"] = "NIRGraph"
    group.create_dataset("edges", data=np.array(edges, dtype=object).reshape(-1, 2), dtype=h5py.string_dtype())
    inner = group.create_group("nodes")
    for name, fields in nodes.items():
        below = inner.create_group(name)
        if "nodes" in fields:
            _graph(below, fields["nodes"], fields["edges"])
            continue
        for key, value in fields.items():
            below[key] = value


def test_the_good_file_is_read(tmp_path: Path) -> None:
    graph = read_nir(save(tmp_path / "good.nir", good()), OPTIONS)
    assert [population.name for population in graph.populations] == ["input", "lif", "readout"]


def _with(node: str, **fields: Any) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        nodes = good()
        nodes[node] = {key: value for key, value in (nodes.get(node, {}) | fields).items() if value is not None}
        save(path, nodes)

    return make


def _edges(*edges: tuple[str, str]) -> Callable[[Path], Path]:
    return lambda path: save(path, good(), [*itertools.pairwise(good()), *edges])


def _between(after: str, name: str, **fields: Any) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        nodes = list(good().items())
        position = [key for key, _ in nodes].index(after) + 1
        save(path, dict([*nodes[:position], (name, fields), *nodes[position:]]))

    return make


def _edited(edit: Callable[[Any], None]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        save(path, good())
        with h5py.File(path, "r+") as file:
            edit(file)

    return make


def _external_link(file: Any) -> None:
    del file["node/nodes/fc/weight"]
    file["node/nodes/fc/weight"] = h5py.ExternalLink("/etc/passwd", "/x")


def _soft_link(file: Any) -> None:
    file["node/nodes/fc/again"] = h5py.SoftLink("/node/nodes/lif/tau")


def _external_data(file: Any) -> None:
    del file["node/nodes/fc/weight"]
    file["node/nodes/fc"].create_dataset("weight", (4, 5), "f8", external=[("/etc/passwd", 0, 160)])


def _huge(file: Any) -> None:
    del file["node/nodes/fc/weight"]
    file["node/nodes/fc"].create_dataset("weight", (10**6, 10**6), "f4", chunks=(1000, 1000))


def _nested_without_end(file: Any) -> None:
    file["node/nodes/fc/inner"] = file["node/nodes"]


def _opaque(file: Any) -> None:
    del file["node/nodes/fc/bias"]
    file["node/nodes/fc/bias"] = np.zeros(4, np.complex128)


def _empty(file: Any) -> None:
    del file["node/nodes/fc/bias"]
    file["node/nodes/fc/bias"] = h5py.Empty("f4")


def _truncated(path: Path) -> None:
    save(path, good())
    path.write_bytes(path.read_bytes()[:2000])


WRONG: dict[str, tuple[Callable[[Path], Any], str]] = {
    "absent": (lambda path: None, "does not exist"),
    "no HDF5": (lambda path: path.write_bytes(b"PK\3\4 and so on"), "cannot be read as HDF5"),
    "truncated": (_truncated, "cannot be read as HDF5"),
    "no graph": (lambda path: h5py.File(path, "w").close(), "the group 'node' is missing"),
    "external link": (_edited(_external_link), "'weight' is a link to another place or file"),
    "soft link": (_edited(_soft_link), "'again' is a link"),
    "external data": (_edited(_external_data), "weight' lies in another file"),
    "a million million weights": (_edited(_huge), r"weight' announces 1,000,000,000,000 values.*67,108,864"),
    "a group in itself": (_edited(_nested_without_end), "nested more than 24 deep"),
    "complex numbers": (_edited(_opaque), "values of the type complex128"),
    "an empty dataset": (_edited(_empty), "bias' is empty"),
    "no type": (_with("fc", type=None), "'fc' has no 'type'"),
    "an unknown type": (_with("fc", type="Izhikevich"), "Izhikevich 'fc': it is of a type that is not built"),
    "no weights": (_with("fc", weight=None), "Affine 'fc' has no array 'weight'"),
    "weights of another shape": (_with("fc", weight=np.ones((4, 6))), "Affine 'fc': its weights take 6 inputs"),
    "a bias of another shape": (_with("fc", bias=np.ones(5)), "Affine 'fc': its bias has the shape 5 for 4 outputs"),
    "flat weights": (_with("fc", weight=np.ones(20)), r"'weight' of Affine 'fc' has the shape \[20\]"),
    "NaN": (_with("fc", bias=np.full(4, np.nan)), "bias' has values that are NaN"),
    "an input of four dimensions": (_with("input", shape=np.array([1, 1, 1, 5])), "one to three dimensions"),
    "an input of none": (_with("input", shape=np.array([0])), "integers from 1"),
    "an immense input": (_with("input", shape=np.array([4096, 4096])), "one to three dimensions of at most 4,194,304"),
    "too many thresholds": (_with("lif", v_threshold=np.ones(7)), "LIF 'lif': it has 7 values of threshold"),
    "no threshold": (_with("lif", v_threshold=None), "LIF 'lif' has no array 'v_threshold'"),
    "a threshold of 0": (_with("lif", v_threshold=0 * ONES), "its threshold lies 0 above its reset potential"),
    "a threshold below the reset": (_with("lif", v_reset=2 * ONES), "its threshold lies -1 above"),
    "a negative time constant": (_with("lif", tau=-ONES), "'lif' has a negative time constant"),
    "a time constant below the step": (_with("lif", tau=ONES / 2), "a step leaves -1 of the membrane.*dt"),
    "leaks that differ": (_with("lif", tau=np.array([2.0, 4, 4, 4])), "its leak differs within the layer"),
    "no resistance": (_with("lif", r=0 * ONES), "its current has the factor 0"),
    "parameters that do not fit": (_with("lif", tau=ONES * 4, r=np.ones(3)), "parameters of the shapes"),
    "two outputs": (_between("lif", "out2", type="Output", shape=np.array([4])), "2 outputs"),
    "two inputs": (_between("input", "in2", type="Input", shape=np.array([5])), "2 inputs"),
    "an edge to nowhere": (_edges(("fc", "lif.lif")), "names 'lif.lif', and there is no such node"),
    "an edge twice": (_edges(("fc", "lif")), "edge from 'fc' to 'lif' is there twice"),
    "an edge from the output": (_edges(("output", "lif")), "Output 'output': it is the output"),
    "an edge to the input": (_edges(("fc", "input")), "Input 'input': it is the input, but hears a node"),
    "a synaptic current": (
        _with("lif", type="CubaLIF", tau_syn=8 * ONES, tau_mem=8 * ONES, w_in=ONES),
        "CubaLIF 'lif': its synaptic current is a second state per neuron",
    ),
    "overlapping windows": (
        _between("input", "p", type="SumPool2d", kernel_size=[2, 2], stride=[1, 1], padding=[0, 0]),
        "windows that do not overlap",
    ),
    "windows that do not divide": (
        _between("input", "p", type="AvgPool2d", kernel_size=[2, 2], stride=[2, 2], padding=[0, 0]),
        "do not divide 1 x 1",
    ),
    "a delay of years": (_between("fc", "d", type="Delay", delay=np.full(4, 1e9)), "it delays by 1e.09 steps"),
    "delays that differ": (_between("fc", "d", type="Delay", delay=np.arange(4.0)), "its delays differ, from 0 to 3"),
    "a membrane in the middle": (
        _between("fc", "li", type="LI", tau=4 * ONES, r=ONES, v_leak=0 * ONES),
        "LI 'li': it does not fire, but other nodes hear it",
    ),
    "a padding by another name": (
        _between(
            "input", "c", type="Conv1d", weight=np.ones((1, 5, 1)), padding="circular", stride=1, dilation=1, groups=1
        ),
        "'padding' of Conv1d 'c' is 'circular'",
    ),
    "a kernel of another depth": (
        _between("input", "c", type="Conv1d", weight=np.ones((1, 9, 1)), padding=0, stride=1, dilation=1, groups=1),
        "Conv1d 'c': its weights take 9 channels",
    ),
    "a declared shape that lies": (
        _between(
            "input",
            "c",
            type="Conv1d",
            weight=np.ones((1, 5, 1)),
            padding=0,
            stride=1,
            dilation=1,
            groups=1,
            input_shape=9,
        ),
        "Conv1d 'c': it declares an input of 9",
    ),
    "a group of 0": (
        _between("input", "c", type="Conv1d", weight=np.ones((1, 5, 1)), padding=0, stride=1, dilation=1, groups=0),
        "'groups' of Conv1d 'c' must be integers from 1",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files_are_refused_by_name(name: str, tmp_path: Path) -> None:
    make, sentence = WRONG[name]
    path = tmp_path / "wrong.nir"
    make(path)
    with pytest.raises((CheckpointError, UnsupportedError), match=sentence) as caught:
        read_nir(path, OPTIONS)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_loop_without_neurons_is_refused(tmp_path: Path) -> None:
    nodes = good() | {"w": {"type": "Linear", "weight": np.ones((5, 4))}}
    path = save(tmp_path / "loop.nir", nodes, [*itertools.pairwise(good()), ("fc", "w"), ("w", "fc")])
    with pytest.raises(UnsupportedError, match="it lies on a loop without neurons"):
        read_nir(path, OPTIONS)


def test_many_nodes_in_a_row_are_refused_before_the_stack_ends(tmp_path: Path) -> None:
    nodes = good()
    last = nodes.pop("output")
    nodes |= {f"s{k}": {"type": "Scale", "scale": ONES} for k in range(2000)} | {"output": last}
    with pytest.raises(UnsupportedError, match="more than 128 nodes lie in a row"):
        read_nir(save(tmp_path / "long.nir", nodes), OPTIONS)


def test_ways_that_double_at_every_node_are_refused(tmp_path: Path) -> None:
    nodes = good()
    edges = [("input", "fc"), ("fc", "lif")]
    last = "lif"
    for k in range(40):
        for side in "ab":
            nodes[f"{side}{k}"] = {"type": "Scale", "scale": ONES}
            edges.append((last, f"{side}{k}"))
        nodes[f"s{k}"] = {"type": "Scale", "scale": ONES}
        edges += [(f"a{k}", f"s{k}"), (f"b{k}", f"s{k}")]
        last = f"s{k}"
    path = save(tmp_path / "wide.nir", nodes, [*edges, (last, "output")])
    with pytest.raises(UnsupportedError, match="more than 64 ways lead to it"):
        read_nir(path, OPTIONS)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return save(tmp_path_factory.mktemp("nir") / "good.nir", good()).read_bytes()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), min_size=1, max_size=8))
def test_damaged_files_never_end_in_a_traceback(sound: bytes, tmp_path: Path, edits: list[tuple[int, int]]) -> None:
    damaged = bytearray(sound)
    for position, value in edits:
        damaged[position % len(damaged)] = value
    path = tmp_path / "damaged.nir"
    path.write_bytes(damaged)
    with contextlib.suppress(SnncError):
        read_nir(path, OPTIONS)
