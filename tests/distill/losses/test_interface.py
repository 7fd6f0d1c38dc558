"""Options of a method: read from a command line, filled with defaults, refused by name."""

import dataclasses
import math

import pytest

from snnc.compiler.errors import OptionError
from snnc.distill.losses import METHODS
from snnc.distill.losses.interface import Choice, LossSettings, Option, parse_options, resolve

METHOD = dataclasses.replace(
    METHODS["cross-entropy"],
    options={
        "weight": Option(default=0.5, low=0, high=2, meaning="weight"),
        "steps": Option(default=3, low=1, high=8, meaning="steps", whole=True),
        "form": Choice(choices=("soft", "l2"), meaning="form"),
    },
)


def test_defaults_fill_what_is_not_given():
    assert resolve(METHOD, {}) == {"weight": 0.5, "steps": 3, "form": "soft"}
    assert resolve(METHOD, {"form": "l2", "steps": 8}) == {"weight": 0.5, "steps": 8, "form": "l2"}


@pytest.mark.parametrize(
    ("text", "value"), [("weight=2", 2.0), ("weight=1e-3", 0.001), ("steps=4", 4), ("steps=4.0", 4), ("form=l2", "l2")]
)
def test_a_command_line_gives_options_as_name_and_value(text, value):
    name = text.split("=")[0]
    resolved = resolve(METHOD, parse_options([text]))[name]
    assert resolved == value
    assert type(resolved) is type(value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"weigth": 1}, r"This loss has no option 'weigth'; it has weight, steps, form\."),
        ({"weight": -0.1}, r"The loss's option 'weight' must be 0 to 2, not -0\.1\."),
        ({"weight": "2.1"}, r"must be 0 to 2, not 2\.1\."),
        ({"weight": math.nan}, r"must be 0 to 2, not nan\."),
        ({"weight": "much"}, r"must be 0 to 2, not much\."),
        ({"steps": 2.5}, r"'steps' must be a whole number, 1 to 8, not 2\.5\."),
        ({"steps": math.inf}, r"must be a whole number, 1 to 8, not inf\."),
        ({"form": "hard"}, r"'form' must be one of soft, l2, not hard\."),
        ({"form": 1}, r"must be one of soft, l2, not 1\."),
    ],
)
def test_what_cannot_be_is_refused_by_name(given, message):
    with pytest.raises(OptionError, match=message):
        resolve(METHOD, given)


def test_a_method_without_options_refuses_all():
    with pytest.raises(OptionError, match=r"This loss has no options of its own, so 'weight' cannot be set\."):
        resolve(METHODS["cross-entropy"], {"weight": 1})


@pytest.mark.parametrize("text", ["weight", "=1", "weight=", ""])
def test_an_assignment_has_a_name_and_a_value(text):
    with pytest.raises(OptionError, match=r"written name=value, not "):
        parse_options([text])


def test_an_option_is_given_once():
    with pytest.raises(OptionError, match=r"'weight' is given twice, as '1' and as '2'"):
        parse_options(["weight=1", "weight=2"])


def test_settings_read_numbers_and_words():
    settings = LossSettings(temperature=1, alpha=0, options=resolve(METHOD, {}))
    assert settings.number("weight") == 0.5
    assert settings.word("form") == "soft"
