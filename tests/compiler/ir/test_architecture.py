"""Architecture strings: what they build, and what they refuse."""

import pytest
import torch

from snnc.compiler.errors import OptionError
from snnc.compiler.ir.architecture import ProjectionKind, Role, parse_architecture
from snnc.compiler.ir.neurons import Encoding, Initial, Reset
from snnc.distill.neurons import NeuronSettings, Surrogate
from snnc.distill.students import Phase, Student, StudentConfig


def shapes(text):
    return {population.name: population.shape for population in parse_architecture(text).populations}


def test_numbers_are_a_fully_connected_network():
    architecture = parse_architecture("784-32-10")
    assert shapes("784-32-10") == {"dense1": (32, 1, 1), "readout": (10, 1, 1)}
    assert architecture.shape == (784, 1, 1)
    assert architecture.classes == 10
    assert architecture.weights == 784 * 32 + 32 * 10
    assert not architecture.recurrent


def test_convolutions_keep_their_size_unless_they_stride():
    assert shapes("1x28x28-16c5s2-32c3-8c3s2p0-10") == {
        "conv1": (16, 14, 14),
        "conv2": (32, 14, 14),
        "conv3": (8, 6, 6),
        "readout": (10, 1, 1),
    }
    grouped = parse_architecture("4x8x8-8c3g4-10").populations[0].projections[0]
    assert grouped.weights == (8, 1, 3, 3)


def test_average_pooling_belongs_to_the_next_projection():
    architecture = parse_architecture("1x8x8-4c3-a2-6c3-a4-10")
    conv1, conv3, readout = architecture.populations
    assert [p.projections[0].pool for p in (conv1, conv3, readout)] == [(1, 1), (2, 2), (4, 4)]
    assert conv3.shape == (6, 4, 4)
    assert readout.projections[0].weights == (10, 6)


def test_max_pooling_is_a_population_without_parameters():
    architecture = parse_architecture("1x8x8-4c3-m2-10")
    pooled = architecture.populations[1]
    assert (pooled.role, pooled.shape) == (Role.MAX, (4, 4, 4))
    assert architecture.weights == 4 * 9 + 10 * 64


def test_a_residual_block_adds_its_input_by_the_cheapest_way():
    same = parse_architecture("1x8x8-4c3-4r3-10").populations[2]
    assert [p.kind for p in same.projections] == [ProjectionKind.CONVOLUTION, ProjectionKind.POOLING]
    assert [p.source for p in same.projections] == ["res2a", "conv1"]
    smaller = parse_architecture("1x8x8-4c3-6r3s2-10").populations[2]
    assert [p.weights for p in smaller.projections] == [(6, 6, 3, 3), (6, 4, 1, 1)]
    assert smaller.shape == (6, 4, 4)


def test_an_even_kernel_is_the_first_one_of_a_residual_block():
    first, second = parse_architecture("1x8x8-4c3-6r4s2-10").populations[1:3]
    assert (first.projections[0].weights, first.projections[0].padding) == ((6, 4, 4, 4), (1, 1))
    assert [p.weights for p in second.projections] == [(6, 6, 3, 3), (6, 4, 1, 1)]
    assert first.shape == second.shape == (6, 4, 4)
    with pytest.raises(OptionError, match="an odd kernel, so that it keeps the size, or an even stride"):
        parse_architecture("1x8x8-4c3-6r4-10")
    with pytest.raises(OptionError, match="a map that its stride divides, not 7 x 7"):
        parse_architecture("1x7x7-4c3-6r4s2-10")


def test_kernels_strides_and_windows_may_be_rectangular():
    architecture = parse_architecture("2x6x8-4c1x5s1x2-m3x2-a2x1-6c1p0-10")
    assert [p.shape for p in architecture.populations] == [(4, 6, 4), (4, 2, 2), (6, 1, 2), (10, 1, 1)]
    convolution, pooling, after, _ = (population.projections[0] for population in architecture.populations)
    assert (convolution.weights, convolution.padding, convolution.stride) == ((4, 2, 1, 5), (0, 2), (1, 2))
    assert (pooling.kernel, pooling.stride) == ((3, 2), (3, 2))
    assert (after.pool, after.square) == ((2, 1), False)
    # A window that is not square is spread into the weights, and memory holds them twice.
    assert architecture.weights == 4 * 2 * 5 + 2 * 6 * 4 + 10 * 12


def test_taps_hear_one_source_at_several_delays():
    dense, convolution, recurrent, _ = parse_architecture("2x6x6-4c3t2-5t3-6Rt2-3").populations
    assert [(p.source, p.delay) for p in dense.projections] == [("input", 0), ("input", 1)]
    assert [(p.weights, p.delay) for p in convolution.projections] == [((5, 144), delay) for delay in range(3)]
    assert [(p.source, p.delay) for p in recurrent.projections] == [("dense2", 0), ("dense2", 1), ("rec3", 1)]
    assert (dense.loop, recurrent.loop) == (None, recurrent.projections[-1])
    assert not parse_architecture("6-5t3-2").recurrent


def test_taps_may_be_several_steps_apart():
    dense, convolution, recurrent, _ = parse_architecture("2x6x6-4c3t2x7-5t3x4-6Rt2x5-3").populations
    assert [p.delay for p in dense.projections] == [0, 7]
    assert [p.delay for p in convolution.projections] == [0, 4, 8]
    assert [(p.source, p.delay) for p in recurrent.projections] == [("dense2", 0), ("dense2", 5), ("rec3", 1)]
    assert parse_architecture("6-5t3x1-2").populations == parse_architecture("6-5t3-2").populations


def test_a_skip_may_be_late():
    late = parse_architecture("1x8x8-4c3-4r3d3-6r3s2d1-10").populations
    assert [[p.delay for p in population.projections] for population in late[1:5]] == [[0], [0, 3], [0], [0, 1]]


def test_a_recurrent_layer_hears_itself_a_step_later():
    architecture = parse_architecture("12-5R-3")
    forward, loop = architecture.populations[0].projections
    assert (loop.source, loop.weights, loop.delay) == ("rec1", (5, 5), 1)
    assert forward.delay == 0
    assert architecture.recurrent


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "joined by '-'"),
        ("64", "joined by '-'"),
        ("64-x-10", "'x'.*known are"),
        ("64--10", "known are"),
        ("64-0-10", "sizes are 1 to"),
        ("64-99999999999999999999-10", "sizes are 1 to"),
        ("60000-60000", "3,600,000,000 weights"),
        ("1x9999x9999-10", "'1x9999x9999'"),
        ("1x0x8-10", "'1x0x8'"),
        ("1x8x8-4c3", "number of classes"),
        ("1x8x8-4c9p0-10", "larger than its 8 x 8 input"),
        ("1x8x8-4c3s0-10", "at least 1"),
        ("3x8x8-4c3g2-10", "2 groups do not divide 3"),
        ("1x7x7-4c3-a2-10", "2 does not divide the 7 x 7 map"),
        ("1x8x8-4c3-a2-a2-10", "product"),
        ("1x8x8-4c3-a2-4r3-10", "in front of a convolution"),
        ("1x8x8-4r3-10", "a layer has to come before"),
        ("1x8x8-m2-10", "a layer has to come before"),
        ("1x8x8-4c3-4r2-10", "odd"),
        ("1x8x8-4c3-4r3x2-10", "odd"),
        ("1x8x8-4c3-4r3d5000-10", "at most 4,096 steps"),
        ("6-5t1-3", "2 to 64 temporal taps"),
        ("6-5t65-3", "2 to 64 temporal taps"),
        ("6-5Rt64-3", "2 to 63 temporal taps"),
        ("6-5t3R-3", "known are"),
        ("6-5t3x0-3", "at least 1 step apart"),
        ("6-5t3x2049-3", "the last delay is 4,096"),
        ("1x8x8-4c3-m1x1-10", "2 wide or 2 high"),
        ("1x8x8-4c3-m1x3-10", "1x3 does not divide the 8 x 8 map"),
        ("1x8x8-4c1x9p0-10", "larger than its 8 x 8 input"),
        ("1x8x8-4c3s1x0-10", "at least 1"),
        ("1x8x8-4c3p1x3-10", "smaller than the kernel"),
        ("1x2000x2000-65536c1-10", "neurons, more than"),
    ],
)
def test_what_cannot_be_built_is_refused_by_its_token(text, message):
    with pytest.raises(OptionError, match=message):
        parse_architecture(text)


@pytest.mark.parametrize(
    "text", ["6-5-3", "2x8x8-4c3-a2-6c3g2-m2-6r3-8r3s2-5R-3", "2x8x8-4c1x3t2-a2x1-4c3-6r3d1-5Rt2-3"]
)
@pytest.mark.parametrize("phase", Phase)
def test_every_phase_runs_and_learns(text, phase):
    torch.manual_seed(0)
    architecture = parse_architecture(text)
    neuron = NeuronSettings(reset=Reset.SOFT, initial=Initial.HALF, surrogate=Surrogate.ATAN)
    student = Student(
        StudentConfig(
            architecture=architecture,
            time_steps=3,
            encoding=Encoding.DIRECT,
            input_bits=4,
            weight_bits={},
            fraction_bits=1,
            neuron=neuron,
        )
    )
    x = torch.randint(0, 16, (7, *architecture.shape)).float()
    for _ in range(30):  # without statistics of its own inputs, a folded layer may be silent
        student(x)
    student.enter(phase)
    outputs = student(x)
    assert outputs.readout.shape == (1 if phase.timeless else 3, 7, 3)
    assert list(outputs.spikes) == [population.name for population in architecture.hidden]
    assert outputs.classes.shape == (7,)
    outputs.step_logits.square().mean().backward()
    weights = [p for layer in student.populations.values() for p in layer.weights]
    learning = [p.grad is not None and bool(p.grad.abs().max() > 0) for p in weights]
    # A twin has no time, so its recurrent weights have no part in it.
    assert learning == [not (phase.timeless and p.shape == (5, 5)) for p in weights]


def test_a_network_of_one_step_is_its_twin():
    """T = 1 from half the threshold: an IF neuron fires exactly where its twin's activation is 1."""
    torch.manual_seed(0)
    architecture = parse_architecture("1x8x8-4c3-a2-6c3-m2-6r3-3")
    neuron = NeuronSettings(reset=Reset.SOFT, initial=Initial.HALF, surrogate=Surrogate.ATAN)
    student = Student(
        StudentConfig(
            architecture=architecture,
            time_steps=1,
            encoding=Encoding.DIRECT,
            input_bits=4,
            weight_bits={},
            fraction_bits=0,
            neuron=neuron,
        )
    ).double()
    for layer in student.populations.values():
        if layer.norm is not None:
            torch.nn.init.normal_(layer.norm.bias)
    student.eval()
    x = torch.randint(0, 16, (9, 1, 8, 8)).double()
    student.enter(Phase.TWIN)
    twin = student(x)
    student.enter(Phase.FLOAT)
    spiking = student(x)
    for name, spikes in spiking.spikes.items():
        assert torch.equal(spikes, twin.spikes[name])
    torch.testing.assert_close(spiking.step_logits, twin.step_logits)
