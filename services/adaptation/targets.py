"""Targets as a caller gave them: class labels into slots, or regression values into columns. Pure."""

from typing import NamedTuple

import numpy as np

from services.adaptation.limits import Limits
from services.adaptation.records import Array, Classes, Label
from services.errors import Invalid
from services.finite import all_finite

Targets = Array | list[str] | list[int]


class Labelled(NamedTuple):
    """The classes in the order in which they were first seen, and each example's slot among them, int64 [S]."""

    classes: Classes
    slots: Array


def read_values(raw: Targets, width: int, pointer: str) -> Array:
    """Regression targets as float32 [S, width]. Raises Invalid."""
    if isinstance(raw, list):
        _of_one_kind(raw, (int,), "a number", pointer)
        raw = np.array(raw, dtype=np.float64)
    if raw.dtype.kind not in "uif":
        raise Invalid.at(pointer, "targets are numbers: this model predicts values")
    if raw.ndim == 1 and width == 1:
        raw = raw[:, None]
    if raw.ndim != 2 or raw.shape[1] != width:
        took = "a number" if width == 1 else f"{width} numbers"
        raise Invalid.at(pointer, f"a target of shape {list(raw.shape[1:])}; this model has {took} each")
    values = raw
    if raw.dtype != np.float32:
        with np.errstate(over="ignore"):
            values = raw.astype(np.float32)
    if not all_finite(values):
        finite = np.isfinite(values).all(-1)
        raise Invalid.at(f"{pointer}/{int(np.argmin(finite))}", "not a finite float32 number")
    return values


def read_labels(
    raw: Targets,
    pointer: str,
    limits: Limits,
    max_ways: int | None = None,
    earlier: Classes | None = None,
    fixed: tuple[str, ...] = (),
    *,
    further: Targets | None = None,
    beside: str = "",
) -> Labelled:
    """Labels as class slots; a label keeps its type and its place.

    `max_ways` is the model's own bound. `earlier` are the classes of the adaptation that this one goes on from,
    and `fixed` those that every task of the model has: they keep their slots and no others may come. `further`
    are labels, given at `beside`, that are classes too and come behind the examples' own. Raises Invalid.
    """
    labels = _labels(raw, pointer, limits)
    # An empty list of JSON is of no kind.
    more = [] if further is None or len(further) == 0 else _labels(further, beside, limits)
    if labels and more and isinstance(labels[0], int) != isinstance(more[0], int):
        raise Invalid.at(beside, "classes and targets are all strings, or all integers")
    if earlier is not None:
        _among(earlier, more, beside, "the adaptation that this one goes on from")
        return _among(earlier, labels, pointer, "the adaptation that this one goes on from")
    if fixed:
        known = typed_classes(fixed, integers=bool(labels) and isinstance(labels[0], int))
        return _among(known, labels, pointer, f"this model, which are {', '.join(map(repr, known[:20]))}")
    places: dict[Label, int] = {}
    slots = np.array([places.setdefault(label, len(places)) for label in labels], dtype=np.int64)
    for label in more:
        places.setdefault(label, len(places))
    pointer = beside if more or (further is not None and not labels) else pointer
    most = min(limits.ways, max_ways or limits.ways)
    if len(places) > most:
        raise Invalid.at(pointer, f"{len(places)} classes; this model takes {most} at most")
    if not places:
        raise Invalid.at(pointer, "no classes: there is nothing to tell apart")
    if len(places) < 2:
        raise Invalid.at(pointer, "one class only: there is nothing to tell apart")
    return Labelled(list(places), slots)


def _labels(raw: Targets, pointer: str, limits: Limits) -> list[Label]:
    if isinstance(raw, np.ndarray):
        if raw.ndim != 1 or raw.dtype.kind not in "ui":
            detail = "labels are a list of strings or of integers"
            if raw.dtype.kind == "f":
                detail += ": send whole numbers as integers"
            raise Invalid.at(pointer, detail)
        return list(raw.tolist())
    kind = type(raw[0]) if raw else str
    if kind not in (str, int):
        raise Invalid.at(f"{pointer}/0", "labels are strings or integers")
    _of_one_kind(raw, (kind,), "a string" if kind is str else "an integer", pointer)
    for index, label in enumerate(raw):
        if isinstance(label, str) and len(label) > limits.label_characters:
            detail = f"a label of {len(label)} characters; at most {limits.label_characters} are taken"
            raise Invalid.at(f"{pointer}/{index}", detail)
    return list(raw)


def typed_classes(names: tuple[str, ...], *, integers: bool) -> Classes:
    """A model's own classes as a caller writes labels: as integers, where all of them are."""
    if integers and all(name.removeprefix("-").isdecimal() for name in names):
        return [int(name) for name in names]
    return list(names)


def _among(earlier: Classes, labels: list[Label], pointer: str, whose: str) -> Labelled:
    places = {label: slot for slot, label in enumerate(earlier)}
    for index, label in enumerate(labels):
        if label not in places:
            detail = f"{label!r} is not a class of {whose}"
            raise Invalid.at(f"{pointer}/{index}", detail)
    return Labelled(list(earlier), np.array([places[label] for label in labels], dtype=np.int64))


def _of_one_kind(raw: list[str] | list[int], kinds: tuple[type, ...], name: str, pointer: str) -> None:
    # By exact type: True is an int to isinstance, and 1 to a dictionary.
    for index, item in enumerate(raw):
        if type(item) not in kinds:
            raise Invalid.at(f"{pointer}/{index}", f"{type(item).__name__} where {name} is expected")
