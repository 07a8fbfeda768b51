"""From what a caller asked for to a complete meta-training configuration. Pure; knows no dataset and no model.

A draft names a recipe, with overrides, or gives learner, tasks and training itself. What is wrong with it is
said where it is: a pointer into the draft as it was sent.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from models.training.config import MetaTrainingConfig
from models.training.recipes import Recipe
from services.errors import Fault, Invalid
from services.jobs.faults import fault_of
from services.jobs.hints import with_hint

_PARTS = ("learner", "tasks", "training")
# A mapping with another tag is another kind of thing: it replaces what was there, for its fields do not apply.
_TAGS = ("name", "family")
# What MAML was meta-trained with on Omniglot (Finn et al. 2017), for one inner step and for more.
_RATED = ("maml", "anil", "boil", "meta_curvature")
_ONE_STEP, _MORE_STEPS = 0.4, 0.1


def resolve(draft: Mapping[str, Any], recipes: Mapping[str, Recipe]) -> MetaTrainingConfig:
    """The complete configuration of a draft's `recipe` and `overrides`, or `learner`, `tasks`, `training`.

    Raises Invalid with a fault for the first thing that is wrong.
    """
    given = [part for part in _PARTS if draft.get(part) is not None]
    name = draft.get("recipe")
    if name is None:
        if draft.get("overrides") is not None:
            raise Invalid.at("/overrides", "overrides belong to a recipe, and none is named")
        if not given:
            raise Invalid.at("/recipe", "name a recipe (GET /v1/recipes), or give learner and tasks")
        return _convert({part: draft[part] for part in given}, "")
    if given:
        raise Invalid(
            "a recipe is changed by overrides", [Fault(f"/{part}", "not beside a recipe") for part in given]
        )
    recipe = recipes.get(name) if isinstance(name, str) else None
    if recipe is None:
        raise Invalid.at("/recipe", f"no such recipe; there are: {', '.join(sorted(recipes))}")
    overrides = draft.get("overrides") or {}
    if not isinstance(overrides, Mapping):
        raise Invalid.at("/overrides", "must be an object")
    base = document(recipe.config)
    # A recipe of tasks that come from a dataset says itself which family they are.
    changes = overrides if "dataset" in base["tasks"] else _with_family(overrides)
    return _convert(merged(base, changes), "/overrides")


def document(config: msgspec.Struct) -> dict[str, Any]:
    """The configuration, defaults and all, as JSON has it."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(config))
    return plain


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes` laid over it, mapping by mapping; anything else replaces what was there."""
    result = dict(base)
    for key, change in changes.items():
        present = result.get(key)
        if isinstance(present, Mapping) and isinstance(change, Mapping) and _same_kind(present, change):
            result[key] = merged(present, change)
        else:
            result[key] = change
    return result


def _same_kind(present: Mapping[str, Any], change: Mapping[str, Any]) -> bool:
    return all(change.get(tag, present.get(tag)) == present.get(tag) for tag in _TAGS)


def _with_family(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Tasks that name a dataset and no family are labelled ones, the most usual of a dataset's."""
    tasks = parts.get("tasks")
    if isinstance(tasks, Mapping) and "dataset" in tasks and "family" not in tasks:
        return {**parts, "tasks": {**tasks, "family": "labelled"}}
    return dict(parts)


def _with_algorithm(parts: Mapping[str, Any]) -> dict[str, Any]:
    """A pretrained encoder and no algorithm is the default head: what the evidence supports on its features."""
    learner = parts.get("learner")
    if isinstance(learner, Mapping) and learner.get("algorithm") is None:
        network = learner.get("network")
        if isinstance(network, Mapping) and network.get("name") == "encoder":
            return {**parts, "learner": {**learner, "algorithm": {"name": "auto"}}}
    return dict(parts)


def _with_rate(parts: Mapping[str, Any]) -> dict[str, Any]:
    """An inner rate for classes, where none is named: the specs' own default is one for numbers."""
    learner, tasks = parts.get("learner"), parts.get("tasks")
    if not (
        isinstance(learner, Mapping) and isinstance(tasks, Mapping) and tasks.get("family") == "labelled"
    ):
        return dict(parts)
    algorithm = learner.get("algorithm")
    if not isinstance(algorithm, Mapping) or algorithm.get("name") not in _RATED or "inner_lr" in algorithm:
        return dict(parts)
    rate = _ONE_STEP if algorithm.get("inner_steps", 1) == 1 else _MORE_STEPS
    return {**parts, "learner": {**learner, "algorithm": {**algorithm, "inner_lr": rate}}}


def _convert(plain: Mapping[str, Any], prefix: str) -> MetaTrainingConfig:
    document = _with_rate(_with_algorithm(_with_family(plain)))
    try:
        return msgspec.convert(document, MetaTrainingConfig)
    except msgspec.ValidationError as error:
        found = with_hint(fault_of(error), MetaTrainingConfig, document)
        fault = Fault(prefix + found.pointer, found.detail)
        raise Invalid(f"the configuration is not valid: {fault.detail}", (fault,)) from error
