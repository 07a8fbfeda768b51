"""A support set as a caller gave it, made into what crosses into the engine. Knows no engine and no storage."""

from collections import Counter
from collections.abc import Sequence, Set
from typing import NamedTuple

import numpy as np

from models.spec import Signature, words_of
from services.adaptation.episodes import prepare_episodes
from services.adaptation.inputs import engine_inputs, n_columns_of
from services.adaptation.limits import Limits
from services.adaptation.records import AnySupportInput, Classes, EpisodesInput, SupportInput
from services.adaptation.targets import read_labels, read_values, typed_classes
from services.adaptation.texts import read_texts
from services.engine.messages import AnySupport, Array, Support
from services.errors import Fault, Invalid

_INPUTS = "/support/inputs"
_TARGETS = "/support/targets"
_CLASSES = "/support/classes"


class PreparedSupport(NamedTuple):
    """A support set that fits its model; `classes` in slot order, None for regression and policies.

    `n_columns` is how many a table has, None where the model leaves no choice or there is no table.
    """

    support: AnySupport
    classes: Classes | None
    n_columns: int | None = None

    n_names: int = 0
    """Rows of the support that are the names of its classes, before its examples."""

    @property
    def size(self) -> int:
        """Examples, or episodes."""
        return self.support.size - self.n_names

    @property
    def ways(self) -> int:
        """Classes; 0 for regression."""
        return len(self.classes or ())


def prepare_support(
    given: AnySupportInput,
    signature: Signature,
    max_ways: int | None,
    limits: Limits,
    earlier: Classes | None = None,
    columns: range | None = None,
) -> PreparedSupport:
    """Check a support set against a model. `earlier` are the classes of the adaptation that it goes on from.

    `columns` are the numbers of columns that a table may have, where these are not the signature's alone.
    Raises Invalid with the place of the fault.
    """
    if isinstance(given, EpisodesInput):
        return PreparedSupport(prepare_episodes(given.episodes, signature, limits), None)
    if signature.task == "policy":
        raise Invalid.at("/support/episodes", "this model is a policy: it learns from episodes")
    examples, targets = len(given.inputs), len(given.targets)
    if examples > limits.support_examples:
        raise Invalid.at(_INPUTS, f"{examples} examples; at most {limits.support_examples} are taken")
    if given.classes is not None and not signature.class_names:
        detail = (
            "this model reads no names of classes (its signature has no class_names): show examples of each"
        )
        raise Invalid.at(_CLASSES, detail)
    if examples != targets or (examples == 0 and given.classes is None):
        detail = f"{examples} inputs and {targets} targets"
        if examples == targets:
            detail = "the support set is empty"
        raise Invalid(detail, [Fault(_INPUTS, detail), Fault(_TARGETS, detail)])
    if signature.class_names:
        return _named_support(given, max_ways, limits, earlier)
    inputs = engine_inputs(given.inputs, signature, _INPUTS, limits, columns)
    n_columns = None if columns is None else n_columns_of(given.inputs)
    if signature.task == "regression":
        values = read_values(given.targets, signature.target_width, _TARGETS)
        return PreparedSupport(Support(inputs, Array.of(values)), None, n_columns)
    labelled = read_labels(given.targets, _TARGETS, limits, max_ways, earlier, signature.classes)
    support = Support(inputs, Array.of(labelled.slots), n_ways=len(labelled.classes))
    return PreparedSupport(support, labelled.classes, n_columns)


def _named_support(
    given: SupportInput,
    max_ways: int | None,
    limits: Limits,
    earlier: Classes | None,
) -> PreparedSupport:
    """Texts whose classes' own names stand before them, as far as these are words. Raises Invalid.

    Of a class whose name is words there need be no example.
    """
    texts = read_texts(given.inputs, _INPUTS, limits) if len(given.inputs) else []
    labelled = read_labels(
        given.targets if texts else [],
        _TARGETS,
        limits,
        max_ways,
        earlier,
        further=given.classes,
        beside=_CLASSES,
    )
    names = [words_of(label) for label in labelled.classes]
    if earlier is None:
        _check_known(labelled.classes, names, set(labelled.slots.tolist()))
    characters = sum(map(len, names)) + sum(map(len, texts))
    if characters > limits.call_characters:
        detail = (
            f"{characters} characters, the classes' own names counted, which this model reads too; at most "
            f"{limits.call_characters} are taken (GET /v1/limits): send fewer"
        )
        raise Invalid.at(_TARGETS if texts else _CLASSES, detail)
    slots = np.concatenate([np.arange(len(names), dtype=np.int64), labelled.slots])
    support = Support(Array.of_texts([*names, *texts]), Array.of(slots), n_ways=len(names))
    return PreparedSupport(support, labelled.classes, n_names=len(names))


def _check_known(classes: Classes, names: Sequence[str], shown: Set[int]) -> None:
    """That a class without an example is known by its name. Raises Invalid."""
    # Many encoders read capitals as small letters.
    read = [name.casefold() for name in names]
    counts = Counter(read)
    for slot, label in enumerate(classes):
        if slot in shown:
            continue
        if not names[slot]:
            raise Invalid.at(_CLASSES, f"{label!r} has no example, and no words to be known by")
        if counts[read[slot]] > 1:
            same = next(
                classes[other] for other in range(len(read)) if other != slot and read[other] == read[slot]
            )
            detail = f"{label!r} has no example, and reads as {same!r}: show one, or leave it out"
            raise Invalid.at(_CLASSES, detail)


def no_support(signature: Signature) -> PreparedSupport:
    """The support set of no examples, which leaves a model as it is. Raises Invalid where it has no classes yet."""
    if signature.task == "policy":
        return PreparedSupport(prepare_episodes([], signature, Limits()), None)
    numbers = np.zeros((0, *signature.inputs.example_shape), np.float32)
    inputs = Array.of_texts(()) if signature.is_text else Array.of(numbers)
    if signature.classes:
        support = Support(inputs, Array.of(np.zeros(0, np.int64)), n_ways=len(signature.classes))
        return PreparedSupport(support, typed_classes(signature.classes, integers=True))
    if signature.task != "regression":
        raise Invalid.at("/support", "a classifier has no classes before it has seen examples of them")
    values = np.zeros((0, signature.target_width), np.float32)
    return PreparedSupport(Support(inputs, Array.of(values)), None)
