"""How models, versions and aliases are called, and how a reference to one is written."""

import re
from typing import NamedTuple

from services.errors import Invalid, NotFound

CHAMPION = "champion"
"""The alias that a bare model name stands for, where it is set."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MAX_VERSION = 2**31 - 1
_RULE = "1 to 128 letters, digits, '.', '_' or '-', the first a letter or digit"


class Reference(NamedTuple):
    """`name`, `name@alias` or `name@3`; at most one of alias and version is set."""

    model: str
    alias: str | None = None
    version: int | None = None


def check_model_name(name: str, pointer: str = "/model") -> None:
    """Raise Invalid, with a fault at `pointer`, unless a model may be called this."""
    if not _NAME.fullmatch(name):
        raise Invalid.at(pointer, f"a model's name is {_RULE}")


def check_alias(alias: str, pointer: str = "/alias") -> None:
    """Raise Invalid, with a fault at `pointer`, unless an alias may be called this."""
    if not _NAME.fullmatch(alias):
        raise Invalid.at(pointer, f"an alias is {_RULE}")
    if alias.isdecimal():
        raise Invalid.at(pointer, "an alias may not be a number: name@3 means version 3")


def parse_reference(text: str) -> Reference:
    """Take a model reference apart. Raises NotFound where it is not one: nothing can be called that."""
    model, at, selector = text.partition("@")
    if not _NAME.fullmatch(model) or (at and not _NAME.fullmatch(selector)):
        raise NotFound("no such model: a reference is 'name', 'name@alias' or 'name@3'")
    if not at:
        return Reference(model)
    if not selector.isdecimal():
        return Reference(model, alias=selector)
    version = int(selector)
    if not 1 <= version <= _MAX_VERSION or selector.startswith("0"):
        raise NotFound(f"model {model!r} has no version {selector}")
    return Reference(model, version=version)
