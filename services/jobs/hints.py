"""What might have been meant where a configuration is wrong: the choices there are, the nearest name. Pure.

Knows msgspec's types; that something is wrong, and where, has been found before.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from msgspec import inspect

from services.errors import Fault


def with_hint(fault: Fault, kind: type, plain: Any) -> Fault:
    """The fault, its detail ending in a hint where there is one. `plain` is what was to become a `kind`."""
    *parents, last = [_unescaped(step) for step in fault.pointer.split("/")[1:]] or [""]
    place = _within(inspect.type_info(kind), plain, parents)
    hint = _choices(place, last) if "nvalid" in fault.detail else _nearest(place, last)
    return Fault(fault.pointer, f"{fault.detail}; {hint}") if hint else fault


def _within(info: inspect.Type, plain: Any, steps: Iterable[str]) -> inspect.Type | None:
    """The type at the end of the steps; of a union, the one that the tag in `plain` names."""
    found: inspect.Type | None = _chosen(info, plain)
    for step in steps:
        plain = plain.get(step) if isinstance(plain, Mapping) else None
        found = _chosen(_field(found, step), plain)
    return found


def _chosen(info: inspect.Type | None, plain: Any) -> inspect.Type | None:
    if isinstance(info, inspect.UnionType) and isinstance(plain, Mapping):
        for member in info.types:
            if isinstance(member, inspect.StructType) and plain.get(member.tag_field) == member.tag:
                return member
    return info


def _field(info: inspect.Type | None, name: str) -> inspect.Type | None:
    if isinstance(info, inspect.StructType):
        return next((field.type for field in info.fields if field.encode_name == name), None)
    return getattr(info, "item_type", None)


def _choices(place: inspect.Type | None, name: str) -> str:
    """`one of a, b` for a value that has to be one of some."""
    options: Iterable[Any] = ()
    if isinstance(place, inspect.UnionType):
        options = [member.tag for member in place.types if isinstance(member, inspect.StructType)]
    else:
        field = _field(place, name)
        if isinstance(field, inspect.LiteralType):
            options = field.values
    return f"it is one of {', '.join(sorted(map(str, options)))}" if options else ""


def _nearest(place: inspect.Type | None, name: str) -> str:
    """`did you mean x?` for a name that is not known, or the names that are."""
    if not isinstance(place, inspect.StructType):
        return ""
    names = [field.encode_name for field in place.fields]
    if name in names:
        return ""
    close = get_close_matches(name, names, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"there are {', '.join(names)}" if names else ""


def _unescaped(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")
