"""A pickle reader that cannot run code: a small stack machine over the opcodes that `torch.save` writes.

Python's own unpickler calls what a file names and sizes its memo by what a file claims. This one knows plain values,
one way to name a tensor, and nothing else; whatever it meets beyond that is refused by name. Time and memory are
proportional to the length of the text.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from snnc.compiler.errors import CheckpointError

__all__ = ["Name", "UnknownNameError", "UnknownOpcodeError", "load_plain"]

INTEGER_LIMIT: Final = 2**63
"""Integers at or beyond it are refused: nothing in a checkpoint needs them, and formatting one can be made slow."""


@dataclass(frozen=True, slots=True)
class Name:
    """Something that the pickle refers to by module and name; it is never imported."""

    text: str


class UnknownNameError(CheckpointError):
    """The pickle refers to a class or function outside the short list."""


class UnknownOpcodeError(CheckpointError):
    """The pickle does something that no checkpoint needs."""


class _Mark:
    """Where the items of a tuple, list or dict under construction begin."""


_MARK: Final = _Mark()

_CONSTANTS: Final[Mapping[str, Callable[[], object]]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}

_VALUES: Final = frozenset({"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE"})

_TUPLES: Final = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def load_plain(
    text: bytes,
    *,
    names: frozenset[str],
    call: Callable[[str, tuple[object, ...]], object],
    persistent: Callable[[object], object],
) -> object:
    """The value that the pickle `text` describes.

    Parameters
    ----------
    names
        ``"module name"`` of everything that may be referred to.
    call
        Gives the result of calling such a name with arguments; must check them.
    persistent
        Gives the object behind a persistent id; must check it.

    Raises
    ------
    UnknownNameError, UnknownOpcodeError
        The pickle asks for more than plain values; the message is a noun phrase that names the thing.
    ValueError
        The pickle is damaged.
    """
    machine = _Machine(names, call, persistent)
    try:
        for opcode, argument, _ in pickletools.genops(text):
            if opcode.name == "STOP":
                return machine.result()
            machine.step(opcode.name, argument)
    except (IndexError, KeyError, TypeError, UnicodeError) as error:
        raise ValueError(f"damaged pickle: {error}") from None
    raise ValueError("the pickle has no end")


class _Machine:
    def __init__(
        self,
        names: frozenset[str],
        call: Callable[[str, tuple[object, ...]], object],
        persistent: Callable[[object], object],
    ) -> None:
        self._names = names
        self._call = call
        self._persistent = persistent
        self._stack: list[object] = []
        self._memo: dict[int, object] = {}

    def result(self) -> object:
        if len(self._stack) != 1 or self._stack[0] is _MARK:
            raise ValueError("the pickle does not hold one value")
        return self._stack[0]

    def step(self, opcode: str, argument: object) -> None:
        stack = self._stack
        match opcode:
            case "PROTO":
                pass
            case _ if opcode in _CONSTANTS:
                stack.append(_CONSTANTS[opcode]())
            case _ if opcode in _VALUES:
                if isinstance(argument, int) and abs(argument) >= INTEGER_LIMIT:
                    raise UnknownOpcodeError("an integer of more than 64 bits")
                stack.append(argument)
            case "MARK":
                stack.append(_MARK)
            case "BINPUT" | "LONG_BINPUT":
                assert isinstance(argument, int)
                self._memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                assert isinstance(argument, int)
                stack.append(self._memo[argument])
            case "TUPLE":
                items = self._since_mark()
                stack.append(tuple(items))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                items = [self._pop() for _ in range(_TUPLES[opcode])]
                stack.append(tuple(reversed(items)))
            case "APPEND":
                item = self._pop()
                self._top(list).append(item)
            case "APPENDS":
                items = self._since_mark()
                self._top(list).extend(items)
            case "SETITEM":
                value, key = self._pop(), self._pop()
                self._set([key, value])
            case "SETITEMS":
                self._set(self._since_mark())
            case "GLOBAL":
                if argument not in self._names:
                    raise UnknownNameError(f"a reference to '{'.'.join(str(argument).split()[:8])[:80]}'")
                stack.append(Name(str(argument)))
            case "BINPERSID":
                stack.append(self._persistent(self._pop()))
            case "REDUCE":
                arguments, function = self._pop(), self._pop()
                if not isinstance(function, Name) or not isinstance(arguments, tuple):
                    raise ValueError("a call of something that is no function")
                stack.append(self._call(function.text, arguments))
            case "BUILD":
                # torch hangs the version numbers of modules on a state dict; nothing here reads them.
                self._pop()
                self._top(dict)
            case _:
                raise UnknownOpcodeError(f"the pickle operation {opcode}")

    def _pop(self) -> object:
        value = self._stack.pop()
        if value is _MARK:
            raise ValueError("a value is missing")
        return value

    def _top(self, kind: type) -> list[object]:
        value = self._stack[-1]
        if type(value) is not kind:
            raise ValueError(f"no {kind.__name__} where one is filled")
        return value  # type: ignore[return-value]  # the callers of dict use `_set`

    def _since_mark(self) -> list[object]:
        items: list[object] = []
        while (item := self._stack.pop()) is not _MARK:
            items.append(item)
        items.reverse()
        return items

    def _set(self, items: list[object]) -> None:
        target = self._stack[-1]
        if type(target) is not dict or len(items) % 2:
            raise ValueError("no dict where one is filled")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Only these: the hash of a deeply nested tuple would exhaust the C stack.
            if not isinstance(key, str | int):
                raise UnknownOpcodeError(f"a dict key of type {type(key).__name__}")
            target[key] = value
