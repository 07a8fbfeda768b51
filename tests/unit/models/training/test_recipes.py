"""The built-in recipes: complete, buildable, and what the issue fixes about them."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
import torch

from models.build import build_environments, build_family, build_learner, build_policy_learner
from models.spec import (
    CheetahSpec,
    ColumnSpec,
    EncoderSpec,
    EnvironmentSpec,
    LabelledSpec,
    LearnerSpec,
    MamlSpec,
    MlpSpec,
    RidgeSpec,
    SinusoidSpec,
    max_ways_of,
    signature_of,
)
from models.tasks.grouped import Grouped
from models.tasks.grouped_data import GroupedData
from models.tasks.labelled_data import LabelledData
from models.training.meta_trainer import MetaTrainer
from models.training.policies.trainer import PolicyTrainer
from models.training.recipe_figures import FIGURES
from models.training.recipes import RECIPES, Recipe

POLICIES = [recipe for recipe in RECIPES if isinstance(recipe.config.tasks, EnvironmentSpec)]
ALONE = [recipe for recipe in RECIPES if not recipe.needs and recipe not in POLICIES]
OF_CLASSES = [recipe for recipe in RECIPES if isinstance(recipe.config.tasks, LabelledSpec)]
WIDTH = 384  # of an encoder's features


@pytest.mark.parametrize("recipe", POLICIES, ids=lambda recipe: recipe.name)
def test_a_recipe_of_a_policy_trains(recipe: Recipe) -> None:
    """On fewer and shorter trajectories, so that it takes a moment."""
    config = recipe.config
    assert isinstance(config.tasks, EnvironmentSpec)
    if isinstance(config.tasks, CheetahSpec):
        pytest.importorskip("gymnasium")
        pytest.importorskip("mujoco")
    family = build_environments(msgspec.structs.replace(config.tasks, horizon=5))
    learner = build_policy_learner(config.learner, signature_of(config.tasks))
    training = msgspec.structs.replace(config.training, meta_batch_size=2)
    metrics = PolicyTrainer(training, family, learner, n_trajectories=2).run(1)
    assert metrics["return_step_1"] < 50


@pytest.mark.parametrize("recipe", ALONE, ids=lambda recipe: recipe.name)
def test_a_recipe_trains(recipe: Recipe) -> None:
    config = recipe.config
    signature = signature_of(config.tasks)
    learner = build_learner(config.learner, signature, max_ways_of(config.learner, config.tasks))
    trainer = MetaTrainer(config.training, build_family(config.tasks), learner)
    metrics = trainer.run(3)
    assert trainer.iteration == 3
    assert metrics["loss"] > 0


def _examples(recipe: Recipe) -> LabelledData:
    """Noise of the kind that the recipe needs: classes enough in three tasks each; features of texts and names."""
    tasks, network = recipe.config.tasks, recipe.config.learner.network
    assert isinstance(tasks, LabelledSpec)
    classes, of_each = 10 * tasks.n_way // 4, tasks.n_shot + tasks.n_query
    labels, speakers = np.arange(3 * classes).repeat(of_each), np.arange(3).repeat(classes * of_each)
    shape = {"images": (28, 28), "series": (16, 4), "vectors": (WIDTH,)}[network.takes]
    noise = np.random.default_rng(0).random((len(labels), *shape))
    inputs = (255 * noise).astype(np.uint8) if network.takes == "images" else noise
    data = LabelledData.from_arrays(inputs, labels, speakers)
    if not isinstance(network, EncoderSpec):
        return data
    names = torch.from_numpy(noise[::of_each]).float()
    return replace(data, encoded_shape=(), names=names, named=torch.ones(len(names)))


def _learner_spec(recipe: Recipe) -> LearnerSpec:
    """The recipe's, with an encoder as it is after a job was submitted."""
    learner = recipe.config.learner
    if isinstance(learner.network, EncoderSpec):
        network = msgspec.structs.replace(learner.network, width=WIDTH)
        return msgspec.structs.replace(learner, network=network)
    return learner


@pytest.mark.parametrize("recipe", OF_CLASSES, ids=lambda recipe: recipe.name)
def test_a_recipe_of_classes_fits_what_it_needs(recipe: Recipe) -> None:
    config, data = recipe.config, _examples(recipe)
    assert isinstance(config.tasks, LabelledSpec)
    assert config.tasks.dataset == ""
    signature, spec = signature_of(config.tasks, data.wire_shape), _learner_spec(recipe)
    learner = build_learner(spec, signature, max_ways_of(spec, config.tasks))
    small = msgspec.structs.replace(config.tasks, train_ways=None, n_query=1)
    episode = build_family(small, data).sample(torch.Generator().manual_seed(0), 1)
    params = learner.init(torch.Generator().manual_seed(0))
    losses, _ = torch.vmap(learner.meta_loss, in_dims=(None, 0))(params, episode)
    assert losses.isfinite().all()


def test_the_students_recipe_fits_answers() -> None:
    config = next(recipe.config for recipe in RECIPES if recipe.name == "students")
    draws = np.random.default_rng(0)
    skills = ColumnSpec(name="skill", categories=("add", "divide"))
    inputs = np.stack([draws.integers(0, 2, 400), *draws.random((2, 400))], axis=1)
    data = GroupedData.from_arrays(
        inputs,
        draws.integers(0, 2, 400),
        np.arange(4).repeat(100),
        columns=(skills, ColumnSpec(name="place"), ColumnSpec(name="attempt")),
        classes=("0", "1"),
    )
    family = build_family(config.tasks, data)
    assert isinstance(family, Grouped)
    learner = build_learner(config.learner, family.signature, 2)
    metrics = MetaTrainer(config.training, family, learner).run(1)
    assert metrics["loss"] > 0


def test_every_recipe_of_data_says_what_it_needs() -> None:
    for recipe in RECIPES:
        assert bool(recipe.needs) == (getattr(recipe.config.tasks, "dataset", None) == "")


def test_names_are_their_own_and_sorted() -> None:
    names = [recipe.name for recipe in RECIPES]
    assert names == sorted(set(names))
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


def test_every_recipe_has_its_figures() -> None:
    assert set(FIGURES) == {recipe.name for recipe in RECIPES}
    assert all(seen.reaches and seen.cpu and seen.gpu for seen in FIGURES.values())
