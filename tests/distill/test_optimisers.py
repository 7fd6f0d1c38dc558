"""Which parameters decay, and at what share of the learning rate they learn."""

import pytest

from snnc.compiler.ir.architecture import parse_architecture
from snnc.compiler.ir.neurons import Encoding, Initial, Reset
from snnc.distill.neurons import NeuronSettings, Surrogate
from snnc.distill.optimisers import SHARE, Optimiser, build_optimiser
from snnc.distill.students import Student, StudentConfig


def student(architecture):
    return Student(
        StudentConfig(
            architecture=parse_architecture(architecture),
            time_steps=4,
            encoding=Encoding.EVENTS,
            input_bits=1,
            weight_bits={},
            fraction_bits=0,
            neuron=NeuronSettings(reset=Reset.SOFT, initial=Initial.HALF, surrogate=Surrogate.ATAN),
        )
    )


@pytest.mark.parametrize("kind", Optimiser)
def test_loops_learn_slowly_and_every_parameter_is_in_one_group(kind):
    model = student("6-5Rt2-4R-3")
    groups = build_optimiser(kind, model, learning_rate=0.1, weight_decay=0.01).param_groups
    assert [(group["weight_decay"], group[SHARE]) for group in groups] == [(0.01, 1.0), (0.0, 1.0), (0.01, 0.1)]
    assert [tuple(p.shape) for p in groups[2]["params"]] == [(5, 5), (4, 4)]
    assert not any(p.any() for p in groups[2]["params"])  # a recurrent layer starts silent
    assert sorted(id(p) for group in groups for p in group["params"]) == sorted(map(id, model.parameters()))


def test_a_network_without_loops_has_no_group_for_them():
    assert (
        len(build_optimiser(Optimiser.ADAMW, student("6-5-3"), learning_rate=0.1, weight_decay=0.0).param_groups) == 2
    )
