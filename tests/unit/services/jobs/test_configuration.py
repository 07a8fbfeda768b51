"""Drafts become complete configurations, or faults that point at what is wrong."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.spec import LabelledSpec, MamlSpec, MlpSpec, RidgeSpec, SinusoidSpec
from models.training.recipes import RECIPES, Recipe
from services.errors import Fault, Invalid
from services.jobs.configuration import document, merged, resolve

RECIPE_BY_NAME = {recipe.name: recipe for recipe in RECIPES}
LEARNER = {"algorithm": {"name": "maml"}, "network": {"name": "mlp"}}
SINUSOID = {"family": "sinusoid"}

PLAIN = st.recursive(
    st.integers() | st.text(max_size=3), lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=3)
)

MAPPINGS = st.dictionaries(st.text(max_size=2), PLAIN, max_size=3)


def faults(draft: dict[str, Any]) -> tuple[Fault, ...]:
    with pytest.raises(Invalid) as caught:
        resolve(draft, RECIPE_BY_NAME)
    return caught.value.faults


def pointers(draft: dict[str, Any]) -> list[str]:
    return [fault.pointer for fault in faults(draft)]


def test_a_recipe_alone_is_its_configuration() -> None:
    for recipe in RECIPES:
        assert resolve({"recipe": recipe.name}, RECIPE_BY_NAME) == recipe.config


def test_overrides_change_only_what_they_name() -> None:
    overrides = {"training": {"iterations": 7}, "learner": {"algorithm": {"inner_steps": 3}}}
    config = resolve({"recipe": "sinusoid-maml", "overrides": overrides}, RECIPE_BY_NAME)
    original = RECIPE_BY_NAME["sinusoid-maml"].config
    assert config.training.iterations == 7
    assert config.training.meta_batch_size == original.training.meta_batch_size
    assert config.learner.algorithm == MamlSpec(inner_steps=3, inner_lr=0.01)
    assert config.tasks == original.tasks


def test_an_override_of_another_kind_replaces_the_whole_part() -> None:
    overrides = {"learner": {"algorithm": {"name": "ridge"}}, "tasks": {"dataset": "ds_1", "n_way": 7}}
    config = resolve({"recipe": "sinusoid-maml", "overrides": overrides}, RECIPE_BY_NAME)
    assert config.learner.algorithm == RidgeSpec()
    assert config.learner.network == MlpSpec(hidden=(40, 40))
    assert config.tasks == LabelledSpec(dataset="ds_1", n_way=7)


def test_a_whole_configuration_is_filled_with_defaults() -> None:
    config = resolve({"learner": LEARNER, "tasks": SINUSOID}, RECIPE_BY_NAME)
    assert config.learner.algorithm == MamlSpec()
    assert config.tasks == SinusoidSpec()
    assert config.training.iterations == 10_000


@pytest.mark.parametrize(
    ("algorithm", "rate"),
    [
        ({"name": "maml"}, 0.4),
        ({"name": "anil", "inner_steps": 5}, 0.1),
        ({"name": "boil", "inner_lr": 0.05}, 0.05),
        ({"name": "reptile"}, 0.02),
    ],
)
def test_a_step_on_classes_is_longer_than_one_on_numbers(algorithm: dict[str, Any], rate: float) -> None:
    draft = {
        "learner": {**LEARNER, "algorithm": algorithm},
        "tasks": {"dataset": "ds_1"},
    }
    assert document(resolve(draft, {}))["learner"]["algorithm"]["inner_lr"] == rate
    numbers = document(resolve({**draft, "tasks": SINUSOID}, {}))["learner"]["algorithm"]["inner_lr"]
    assert numbers == algorithm.get("inner_lr", 0.02 if algorithm["name"] == "reptile" else 0.01)


def test_tasks_that_name_a_dataset_are_labelled() -> None:
    config = resolve({"learner": LEARNER, "tasks": {"dataset": "ds_1"}}, RECIPE_BY_NAME)
    assert config.tasks == LabelledSpec(dataset="ds_1")


@pytest.mark.parametrize(
    ("draft", "pointer"),
    [
        ({}, "/recipe"),
        ({"recipe": "nope"}, "/recipe"),
        ({"recipe": ["functions"]}, "/recipe"),
        ({"recipe": "functions", "learner": LEARNER}, "/learner"),
        ({"overrides": {"training": {}}, "learner": LEARNER, "tasks": SINUSOID}, "/overrides"),
        ({"recipe": "functions", "overrides": ["training"]}, "/overrides"),
        (
            {"recipe": "functions", "overrides": {"training": {"iterations": -5}}},
            "/overrides/training/iterations",
        ),
        ({"recipe": "functions", "overrides": {"training": 5}}, "/overrides/training"),
        ({"recipe": "functions", "overrides": {"trainings": {}}}, "/overrides/trainings"),
        ({"tasks": SINUSOID}, "/learner"),
        ({"learner": LEARNER}, "/tasks"),
        ({"learner": "maml", "tasks": SINUSOID}, "/learner"),
        ({"learner": {"algorithm": {"name": "maml"}}, "tasks": SINUSOID}, "/learner/network"),
        (
            {"learner": {**LEARNER, "algorithm": {"name": "maml", "inner_steps": 900}}, "tasks": SINUSOID},
            "/learner/algorithm/inner_steps",
        ),
        (
            {"learner": {**LEARNER, "algorithm": {"name": "magic"}}, "tasks": SINUSOID},
            "/learner/algorithm/name",
        ),
        (
            {"learner": {**LEARNER, "network": {"name": "mlp", "hidden": [4, "x"]}}, "tasks": SINUSOID},
            "/learner/network/hidden/1",
        ),
        ({"learner": LEARNER, "tasks": {"family": "sinusoid", "dataset": "ds_1"}}, "/tasks/dataset"),
        ({"learner": LEARNER, "tasks": SINUSOID, "training": {"meta_lr": float("nan")}}, "/training/meta_lr"),
        ({"learner": LEARNER, "tasks": SINUSOID, "training": {"a/b~c": 1}}, "/training/a~1b~0c"),
    ],
)
def test_a_fault_points_at_what_is_wrong(draft: dict[str, Any], pointer: str) -> None:
    assert pointers(draft) == [pointer]


def test_everything_that_contradicts_a_recipe_is_named() -> None:
    draft = {"recipe": "functions", "learner": LEARNER, "tasks": SINUSOID, "training": {"seed": 1}}
    assert pointers(draft) == ["/learner", "/tasks", "/training"]


def test_an_unknown_recipe_is_answered_with_those_there_are() -> None:
    (fault,) = faults({"recipe": "nope"})
    assert all(name in fault.detail for name in RECIPE_BY_NAME)


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"training": {"iteration": 5}}, "did you mean iterations?"),
        ({"learner": {"network": {"hiden": [4]}}}, "did you mean hidden?"),
        ({"trainig": {}}, "did you mean training?"),
        ({"training": {"zzz": 5}}, "there are iterations, meta_batch_size"),
        ({"learner": {"algorithm": {"name": "protonett"}}}, "it is one of anil, "),
        ({"learner": {"algorithm": {"name": "protonett"}}}, "protonet, reptile, ridge"),
        ({"tasks": {"family": "function"}}, "it is one of bandit, cheetah, functions, grouped, labelled"),
        ({"training": {"schedule": "cos"}}, "it is one of constant, cosine"),
        ({"tasks": {"kinds": ["lines"]}}, "it is one of exponential, line, parabola, sinusoid"),
    ],
)
def test_a_slip_is_told_what_might_have_been_meant(changes: dict[str, Any], hint: str) -> None:
    (fault,) = faults({"recipe": "functions", "overrides": changes})
    assert hint in fault.detail


def test_a_wrong_value_of_a_known_field_gets_no_hint() -> None:
    (fault,) = faults({"recipe": "functions", "overrides": {"training": {"iterations": -5}}})
    assert fault.detail.endswith(">= 1")


@given(MAPPINGS)
def test_merging_nothing_changes_nothing(base: dict[str, Any]) -> None:
    assert merged(base, {}) == base
    assert merged(base, base) == base
    assert merged({}, base) == base


@given(
    st.dictionaries(st.text(max_size=2), PLAIN, max_size=3),
    st.dictionaries(st.text(max_size=2), PLAIN, max_size=3),
)
def test_merging_twice_is_merging_once(base: dict[str, Any], changes: dict[str, Any]) -> None:
    once = merged(base, changes)
    assert merged(once, changes) == once
    assert set(once) == set(base) | set(changes)


OF_A_DATASET = [recipe for recipe in RECIPES if "dataset" in document(recipe.config)["tasks"]]


@pytest.mark.parametrize("recipe", OF_A_DATASET, ids=lambda recipe: recipe.name)
def test_a_dataset_named_to_a_recipe_that_needs_one_changes_nothing_else(recipe: Recipe) -> None:
    base = document(recipe.config)
    config = resolve({"recipe": recipe.name, "overrides": {"tasks": {"dataset": "ds_1"}}}, RECIPE_BY_NAME)
    assert document(config) == {**base, "tasks": {**base["tasks"], "dataset": "ds_1"}}


def test_a_dataset_named_to_a_recipe_of_functions_makes_its_tasks_labelled_ones() -> None:
    config = resolve({"recipe": "functions", "overrides": {"tasks": {"dataset": "ds_1"}}}, RECIPE_BY_NAME)
    assert isinstance(config.tasks, LabelledSpec)
