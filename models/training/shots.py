"""The same family with another number of support examples. Its split, its data and its classes stay as they are."""

import copy

import msgspec

from models.tasks.family import TaskFamily
from models.tasks.labelled import Labelled


def at_shots(family: TaskFamily, shots: int) -> TaskFamily | None:
    """The family where every episode gives exactly so many: of each class, or in all where it has no classes.

    None where its held-out classes have too few examples, or it has no shots to choose.
    """
    spec = getattr(family, "spec", None)
    if spec is None or (isinstance(family, Labelled) and shots > _most_shots(family)):
        return None
    # A family with a range of shots draws from it; the others have one number.
    ranged = getattr(spec, "max_shot", None) is not None
    changes = {"min_shot": shots, "max_shot": shots} if ranged else {"n_shot": shots}
    # Not built anew: what is held out is drawn from the classes of enough examples for the recorded shots.
    changed = copy.copy(family)
    changed.spec = msgspec.structs.replace(spec, **changes)  # type: ignore[attr-defined]
    return changed


def _most_shots(family: Labelled) -> int:
    return int(family.samplers["test"].counts_C.min()) - family.spec.n_query
