"""Plans as files: there and back, and whatever else stands in one is refused by the name of the field."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnc.compiler.design import Engines
from snnc.compiler.errors import BuildError
from snnc.compiler.ir import Encoding
from snnc.compiler.plan import plan_from_json, plan_to_json
from tests.compiler.networks import random_design
from tests.networks import Conv, Full, Pool, compile_graph, spatial_chain

_LAYERS: list[Conv | Full | Pool] = [Conv(channels=6), Full(shape=(9, 1, 1), pool=2), Full(shape=(4, 1, 1))]

PLANS = [
    random_design((12, 6, 3)).complete_plan,
    random_design((30, 20, 5), encoding=Encoding.DIRECT).complete_plan,
    compile_graph(spatial_chain((2, 6, 6), _LAYERS)).complete_plan,
    compile_graph(
        spatial_chain((2, 6, 6), _LAYERS, encoding=Encoding.DIRECT), target="ecp5", device="25k"
    ).complete_plan,
    compile_graph(
        spatial_chain((1, 6, 6), [Conv(channels=6), Full(shape=(4, 1, 1))], encoding=Encoding.DIRECT),
        target="ice40",
        device="up5k",
        engines=Engines.GATHER,
    ).complete_plan,
]
"""With convolutions, dense layers behind pooling, digits, an image, and one whose pixels are marked and multiplied."""

PLAIN: list[Any] = [json.loads(plan_to_json(plan)) for plan in PLANS]


def fields(value: Any, at: str = "") -> Iterator[tuple[str, Any, str | int]]:
    """Every field and list entry below: its path, what it is in, and its key there."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        path = f"{at}[{key}]" if isinstance(key, int) else f"{at}.{key}" if at else key
        yield path, value, key
        yield from fields(inner, path)


def refused(plain: Any) -> str:
    with pytest.raises(BuildError) as caught:
        plan_from_json(json.dumps(plain))
    return str(caught.value)


def changed(number: int, path: str, change: Callable[[Any, Any], None]) -> Any:
    """A plan of `PLAIN`, changed at a path."""
    plain = copy.deepcopy(PLAIN[number])
    _, inside, key = next(field for field in fields(plain) if field[0] == path)
    change(inside, key)
    return plain


@pytest.mark.parametrize("plan", PLANS, ids=range(len(PLANS)))
def test_there_and_back(plan):
    assert plan_from_json(plan_to_json(plan)) == plan


@given(st.data())
def test_a_field_that_is_missing(data):
    plain = copy.deepcopy(data.draw(st.sampled_from(PLAIN)))
    named = [field for field in fields(plain) if isinstance(field[2], str)]
    path, inside, key = data.draw(st.sampled_from(named))
    del inside[key]
    assert path in refused(plain)


@given(st.data())
def test_a_field_that_is_unknown(data):
    plain = copy.deepcopy(data.draw(st.sampled_from(PLAIN)))
    path, inside, key = data.draw(st.sampled_from([field for field in fields(plain) if isinstance(field[2], str)]))
    inside["colour"] = 1
    assert f"'{path[: -len(key)]}colour' is unknown" in refused(plain)


_WRONG: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 1.5, "much", [], [1], {}, {"a": 1}, "x" * 100, 1e400, [[[]]]]
)


@given(st.data())
def test_a_field_of_the_wrong_kind(data):
    plain = copy.deepcopy(data.draw(st.sampled_from(PLAIN)))
    path, inside, key = data.draw(st.sampled_from(list(fields(plain))))
    before, inside[key] = inside[key], data.draw(_WRONG)
    if isinstance(inside[key], type(before)) or before is None or inside[key] is None:
        # Another text, list or object may be right in itself, and None where something may be absent.
        with contextlib.suppress(BuildError):
            plan_from_json(json.dumps(plain))
    else:
        assert path in refused(plain)


@given(st.data())
def test_a_number_below_its_least(data):
    plain = copy.deepcopy(data.draw(st.sampled_from(PLAIN)))
    numbers = [
        field for field in fields(plain) if type(field[1][field[2]]) is int and field[2] not in ("low", "high", "shape")
    ]
    path, inside, key = data.draw(st.sampled_from(numbers))
    inside[key] = data.draw(st.integers(max_value=-1))
    assert "The plan's field '" in (sentence := refused(plain))
    assert path.rsplit(".", 1)[0].split("[")[0] in sentence


@given(st.data())
def test_a_list_of_another_length(data):
    """Pairs and shapes; what may have any length must fit the rest."""
    plain = copy.deepcopy(data.draw(st.sampled_from(PLAIN)))
    path, inside, key = data.draw(st.sampled_from([f for f in fields(plain) if isinstance(f[1][f[2]], list)]))
    inside[key] = data.draw(st.sampled_from([inside[key][:-1], inside[key] * 2]))
    assert path.split("[")[0].split(".")[0] in refused(plain)


@pytest.mark.parametrize(
    ("number", "path", "value", "sentence"),
    [
        (0, "engines[0].constants.depth", -2, "is -2; 1 is the least"),
        (0, "engines[0].constants.bank_depth", 7, "is 7, more than the 1 words of the memory"),
        (0, "engines[0].membrane.width", 3, "is 3, not "),
        (0, "engines[0].column_banks", 3, "is 3, no power of two"),
        (0, "engines[0].layout.lanes", 0, "is 0; 1 is the least"),
        (
            0,
            "engines[0].kind.kind",
            "analog",
            "is \"analog\"; it must be one of 'image', 'pixel_list', 'gather', 'scatter'",
        ),
        (0, "engines[0].kind", {"kind": "image"}, "engines[0].kind.value_bits' is missing"),
        (0, "engines[0].projections[0].walk.kind", None, "is null; it must be one of 'dense', 'image', 'convolution'"),
        (0, "engines[0].passes", ["leak"], "are not those of the population's reset, floor and leak"),
        (0, "engines[0].constant_fields", ["fired"], "are not those that the passes read"),
        (0, "engines[0].membrane_pass", 1, "is 1, but there are 1 passes"),
        (0, "engines[1].projections[0].source", "nobody", "is 'nobody', which no population is called"),
        (0, "engines[1].projections[0].source_layout", None, "is null, not an object"),
        (0, "engines[1].population.name", "hidden0", "is 'hidden0', as another population's"),
        (0, "engines[0].passes", [], "is empty, or has one of them twice"),
        (0, "engines[0].projections[0].queue.latency", 0, "is 0; 1 is the least"),
        (0, "time_steps", True, "is true, not a whole number"),
        (2, "engines[0].projections[0].walk.kernel.stride", [1], "has 1 entries; it must have 2"),
        (2, "engines[0].projections[0].walk.kernel.stride[1]", 0, "is 0; 1 is the least"),
        (3, "engines[0].kind.pixels.width", 9, "is 9, but a word of the image has 8 bits"),
        (4, "engines[0].kind.marks.width", 5, "is 5, but a row of the image has 6 pixels"),
        (4, "engines[0].kind.summed", 7, "is 7, but there are 6 lanes"),
        (4, "engines[0].kind.lanes_each", 3, "is 3; a multiplier takes 1 or 2 lanes"),
    ],
)
def test_the_sentence_names_the_field(number, path, value, sentence):
    plain = changed(number, path, lambda inside, key: inside.__setitem__(key, value))
    found = refused(plain)
    assert sentence in found
    assert path.split(".")[-1].split("[")[0] in found
    assert found.endswith("Compile the network again.")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"multiplies": False}, "'engines[0].kind.summed' is 6, but weights are not multiplied"),
        (
            {"current_bits": 17},
            "'engines[0].kind.summed' is 6, but weights, values or sums are wider than a multiplier",
        ),
        (
            {"marks": None, "marks_registered": True},
            "'engines[0].kind.marks_registered' is true, but there are no marks",
        ),
    ],
)
def test_what_an_image_engine_has_fits_together(changes, sentence):
    plain = copy.deepcopy(PLAIN[4])
    plain["engines"][0]["kind"] |= changes
    assert sentence in refused(plain)


def test_two_memories_of_one_name():
    name = PLAIN[0]["engines"][0]["constants"]["name"]
    plain = changed(0, "engines[1].constants.name", lambda inside, key: inside.__setitem__(key, name))
    assert f"'engines[1]' has a second memory '{name}'" in refused(plain)


def test_a_source_that_lies_otherwise():
    plain = changed(0, "engines[1].projections[0].source_layout.lanes", lambda inside, key: inside.__setitem__(key, 5))
    assert "'engines[1].projections[0].source_layout' is not that of 'hidden0'" in refused(plain)


def test_an_engine_behind_the_readout():
    plain = copy.deepcopy(PLAIN[0])
    plain["engines"].reverse()
    assert "'engines[0].population.reset' is null, but this is not the last engine" in refused(plain)


@pytest.mark.parametrize("field", ["plan_version", "semantics_version", "timing_version"])
@pytest.mark.parametrize("value", [4, "0.1", None, []])
def test_another_version(field, value):
    plain = changed(0, field, lambda inside, key: inside.__setitem__(key, value))
    assert f"The plan's {field} must be '" in refused(plain)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '"plan"', "[" * 100_000])
def test_what_is_no_plan(text):
    with pytest.raises(BuildError, match="is no JSON"):
        plan_from_json(text)
