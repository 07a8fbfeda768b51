"""A support set as a caller gave it, made into what crosses into the engine. Knows no engine and no storage."""

from typing import NamedTuple

import numpy as np

from models.spec import Signature
from services.adaptation.episodes import prepare_episodes
from services.adaptation.inputs import engine_inputs, n_columns_of
from services.adaptation.limits import Limits
from services.adaptation.records import AnySupportInput, Classes, EpisodesInput
from services.adaptation.targets import read_labels, read_values, typed_classes
from services.engine.messages import AnySupport, Array, Support
from services.errors import Fault, Invalid

_INPUTS = "/support/inputs"
_TARGETS = "/support/targets"


class PreparedSupport(NamedTuple):
    """A support set that fits its model; `classes` in slot order, None for regression and policies.

    `n_columns` is how many a table has, None where the model leaves no choice or there is no table.
    """

    support: AnySupport
    classes: Classes | None
    n_columns: int | None = None

    @property
    def size(self) -> int:
        """Examples, or episodes."""
        return self.support.size

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
    if examples == 0 or examples != targets:
        detail = f"{examples} inputs and {targets} targets"
        if examples == targets:
            detail = "the support set is empty"
        raise Invalid(detail, [Fault(_INPUTS, detail), Fault(_TARGETS, detail)])
    inputs = engine_inputs(given.inputs, signature, _INPUTS, limits, columns)
    n_columns = None if columns is None else n_columns_of(given.inputs)
    if signature.task == "regression":
        values = read_values(given.targets, signature.target_width, _TARGETS)
        return PreparedSupport(Support(inputs, Array.of(values)), None, n_columns)
    labelled = read_labels(given.targets, _TARGETS, limits, max_ways, earlier, signature.classes)
    support = Support(inputs, Array.of(labelled.slots), n_ways=len(labelled.classes))
    return PreparedSupport(support, labelled.classes, n_columns)


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
