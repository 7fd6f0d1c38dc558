"""The student checkpoint: every field is used, every fault is named."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.compiler.errors import CheckpointError, OptionError, UnsupportedError
from snnc.compiler.formats import import_network, student
from snnc.compiler.formats.student import WEIGHTS_LIMIT, student_graph
from snnc.compiler.ir import (
    Comparison,
    Convolution,
    Dense,
    Encoding,
    Exit,
    Initial,
    IntegrateAndFire,
    Level,
    Pooling,
    Readout,
    Reset,
    format_graph,
    verify,
)
from snnc.compiler.ir.model import model_hash
from snnc.compiler.passes.normalise import normalised
from snnc.compiler.passes.quantise import quantised
from snnc.compiler.pipeline import integer_network
from tests.compiler.networks import changed, checkpoint, deep_checkpoint, dense, first_version


def test_a_sound_checkpoint():
    plain = checkpoint()
    graph = student_graph(plain)
    verify(graph)
    assert (graph.level, graph.name, graph.time_steps, graph.classes) == (Level.IMPORTED, "tiny", 4, ("a", "b", "c"))
    assert (graph.source.encoding, graph.source.bits, graph.input.shape) == (Encoding.DIRECT, 4, (1, 3, 4))
    hidden, readout = graph.layers
    assert isinstance(hidden.neuron, IntegrateAndFire)
    assert (hidden.neuron.reset, hidden.neuron.initial) == (Reset.SOFT, Initial.HALF)
    assert isinstance(readout.neuron, Readout)
    first, second = graph.projections
    assert isinstance(first, Dense)
    assert (first.source, first.target, first.bits, first.shift, second.shift) == ("input", "hidden0", 4, 1, 0)
    assert np.array_equal(first.weight, plain["state"]["hidden0.0.weight"].astype(np.float64))
    assert hidden.norm is not None
    assert np.array_equal(hidden.norm.mean, plain["state"]["hidden0.norm.mean"].astype(np.float64))
    assert hidden.norm.epsilon == float(np.float32(1e-5))


def test_what_may_be_absent():
    for path in ("classes", "state/hidden0.bias", "config", "metrics"):
        assert student_graph(changed(checkpoint(), path, ...)).level is Level.IMPORTED
    graph = student_graph(checkpoint(steps=False, norm=False))
    assert graph.layers[0].norm is None
    first = graph.projections[0]
    assert isinstance(first, Dense)
    assert first.step is None
    assert student_graph(changed(checkpoint(), "unknown", 1)).name == "tiny"


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("version", ..., "'version'"),
        ("version", "1", "'version'"),
        ("contract", 2, "'contract'"),
        ("contract", "two", "'contract' of the checkpoint must be a version such as 2.0"),
        ("name", 3, "'name'"),
        ("name", ..., "'name'"),
        ("name", 'x"""; import os #', "letters, digits"),
        ("name", "two\nlines", "letters, digits"),
        ("name", "x" * 101, "1 to 100"),
        ("time_steps", 0, "'time_steps'"),
        ("time_steps", True, "'time_steps'"),
        ("time_steps", 2**40, "'time_steps'"),
        ("input", [], "'input'"),
        ("input/shape", [12], "shape"),
        ("input/shape", [1, 3, 5], "[6, 12], expected [6, 15]"),
        ("input/shape", [2**20, 2, 4], "8,388,608 neurons; at most 4,194,304"),
        ("input/bits", 9, "'bits'"),
        ("input/encoding", "events", "1 bit"),
        ("layers", [], "no layers"),
        ("layers", {}, "'layers'"),
        ("layers/0", None, "Layer 0 must be a dict"),
        ("layers/0/name", "readout", "same name"),
        ("layers/0/name", "a b", "'a b"),
        ("layers/0/name", "input", "same name 'input'"),
        ("layers/0/shape", [6], "'shape' of layer 'hidden0'"),
        ("layers/0/shape", [6, 0, 1], "'shape' of layer 'hidden0'"),
        ("layers/0/shape", [6, True, 1], "'shape' of layer 'hidden0'"),
        ("layers/0/shape", [10**9, 1, 1], "'shape' of layer 'hidden0'"),
        ("layers/0/shape", [2**12, 2**12, 1], "16,777,216 neurons"),
        ("layers/0/shape", [2**22, 1, 1], "expected [4194304, 12]"),
        ("layers/0/projections", [], "no projections"),
        ("layers/0/projections", [dense("input")] * 65, "65 projections; 1 to 64"),
        ("layers/0/projections", {}, "'projections' of layer 'hidden0'"),
        ("layers/0/projections/0", 3, "Projection 0 of layer 'hidden0' must be a dict"),
        ("layers/0/projections/0/source", "hidden9", "unknown source 'hidden9'"),
        ("layers/0/projections/0/source", ..., "'source'"),
        ("layers/0/projections/0/weight_bits", 0, "'weight_bits'"),
        ("layers/0/projections/0/weight_bits", 9, "'weight_bits'"),
        ("layers/0/projections/0/weight_bits", ..., "'weight_bits'"),
        ("layers/0/projections/0/delay", -1, "'delay'"),
        ("layers/0/projections/0/delay", ..., "'delay'"),
        ("layers/0/projections/0/pool", 0, "'pool'"),
        ("layers/0/projections/0/pool", 3, "do not divide its 3 x 4 neurons"),
        ("layers/0/neuron/leak_shift", -1, "'leak_shift'"),
        ("layers/0/neuron/leak_shift", 17, "'leak_shift'"),
        ("layers/0/neuron/leak_shift", ..., "'leak_shift'"),
        ("layers/0/neuron/kind", "readout", "not the last"),
        ("layers/1/neuron", {"kind": "if", "reset": "soft", "initial": "zero", "leak_shift": None}, "the last one"),
        ("classes", ["a"], "classes"),
        ("state", [], "'state'"),
        ("state/hidden0.0.weight", ..., "'hidden0.0.weight' is missing"),
        ("state/hidden0.step", ..., "'hidden0.step' is missing"),
        ("state/hidden0.threshold", ..., "'hidden0.threshold' is missing"),
        ("state/hidden0.0.weight", np.zeros((6, 11)), "[6, 11]"),
        ("state/hidden0.0.weight", np.zeros((6, 12), np.int64), "int64"),
        ("state/hidden0.0.weight", [[0.0]], "must be a tensor"),
        ("state/hidden0.0.weight", np.full((6, 12), np.nan), "72 values that are NaN"),
        ("state/readout.bias", np.array([1.0, np.inf, 0.0]), "'readout.bias' has 1 values"),
        ("state/hidden0.threshold", np.zeros(6), "positive"),
        ("state/hidden0.step", -np.ones(6), "positive"),
        ("state/hidden0.norm.mean", ..., "lacks mean"),
        ("state/hidden0.norm.variance", -np.ones(6), "variance"),
        ("state/hidden0.norm.epsilon", ..., "'hidden0.norm.epsilon' is missing"),
        ("state/hidden1.weight", np.zeros(3), "'hidden1.weight' belongs to no layer"),
        ("state/readout.threshold", np.ones(3), "'readout.threshold'"),
    ],
)
def test_a_wrong_checkpoint_is_named(path, value, named):
    with pytest.raises(CheckpointError) as caught:
        verify(student_graph(changed(checkpoint(), path, value)))
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("version", 7, "version 7"),
        ("contract", "2.99", "trained under version 2.99 of the integer contract"),
        ("contract", "3.0", "trained under version 3.0"),
        ("input/encoding", "latency", "'latency'"),
        ("layers/0/projections/0/kind", "conv2d", "is of the kind 'conv2d'; built are dense, convolution, pooling"),
        ("layers/0/projections/0/stride", [2, 2], "'stride'"),
        ("layers/0/stride", 2, "'stride'"),
        ("layers/0/projections/0", {"kind": "pooling", "source": "input", "kernel": [1, 1], "pool": 1}, "'pool'"),
        ("layers/0/neuron/floor", -3, "'floor'"),
        ("layers/0/neuron/kind", "lif", "'lif'"),
        ("layers/0/neuron/leak", 3, "'leak'"),
        ("layers/0/neuron/reset", "none", "'none'"),
        ("layers/0/neuron/initial", "random", "'random'"),
        ("layers/1/fraction_bits", 2, "fraction bits"),
    ],
)
def test_what_is_not_built_is_named(path, value, named):
    with pytest.raises(UnsupportedError) as caught:
        student_graph(changed(checkpoint(), path, value))
    assert named in str(caught.value)


def test_a_readout_without_batch_norm():
    plain = checkpoint()
    for key in ("gain", "offset", "mean", "variance"):
        plain["state"][f"readout.norm.{key}"] = np.ones(3, np.float32)
    plain["state"]["readout.norm.epsilon"] = np.ones(1, np.float32)
    with pytest.raises(UnsupportedError, match="'readout' is a readout with a batch norm"):
        student_graph(plain)


def test_a_deep_checkpoint():
    plain = deep_checkpoint()
    graph = student_graph(plain)
    verify(graph)
    assert [layer.shape for layer in graph.layers] == [
        (4, 6, 6), (4, 6, 6), (4, 3, 3), (5, 1, 1), (2, 3, 3), (3, 1, 1)
    ]  # fmt: skip
    conv1, conv2, skip, maximum, dense4, loop, mean5, *readout = graph.projections
    assert isinstance(conv1, Convolution)
    assert isinstance(conv2, Convolution)
    assert (conv2.source, conv2.target, conv2.groups, conv2.padding, conv2.shift) == ("conv1", "conv2", 2, (1, 1), 1)
    assert np.array_equal(conv2.weight, plain["state"]["conv2.0.weight"].astype(np.float64))
    assert isinstance(skip, Pooling)
    assert (skip.source, skip.target, skip.kernel, skip.shift) == ("conv1", "conv2", (1, 1), 0)
    assert isinstance(maximum, Pooling)
    assert (maximum.kernel, maximum.stride) == ((2, 2), (2, 2))
    assert isinstance(dense4, Dense)
    assert isinstance(loop, Dense)
    assert (loop.source, loop.delay, dense4.bits, loop.bits) == ("rec4", 1, 2, 1)
    assert isinstance(mean5, Convolution)
    assert (mean5.pool, mean5.kernel) == (2, (1, 1))
    assert [projection.source for projection in readout] == ["rec4", "mean5"]
    assert dense4.step is loop.step is not None
    lif = graph.population("conv2").neuron
    assert isinstance(lif, IntegrateAndFire)
    assert lif.leak_shift == 2


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("layers/0/shape", [4, 5, 6], "gives (4, 6, 6)"),
        ("layers/0/projections/0/kernel", [3], "'kernel'"),
        ("layers/0/projections/0/kernel", [3, 2**11], "'kernel'"),
        ("layers/0/projections/0/kernel", [5, 5], "expected [4, 1, 5, 5]"),
        ("layers/0/projections/0/stride", [0, 1], "'stride'"),
        ("layers/0/projections/0/stride", [1.0, 1], "'stride'"),
        ("layers/0/projections/0/padding", [-1, 1], "'padding'"),
        ("layers/0/projections/0/padding", [3, 1], "would see padding only; use a padding below 3"),
        ("layers/0/projections/0/dilation", [9, 1], "covers 19 positions of a padded source of 8"),
        ("layers/1/projections/0/groups", 3, "3 groups, which do not divide 4 channels into 4"),
        ("layers/1/projections/0/groups", 4, "expected [4, 1, 3, 3]"),
        ("layers/1/projections/1/kernel", [2, 2], "gives (4, 5, 5)"),
        ("layers/2/projections/0/kernel", [3, 3], "windows of 3 at a stride of 2"),
        ("layers/2/projections/0/kernel", [7, 7], "windows of 7"),
        ("layers/4/projections/0/pool", 4, "do not divide its 6 x 6"),
        ("layers/2/shape", [4, 4, 3], "[5, 36], expected [5, 48]"),
        ("state/rec4.1.weight", ..., "'rec4.1.weight' is missing"),
        ("state/max3.0.weight", np.zeros((4, 1)), "expected [4]"),
        ("state/max3.step", np.ones(4), "'max3.step' belongs to no layer"),
    ],
)
def test_wrong_geometry_is_named(path, value, named):
    with pytest.raises(CheckpointError) as caught:
        verify(student_graph(changed(deep_checkpoint(), path, value)))
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("layers/3/projections/1/delay", 0, "closes a loop without a delay"),
        ("layers/0/projections/0/source", "conv1", "closes a loop without a delay"),
        ("layers/2/fraction_bits", 1, "but only pooling"),
        ("layers/3/projections/1/weight_bits", None, "have weight_bits and some have none"),
    ],
)
def test_what_cannot_be_joined_is_named(path, value, named):
    plain = deep_checkpoint()
    if value == "conv1":
        plain = changed(plain, "state/conv1.0.weight", np.zeros((4, 4, 3, 3)))
    with pytest.raises(UnsupportedError) as caught:
        verify(student_graph(changed(plain, path, value)))
    assert named in str(caught.value)


def test_sizes_are_counted_before_memory_is_taken():
    """Tensors that are never there: what they would take is 32 GB."""
    plain = checkpoint()
    for shape, sources in (([2**22, 1, 1], 12), ([2**16, 1, 1], 2**10)):
        large = changed(changed(plain, "layers/0/shape", shape), "input/shape", [sources, 1, 1])
        limit = sources * shape[0] > WEIGHTS_LIMIT
        with pytest.raises(CheckpointError, match="more than 67,108,864 weights" if limit else "expected"):
            student_graph(large)
    with pytest.raises(CheckpointError, match="5000 layers; 1 to 4096"):
        student_graph(plain | {"layers": [plain["layers"][0]] * 5000})


def test_the_weights_of_all_projections_count(monkeypatch):
    monkeypatch.setattr(student, "WEIGHTS_LIMIT", 72 + 18)
    assert student_graph(checkpoint()).name == "tiny"
    monkeypatch.setattr(student, "WEIGHTS_LIMIT", 72 + 17)
    with pytest.raises(CheckpointError, match="more than 89 weights"):
        student_graph(checkpoint())


@pytest.mark.parametrize("version", [2, 3])
def test_a_student_without_a_contract_is_of_the_first(version):
    plain = checkpoint()
    older = {key: value for key, value in plain.items() if key != "contract"} | {"version": version}
    assert format_graph(student_graph(older)) == format_graph(student_graph(plain))


def later():
    """A student whose first layer has all that version 5 brought."""
    plain = changed(checkpoint(), "layers/0/neuron/comparison", ">") | {"version": 5, "contract": "2.1"}
    channels = plain["layers"][0]["shape"][0]
    state = {"hidden0.floor": np.full(channels, -0.5), "hidden0.subtracted": np.full(channels, 1.25, np.float32)}
    return plain | {"state": plain["state"] | state}


def test_neurons_that_were_trained_elsewhere():
    graph = student_graph(later())
    verify(graph)
    neuron = graph.layers[0].neuron
    assert isinstance(neuron, IntegrateAndFire)
    assert neuron.comparison is Comparison.ABOVE
    assert neuron.floor is not None
    assert neuron.subtracted is not None
    assert set(neuron.floor) == {-0.5}
    assert set(neuron.subtracted) == {1.25}
    plain = checkpoint() | {"version": 5}
    assert model_hash(integer(student_graph(plain))) == model_hash(integer(student_graph(checkpoint())))
    whole = integer(graph).layers[0].neuron
    before = integer(student_graph(plain)).layers[0].neuron
    assert (whole.threshold == before.threshold + 1).all()  # IF
    one = before.threshold / neuron.threshold  # of the layer's membranes
    assert np.allclose(whole.floor, -0.5 * one, atol=1)
    assert np.allclose(whole.subtracted, 1.25 * one, atol=1)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("version", 4, "unknown setting 'comparison'"),
        ("layers/0/neuron/comparison", "=", "'comparison' of the neuron of layer 'hidden0' is '='; built are >=, >"),
        ("layers/0/neuron/reset", "hard", "has amounts to subtract, but a hard reset"),
        ("state/hidden0.subtracted", np.zeros(6), "every value must be positive"),
        ("state/hidden0.floor", np.full(6, np.nan), "NaN"),
        ("state/hidden0.floor", np.zeros(2), "the shape [2], expected [6]"),
        ("state/readout.floor", np.zeros(3), "'readout.floor' belongs to no layer"),
    ],
)
def test_wrong_neurons_of_elsewhere_are_named(path, value, named):
    with pytest.raises((CheckpointError, UnsupportedError)) as caught:
        student_graph(changed(later(), path, value))
    assert named in str(caught.value)


def test_an_older_version_has_no_floor():
    plain = later()
    older = changed(plain, "layers/0/neuron/comparison", ...) | {"version": 4}
    with pytest.raises(CheckpointError, match=r"'hidden0\.floor' belongs to no layer"):
        student_graph(older)


def leaking(fraction_bits: int = 4):
    """A student whose readout leaks."""
    plain = changed(checkpoint(), "layers/1/neuron/leak_shift", 3) | {"version": 6, "contract": "2.3"}
    return changed(plain, "layers/1/fraction_bits", fraction_bits)


def test_a_readout_may_leak():
    coarse, fine = (integer(student_graph(leaking(bits))) for bits in (0, 4))
    assert coarse.readout.neuron == fine.readout.neuron == Readout(leak_shift=3)
    (one,), (other,) = coarse.into("readout"), fine.into("readout")
    assert (one.shift, other.shift) == (0, 4)
    assert np.array_equal(one.weight, other.weight)
    assert np.abs(fine.readout.bias - 16 * coarse.readout.bias).max() <= 8
    summed = integer(student_graph(checkpoint() | {"version": 6}))
    assert model_hash(summed) == model_hash(integer(student_graph(checkpoint())))


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("version", 5, "unknown setting 'leak_shift'"),
        ("layers/1/neuron/leak_shift", 17, "'leak_shift' of the neuron of layer 'readout'"),
        ("layers/1/neuron/leak_shift", -1, "'leak_shift' of the neuron of layer 'readout'"),
        ("layers/1/neuron/leak_shift", None, "one that does not leak has none"),
        ("layers/1/neuron/reset", "soft", "unknown setting 'reset'"),
    ],
)
def test_wrong_leaks_of_a_readout_are_named(path, value, named):
    with pytest.raises((CheckpointError, UnsupportedError)) as caught:
        student_graph(changed(leaking(), path, value))
    assert named in str(caught.value)


EXIT = {"margin": 74, "steps": [1, 3]}


def test_an_exit():
    plain = checkpoint() | {"version": 4}
    assert student_graph(plain).exit is None
    assert student_graph(plain | {"exit": None}).exit is None
    graph = student_graph(plain | {"exit": EXIT})
    assert graph.exit == Exit(margin=74, steps=(1, 3))
    assert student_graph(checkpoint() | {"exit": EXIT}).exit is None  # which version 3 does not know
    assert integer(graph).exit == graph.exit
    with pytest.raises(OptionError, match="--weight-bits 3 makes others"):
        integer(graph, weight_bits=3)
    graph = student_graph(plain | {"exit": EXIT | {"weight_bits": 3}})
    assert integer(graph, weight_bits=3).exit == Exit(margin=74, steps=(1, 3))
    for bits in (None, 2):
        with pytest.raises(OptionError, match="was chosen on the logits of weights in 3 bits: give --weight-bits 3"):
            integer(graph, weight_bits=bits)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("exit", 74, "'exit' of the checkpoint must be a dict"),
        ("exit/margin", 0, "'margin' of 'exit' of the checkpoint must be an integer from 1"),
        ("exit/margin", 7.5, "'margin'"),
        ("exit/margin", 2**33, "'margin'"),
        ("exit/margin", ..., "lacks 'margin'"),
        ("exit/steps", [], "numbers of steps from 1 to 3"),
        ("exit/steps", [0], "numbers of steps"),
        ("exit/steps", [4], "numbers of steps"),
        ("exit/steps", [True], "numbers of steps"),
        ("exit/steps", [2, 1], "must ascend"),
        ("exit/steps", [1, 1], "must ascend"),
        ("exit/steps", "1", "must be a list"),
        ("exit/most", 1, "unknown setting 'most'"),
        ("exit/weight_bits", 9, "'weight_bits' of 'exit' of the checkpoint must be an integer from 1 to 8"),
        ("exit/weight_bits", "2", "'weight_bits'"),
    ],
)
def test_a_wrong_exit_is_named(path, value, named):
    plain = checkpoint() | {"version": 4, "exit": dict(EXIT)}
    with pytest.raises((CheckpointError, UnsupportedError), match=named):
        verify(student_graph(changed(plain, path, value)))


def integer(graph, weight_bits=None):
    return quantised(normalised(graph), weight_bits)


def test_the_first_version_is_the_same_network():
    for plain in (checkpoint(), checkpoint(3, steps=False, norm=False)):
        ours, theirs = student_graph(plain), student_graph(first_version(plain))
        verify(theirs)
        assert (theirs.name, theirs.time_steps, theirs.classes) == (ours.name, ours.time_steps, ours.classes)
        for new, old in zip(ours.projections, theirs.projections, strict=True):
            assert isinstance(new, Dense)
            assert isinstance(old, Dense)
            assert np.array_equal(new.weight, old.weight)
            assert (new.source, new.bits, new.shift, new.delay) == (old.source, old.bits, old.shift, old.delay)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("layers", 3, "'layers'"),
        ("layers/0", 3, "Layer 0 must be a dict"),
        ("layers/0/name", "readout", "same name"),
        ("layers/0/in_features", 13, "13 inputs"),
        ("layers/0/out_features", 10**9, "'out_features'"),
        ("layers/0/weight_bits", 1, "'weight_bits'"),
        ("layers/0/neuron", 3, "'neuron'"),
        ("layers/0/neuron/kind", ..., "'kind'"),
        ("layers/0/fraction_bits", ..., "'fraction_bits'"),
        ("input/shape", [2**9, 2**9, 1], "262,144 neurons"),
        ("state", 3, "'state'"),
        ("state/hidden0.weight", ..., "weight' is missing"),
        ("state/hidden0.0.weight", np.zeros(3), "'hidden0.0.weight' belongs to no layer of version 1"),
    ],
)
def test_a_wrong_first_version_is_named(path, value, named):
    with pytest.raises(CheckpointError) as caught:
        student_graph(changed(first_version(checkpoint()), path, value))
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("layers/0/kind", "conv2d", "version 1 has 'dense' alone"),
        ("layers/0/shape", [6, 1, 1], "'shape'"),
        ("layers/0/neuron/leak_shift", 3, "'leak_shift'"),
    ],
)
def test_the_first_version_has_no_more_than_it_had(path, value, named):
    with pytest.raises(UnsupportedError) as caught:
        student_graph(changed(first_version(checkpoint()), path, value))
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("digits-64-32-10-int4", "d76a38c2fb30e4c831a0e593151fa0123c55e23d70f09596ac18a550cfbc7f62"),
        ("mnist-784-32-10-int4", "2b1f684d0d789de3e266beb56c623dfcc0b40d1192eb4ec370e056860b9f6250"),
    ],
)
def test_students_of_before_are_the_same_forever(name, expected, repository):
    assert model_hash(integer_network(repository / "examples" / "students" / f"{name}.pt")) == expected


def test_a_hostile_value_is_not_printed():
    """A list that holds itself a thousandfold must not be turned into text."""
    nested: list = []
    for _ in range(60):
        nested = [nested, nested]
    with pytest.raises(CheckpointError, match="not a list"):
        student_graph(changed(checkpoint(), "name", nested))


def test_files_are_told_by_their_name(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "student.pt"
    plain = checkpoint()
    torch.save(plain | {"state": {key: torch.from_numpy(value) for key, value in plain["state"].items()}}, path)
    assert import_network(path).name == "tiny"
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="no student checkpoint"):
        import_network(path)
    with pytest.raises(UnsupportedError, match="no known format"):
        import_network(tmp_path / "student.txt")
