"""Fold and integer network: equal on every student, and unequal as soon as anything is changed."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.compiler.errors import TrainingError, UnsupportedError
from snnc.compiler.formats.student import student_graph
from snnc.compiler.ir import IntegrateAndFire, Readout
from snnc.compiler.ir.architecture import parse_architecture
from snnc.compiler.ir.neurons import Encoding, Initial, Reset
from snnc.compiler.passes.normalise import normalised
from snnc.compiler.passes.quantise import quantised
from snnc.distill.checkpoint import student_checkpoint
from snnc.distill.config import DEFAULTS
from snnc.distill.data import Dataset, Split
from snnc.distill.exactness import check_exact, integer_inputs, integer_layers, simulate
from snnc.distill.folding import check_range, fold
from snnc.distill.students import Phase, Student

BLANK = Split(images=np.zeros((1, 1, 2, 3), np.uint8), labels=np.zeros(1, np.int64))
SHAPE = Dataset(name="blank", shape=(1, 2, 3), classes=("a", "b", "c"), train=BLANK, validation=BLANK, test=BLANK)
CONFIG = dataclasses.replace(DEFAULTS["digits"], architecture="6-5-4-3")


def random_student(config, seed=0, *, still=False):
    """A folded student whose every parameter and statistic is random, negative gains included.

    Where it is to be `still`, the first channel of every layer has weights of 0 and the last has no gain.
    """
    torch.manual_seed(seed)
    student = Student(config.student)
    with torch.no_grad():
        for layer in student.populations.values():
            for weight in layer.weights:
                weight.normal_(std=0.5)
            if layer.spiking:
                for constant in layer.constants:
                    constant.normal_()
            if layer.norm is not None:
                layer.norm.weight.normal_(mean=0.5)
                layer.norm.bias.normal_()
                layer.norm.get_buffer("running_mean").normal_()
                layer.norm.get_buffer("running_var").uniform_(0.1, 2)
            if layer.bias is not None:
                layer.bias.normal_()
            if still and layer.norm is not None:
                layer.norm.weight[-1] = 0
                for weight in layer.weights:
                    weight[0] = 0
    student.enter(Phase.QUANTISED)
    student.enter(Phase.FOLDED)
    return student


def random_inputs(config, seed=0, batch=20):
    random = np.random.default_rng(seed)
    shape = parse_architecture(config.architecture).shape
    if config.encoding is Encoding.DIRECT:
        x = random.integers(0, 2**config.input_bits, (batch, *shape))
        return np.broadcast_to(x, (config.time_steps, batch, *shape))
    return random.integers(0, 2, (config.time_steps, batch, *shape))


def check_compiled(checkpoint, layers):
    """The compiler's own reading of section 4, from what is in the file, gives the same integers."""
    file = checkpoint | {"state": {key: value.numpy() for key, value in checkpoint["state"].items()}}
    try:
        compiled = quantised(normalised(student_graph(file)))
    except UnsupportedError:  # a loop beside pixels: there is no common step
        return
    for ours, theirs in zip(compiled.layers, layers, strict=True):
        assert np.array_equal(ours.bias, theirs.bias), ours.name
        assert isinstance(ours.neuron, IntegrateAndFire | Readout)
        assert ours.neuron.leak_shift == theirs.leak, ours.name
        weights = [projection.weight for projection in compiled.into(ours.name)]
        assert all(map(np.array_equal, weights, theirs.weights)), ours.name
        if theirs.threshold is not None:
            assert isinstance(ours.neuron, IntegrateAndFire)
            assert np.array_equal(ours.neuron.threshold, theirs.threshold), ours.name


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**31),
    architecture=st.sampled_from(
        [
            "6-3",
            "6-5-4-3",
            "6-5R-4-3",
            "2x6x6-4c3-3",
            "2x6x6-4c5s2-a3-3",
            "2x6x6-a2-4c3g2-m3-3",
            "1x7x5-4c3s2p0-4r3-5-3",
            "1x8x8-4c3-6r3s2-m2-6r1-a2-5R-3",
            "6-5t3-4Rt2-3",
            "2x6x6-4c1x3s1x2t3-m3x1-a2x1-5-3",
            "2x6x6-a2x3-4c3-4r3d2-6r1x3s2x1d1-a2x1-3",
        ]
    ),
    weight_bits=st.sampled_from(["1", "2", "4,readout=8", "3", "5", "8"]),
    fraction_bits=st.integers(0, 3),
    input_bits=st.integers(1, 8),
    time_steps=st.integers(1, 6),
    encoding=st.sampled_from(Encoding),
    reset=st.sampled_from(Reset),
    initial=st.sampled_from(Initial),
    leak_shift=st.integers(0, 3),
    readout_leak=st.integers(0, 3),
    still=st.booleans(),
)
def test_every_folded_student_equals_its_integer_network(seed, still, **options):
    config = dataclasses.replace(CONFIG, **options)
    student = random_student(config, seed, still=still)
    inputs = random_inputs(config, seed)
    checkpoint = student_checkpoint(student, config, SHAPE)
    checked = check_exact(checkpoint, student.double(), inputs, batch=7)
    layers = integer_layers(checkpoint)
    check_compiled(checkpoint, layers)
    trace = simulate(layers, inputs)
    assert checked.classes.tolist() == trace.classes.tolist()
    assert checked.spikes == sum(spikes.sum() for spikes in trace.spikes.values())
    assert set(trace.spikes) == {layer["name"] for layer in student_checkpoint(student, config, SHAPE)["layers"][:-1]}


@pytest.mark.parametrize("readout_leak", [0, 2])
def test_float32_counts_as_exactly_as_float64(readout_leak):
    student = random_student(dataclasses.replace(CONFIG, readout_leak=readout_leak, fraction_bits=2))
    x = torch.from_numpy(random_inputs(CONFIG)[0].copy())
    single = student(x.float())
    double = copy.deepcopy(student).double()(x.double())
    for name in single.spikes:
        assert torch.equal(single.spikes[name].double(), double.spikes[name])
    assert torch.equal(single.readout.double(), double.readout)


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("dense1.0.weight", lambda v, step: v[0].add_(3 * step[0])),
        ("dense1.threshold", lambda v, step: v.mul_(0.8)),
        ("dense1.norm.offset", lambda v, step: v.add_(0.3)),
        ("dense2.0.weight", lambda v, step: v.neg_()),
        ("readout.bias", lambda v, step: v[0].add_(step[0])),
        ("readout.0.weight", lambda v, step: v.add_(step[0])),
    ],
)
def test_any_mutation_is_found(key, change):
    student = random_student(CONFIG)
    checkpoint = student_checkpoint(student, CONFIG, SHAPE)
    change(checkpoint["state"][key], checkpoint["state"][f"{key.split('.')[0]}.step"])
    with pytest.raises(TrainingError, match="differs from the trained student"):
        check_exact(checkpoint, student.double(), random_inputs(CONFIG, batch=200))


def test_a_readout_that_would_leak_otherwise_is_found():
    config = dataclasses.replace(CONFIG, readout_leak=2)
    student = random_student(config)
    checkpoint = student_checkpoint(student, config, SHAPE)
    for change in ({"leak_shift": 1}, {}):
        checkpoint["layers"][-1]["neuron"] = {"kind": "readout", **change}
        with pytest.raises(TrainingError, match="'readout' of the exported network differs"):
            check_exact(checkpoint, student.double(), random_inputs(config))


@pytest.mark.parametrize(("field", "value"), [("reset", "hard"), ("initial", "zero"), ("leak_shift", 1)])
def test_a_wrong_neuron_is_found(field, value):
    student = random_student(CONFIG)
    checkpoint = student_checkpoint(student, CONFIG, SHAPE)
    checkpoint["layers"][0]["neuron"][field] = value
    with pytest.raises(TrainingError, match="'dense1'"):
        check_exact(checkpoint, student.double(), random_inputs(CONFIG, batch=200))


def test_a_hand_computed_network():
    """Two inputs, one neuron, one class; worked out on paper from the contract."""
    checkpoint = {
        "input": {"encoding": "direct", "bits": 2},
        "time_steps": 3,
        "layers": [
            {
                "name": "a",
                "shape": [1, 1, 1],
                "fraction_bits": 0,
                "neuron": {"kind": "if", "initial": "half"},
                "projections": [{"kind": "dense", "source": "input", "weight_bits": 3, "pool": 1, "delay": 0}],
            },
            {
                "name": "b",
                "shape": [1, 1, 1],
                "fraction_bits": 0,
                "neuron": {"kind": "readout"},
                "projections": [{"kind": "dense", "source": "a", "weight_bits": 3, "pool": 1, "delay": 0}],
            },
        ],
        "state": {
            "a.0.weight": torch.tensor([[1.0, -0.5]]),  # 2, -1 steps of 0.5
            "a.step": torch.tensor([0.5]),
            "a.bias": torch.tensor([0.17]),  # k = 0.5 / 3: 1.02 -> 1
            "a.threshold": torch.tensor([1.0]),  # 6
            "b.0.weight": torch.tensor([[0.75]]),  # 3 steps
            "b.step": torch.tensor([0.25]),
            "b.bias": torch.tensor([-0.25]),  # -1
        },
    }
    images = np.array([[170, 85]], np.uint8).reshape(1, 1, 1, 2)  # 2 bits: 2, 1; current 2*2 - 1 + 1 = 4
    trace = simulate(integer_layers(checkpoint), integer_inputs(checkpoint, images))
    assert trace.spikes["a"].ravel().tolist() == [True, False, True]  # 3+4=7 -> 1, 5, 9 -> 3
    assert trace.logits.tolist() == [[3 - 1 - 1 + 3 - 1]]


def folded(gain, offset=0.0):
    student = random_student(CONFIG)
    layer = student.populations["dense1"]
    with torch.no_grad():
        layer.norm.weight.fill_(gain)
        layer.norm.bias.fill_(offset)
    return student, layer.fold()


@pytest.mark.parametrize(("offset", "bias", "threshold"), [(0.75, 6, 8), (0.4, 4, 10), (-2, 0, 2), (1.5, 2, 2)])
@pytest.mark.parametrize("gain", [0.0, 1e-12, -1e-12])
def test_a_channel_without_gain_is_constant(gain, offset, bias, threshold):
    student, layer = folded(gain, np.nextafter(np.float32(offset), np.float32(9)))  # not below the fraction
    assert layer.weights[0].abs().max() == 0
    assert layer.threshold.tolist() == [threshold] * 5
    assert layer.bias.tolist() == [bias] * 5
    checkpoint = student_checkpoint(student, CONFIG, SHAPE)
    check_exact(checkpoint, student.double(), random_inputs(CONFIG))


def test_a_negative_gain_negates_weights_not_thresholds():
    _, positive = folded(0.7)
    _, negative = folded(-0.7)
    assert torch.equal(positive.weights[0], -negative.weights[0])
    assert torch.equal(positive.threshold, negative.threshold)
    assert (negative.threshold >= 1).all()


def test_the_fold_can_be_trained_through():
    student = random_student(CONFIG)
    x = torch.from_numpy(random_inputs(CONFIG)[0].copy()).float()
    student(x).step_logits.square().mean().backward()
    layer = student.populations["dense2"]
    for parameter in (layer.weights[0], layer.log_step, layer.norm.weight, layer.norm.bias):
        assert torch.isfinite(parameter.grad).all()
        assert parameter.grad.abs().max() > 0


def test_membranes_beyond_exact_floats_are_refused():
    layer = fold(
        weights=[torch.full((1, 1000), 0.7)],
        constants=[],
        step=torch.tensor([0.1]),
        bias=None,
        norm=None,
        threshold=torch.ones(1),
        unit=1 / 255,
        bits=4,
        fraction_bits=0,
    )
    check_range("dense1", layer, largest_input=255, windows=[], time_steps=4)
    with pytest.raises(TrainingError, match=r"'dense1'.*2\^24"):
        check_range("dense1", layer, largest_input=255, windows=[], time_steps=40)
