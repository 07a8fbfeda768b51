"""The same family with another number of support examples. Its split, its data and its classes stay as they are."""

import copy
import dataclasses
from typing import Any

import msgspec

from models.tasks.family import TaskFamily
from models.tasks.grouped import Grouped
from models.tasks.labelled import Labelled


def at_shots(family: TaskFamily, shots: int, most: int | None = None) -> TaskFamily | None:
    """The family where every episode gives exactly so many: of each class where an episode has its own classes,
    else in all.

    None where a held-out class has too few examples, every held-out group too few rows, or an episode would give
    more than the `most` support examples that a learner keeps; groups that have too
    few are not drawn. Not built anew: what is held out is drawn from what is large enough for the recorded shots.
    """
    rows = shots
    if isinstance(family, Labelled):
        rows = family.spec.most_test_ways * (shots + family.spec.class_names)
    if most is not None and rows > most:
        return None
    changed: Any = copy.copy(family)
    changes: dict[str, int | None] = {"min_shot": shots, "max_shot": shots}
    if isinstance(family, Labelled):
        if shots > int(family.samplers["test"].counts_C.min()) - family.spec.n_query:
            return None
        changes = {"n_shot": shots, "min_shot": None, "max_shot": None}
    elif isinstance(family, Grouped):
        large_G = family.split.test & (family.data.counts > shots)
        if not large_G.any():
            return None
        changed.split = dataclasses.replace(family.split, test=large_G)
    elif not hasattr(changed.spec, "max_shot"):
        changes = {"n_shot": shots}
    changed.spec = msgspec.structs.replace(changed.spec, **changes)
    other: TaskFamily = changed
    return other
