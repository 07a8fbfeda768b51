"""The built-in recipes: complete, buildable, and what the issue fixes about them."""

import msgspec
import pytest

from models.build import build_family, build_learner
from models.spec import MamlSpec, MlpSpec, RidgeSpec, SinusoidSpec, max_ways_of, signature_of
from models.training.meta_trainer import MetaTrainer
from models.training.recipes import RECIPES, Recipe

BY_ITSELF = [recipe for recipe in RECIPES if not hasattr(recipe.config.tasks, "dataset")]


@pytest.mark.parametrize("recipe", BY_ITSELF, ids=lambda recipe: recipe.name)
def test_a_recipe_trains(recipe: Recipe) -> None:
    config = recipe.config
    signature = signature_of(config.tasks)
    learner = build_learner(config.learner, signature, max_ways_of(config.learner, config.tasks))
    trainer = MetaTrainer(config.training, build_family(config.tasks), learner)
    metrics = trainer.run(3)
    assert trainer.iteration == 3
    assert metrics["loss"] > 0


def test_names_are_their_own() -> None:
    names = [recipe.name for recipe in RECIPES]
    assert names == sorted(set(names), key=names.index)
    assert {"functions", "sinusoid-maml", "sinusoid-ridge"} <= set(names)


def test_sinusoid_maml_is_the_setting_of_the_paper() -> None:
    config = next(recipe.config for recipe in RECIPES if recipe.name == "sinusoid-maml")
    assert config.learner.algorithm == MamlSpec(inner_steps=1, inner_lr=0.01, first_order=False)
    assert config.learner.network == MlpSpec(hidden=(40, 40), activation="relu")
    assert config.tasks == SinusoidSpec(n_shot=10, n_query=10)
    assert config.training.iterations == 10_000


def test_the_starter_gives_a_std() -> None:
    config = next(recipe.config for recipe in RECIPES if recipe.name == "functions")
    assert isinstance(config.learner.algorithm, RidgeSpec)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_reads_back_as_plain_json(recipe: Recipe) -> None:
    assert msgspec.json.decode(msgspec.json.encode(recipe), type=Recipe) == recipe
