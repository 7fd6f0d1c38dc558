"""Payloads with typed fields: a wrong field's name is an error of types, not of elaboration.

Amaranth's own `View` finds a field by any name, and its stubs must allow every name. A `Fields` class lists the names
that a payload has, a `Payload` is a layout whose signals are of such a class, and a `Stream` carries one.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast

from amaranth.hdl import ShapeLike, Signal, Value, ValueLike
from amaranth.lib import data, stream

__all__ = ["Fields", "Payload", "Stream"]


class Fields(data.View):
    """Base of the classes that list a payload's fields, each annotated with the kind of its value."""

    if TYPE_CHECKING:
        # In the place of the method that takes any name: what is not annotated is not there.
        __getattr__: None  # type: ignore[assignment, misc]


_FieldsT = TypeVar("_FieldsT", bound=Fields)
_FieldsT_co = TypeVar("_FieldsT_co", bound=Fields, covariant=True)


class Payload(data.StructLayout, Generic[_FieldsT]):
    """A layout that is viewed through `fields`, whose annotations name its members."""

    def __init__(self, fields: type[_FieldsT], members: Mapping[str, ShapeLike]) -> None:
        super().__init__(members)
        self._fields_class = fields

    def __call__(self, target: ValueLike) -> _FieldsT:
        return self._fields_class(self, target)

    def signal(self, *, name: str, reset_less: bool = False) -> _FieldsT:
        """A new signal of this layout."""
        # Such a signal is a view already: the stubs say so in a metaclass, which mypy does not follow.
        return cast(_FieldsT, Signal(self, name=name, reset_less=reset_less))


class Stream(Protocol[_FieldsT_co]):
    """An interface of `amaranth.lib.stream` with a payload of typed fields."""

    @property
    def signature(self) -> stream.Signature: ...

    @property
    def payload(self) -> _FieldsT_co: ...

    @property
    def valid(self) -> Value: ...

    @property
    def ready(self) -> Value: ...
