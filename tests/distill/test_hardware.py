"""A student is held against its chip before it is trained."""

import dataclasses
import re

import pytest

from snnc.compiler.design import Options
from snnc.compiler.errors import FitError, OptionError, UnsupportedError
from snnc.compiler.pipeline import compile_network
from snnc.compiler.targets import find_device
from snnc.distill.config import DEFAULTS
from snnc.distill.data import load
from snnc.distill.hardware import check_fit, named_device
from snnc.distill.options import OPTIONS


def configured(**changes):
    return dataclasses.replace(DEFAULTS["digits"], **changes)


def test_what_it_says_is_what_the_trained_student_takes(repository):
    said = check_fit(configured(), load("digits"), named_device("up5k"))
    student = repository / "examples" / "students" / "digits-64-32-10-int4.pt"
    plan = compile_network(student, find_device("ice40"), Options()).complete_plan
    assert said.startswith(f"64-32-10 fits up5k: {plan.blocks} of 30 EBR, about ")


def test_a_student_that_is_too_large_is_refused_with_options_that_distill_has():
    with pytest.raises(FitError, match=r"--fit: nothing was trained.*EBR") as refused:
        check_fit(configured(architecture="64-5000-10"), load("digits"), named_device("up5k"))
    advised = set(re.findall(r"--[a-z-]+", str(refused.value)))
    assert "--architecture" in advised
    assert advised <= {name for option in OPTIONS for name in option.opts}


@pytest.mark.parametrize("architecture", ["1x8x8-4c3-8c3s2-10", "1x8x8-4c3-4r3-10", "1x8x8-a2-4c3-10"])
def test_convolutions_and_residual_blocks_are_placed(architecture):
    said = check_fit(configured(architecture=architecture), load("digits"), named_device("up5k"))
    assert said.startswith(f"{architecture} fits up5k: ")


def test_a_layer_without_hardware_is_refused_by_name():
    with pytest.raises(UnsupportedError, match=r"--fit.*do not join the direct input with spikes"):
        check_fit(configured(architecture="64-32R-10"), load("digits"), named_device("up5k"))


def test_a_layer_that_is_not_built_is_refused_with_options_that_distill_has():
    with pytest.raises(UnsupportedError, match=r"^--fit.*hears pixels with a delay") as refused:
        check_fit(configured(architecture="64-32t3-10"), load("digits"), named_device("up5k"))
    advised = set(re.findall(r"--[a-z-]+", str(refused.value)))
    assert advised <= {name for option in OPTIONS for name in option.opts}


def test_an_unknown_chip_is_refused_with_those_that_are_known():
    with pytest.raises(OptionError, match=r"'up6k'; known are.*up5k"):
        named_device("up6k")
