"""The plan as JSON, there and back; what comes back is checked field by field, as anybody may have written the file."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any, NoReturn

from snnc.compiler.contract import SEMANTICS_VERSION, TIMING_VERSION
from snnc.compiler.errors import BuildError
from snnc.compiler.plan.kinds import EngineKind
from snnc.compiler.plan.network import PLAN_VERSION, Plan
from snnc.compiler.plan.walks import Walk

__all__ = ["plan_from_json", "plan_to_json"]

_AGAIN = "Compile the network again."

_WORDS = {int: "a whole number", str: "a text", bool: "true or false"}
"""What a JSON value of each type is called."""


def plan_to_json(plan: Plan) -> str:
    """Readable JSON; `plan_from_json` is its inverse."""
    return json.dumps(_to_plain(plan), indent=2) + "\n"


def plan_from_json(text: str) -> Plan:
    """Parse and check a saved plan.

    Raises
    ------
    BuildError
        It is no plan, one of another version, or one with a field that is missing, unknown, of the wrong kind or out of
        its bounds: the sentence names the field by its path, such as ``engines[0].constants.depth``.
    """
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError):
        raise BuildError(f"The plan is no JSON. {_AGAIN}") from None
    if not isinstance(plain, dict):
        raise BuildError(f"The plan is no JSON object. {_AGAIN}")
    for field, known in (
        ("plan_version", PLAN_VERSION),
        ("semantics_version", SEMANTICS_VERSION),
        ("timing_version", TIMING_VERSION),
    ):
        if plain.get(field) != known:
            found = "has none" if field not in plain else f"has {_shown(plain[field])}"
            raise BuildError(f"The plan's {field} must be '{known}', but it {found}. {_AGAIN}")
    plan: Plan = _record(Plan, plain, "")
    return plan


def _to_plain(value: Any) -> Any:
    if isinstance(value, Walk | EngineKind):
        return {"kind": value.kind, **_fields(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _fields(value)
    if isinstance(value, tuple):
        return [_to_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: _to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}


def _refuse(at: str, sentence: str) -> NoReturn:
    where = f"The plan's field '{at}'" if at else "The plan"
    raise BuildError(f"{where} {sentence}. {_AGAIN}")


def _record(kind: Any, plain: Any, at: str) -> Any:
    """A record of the dataclass `kind`, whose path in the plan is `at`."""
    if not isinstance(plain, dict):
        _refuse(at, f"is {_shown(plain)}, not an object")
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]
    for name in names:
        if name not in plain:
            _refuse(_inside(at, name), "is missing")
    for name in plain:
        if name not in names:
            _refuse(_inside(at, name), "is unknown")
    record = kind(**{name: _value(hints[name], plain[name], _inside(at, name)) for name in names})
    if fault := next(record.faults(), None):
        _refuse(_inside(at, fault.field), fault.sentence)
    return record


def _value(hint: Any, value: Any, at: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:  # of one type and None
        return None if value is None else _value(arguments[0], value, at)
    if origin is tuple:
        if not isinstance(value, list):
            _refuse(at, f"is {_shown(value)}, not a list")
        if arguments[-1] is Ellipsis:
            arguments = (arguments[0],) * len(value)
        if len(value) != len(arguments):
            _refuse(at, f"has {len(value)} entries; it must have {len(arguments)}")
        return tuple(_value(of, item, f"{at}[{k}]") for k, (of, item) in enumerate(zip(arguments, value, strict=True)))
    if hint in (Walk, EngineKind):
        return _of_kind(hint, value, at)
    if dataclasses.is_dataclass(hint):
        return _record(hint, value, at)
    if issubclass(hint, Enum):
        return hint(_one_of([member.value for member in hint], value, at))
    # A bool is an int to Python.
    if type(value) is not hint:
        _refuse(at, f"is {_shown(value)}, not {_WORDS[hint]}")
    return value


def _of_kind(base: Any, plain: Any, at: str) -> Any:
    """The record of a walk or of an engine's kind, of the kind that it names."""
    # The kinds' own records are built of the rooms of this package.
    from snnc.rtl.engines import ENGINES
    from snnc.rtl.walkers import WALKERS

    table: Mapping[str, Any] = WALKERS if base is Walk else ENGINES

    if not isinstance(plain, dict):
        _refuse(at, f"is {_shown(plain)}, not an object")
    rest = dict(plain)
    kind = _one_of(table, rest.pop("kind", None), _inside(at, "kind"))
    return _record(table[kind], rest, at)


def _one_of(known: Collection[str], value: Any, at: str) -> str:
    if not isinstance(value, str) or value not in known:
        _refuse(at, f"is {_shown(value)}; it must be one of {', '.join(map(repr, known))}")
    return value


def _inside(at: str, name: str) -> str:
    return f"{at}.{name}" if at and name else at or name


def _shown(value: Any) -> str:
    """A JSON value in an error, short."""
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
