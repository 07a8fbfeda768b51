"""The starter model as a newcomer meets it, after a short training: the four points, and lines in general."""

import msgspec
import pytest
import torch

from models.algorithms.batched import adapt_batch, predict_batch
from models.algorithms.learner import MetaLearner
from models.build import build_family, build_learner
from models.episode import SupportSet
from models.functional import Params
from models.spec import FunctionsSpec, signature_of
from models.training.evaluation import evaluate
from models.training.meta_trainer import MetaTrainer
from models.training.recipes import RECIPES

Trained = tuple[MetaLearner, Params]


@pytest.fixture(scope="module")
def trained() -> Trained:
    """The recipe, cut to a tenth of its iterations."""
    torch.set_num_threads(1)
    config = next(recipe.config for recipe in RECIPES if recipe.name == "functions")
    learner = build_learner(config.learner, signature_of(config.tasks))
    training = msgspec.structs.replace(config.training, iterations=250)
    trainer = MetaTrainer(training, build_family(config.tasks), learner)
    trainer.run(250)
    return learner, trainer.meta_params


def _answers(trained: Trained, x: torch.Tensor, y: torch.Tensor, asked: torch.Tensor) -> Params:
    """Means and stds [M, Q, 1] after adapting to x and y [M, S, 1]."""
    learner, params = trained
    support = SupportSet(x, y, torch.ones(x.shape[:2]), torch.ones(len(x), 0))
    return predict_batch(learner, params, adapt_batch(learner, params, support), asked)


def test_the_four_points(trained: Trained) -> None:
    x = torch.tensor([1.0, 2, 3, 4]).reshape(1, 4, 1)
    outputs = _answers(trained, x, 2 * x, torch.tensor([5.0, 6]).reshape(1, 2, 1))
    errors = (outputs["mean"].flatten() - torch.tensor([10.0, 12])).abs()
    assert (errors <= 0.3).all()
    assert (errors <= 2 * outputs["std"].flatten()).all()


def test_fresh_lines(trained: Trained) -> None:
    generator = torch.Generator().manual_seed(0)
    slope, offset = ((torch.rand(40, 1, 1, generator=generator) * 2 - 1) * size for size in (3, 5))
    x, asked = ((torch.rand(40, count, 1, generator=generator) * 2 - 1) * 8 for count in (8, 10))
    outputs = _answers(trained, x, slope * x + offset, asked)
    assert (outputs["mean"] - slope * asked - offset).abs().mean() <= 0.3


def test_the_std_is_worth_its_name(trained: Trained) -> None:
    config = next(recipe.config for recipe in RECIPES if recipe.name == "functions")
    report = evaluate(*trained, build_family(config.tasks), episodes=300, seed=5)
    assert 0.9 <= report["coverage"] <= 0.99


def test_more_points_leave_less_doubt(trained: Trained) -> None:
    def doubt(shots: int) -> float:
        family = build_family(FunctionsSpec(min_shot=shots, max_shot=shots))
        support, query = family.sample(torch.Generator().manual_seed(1), 200)
        return _answers(trained, support.inputs, support.targets, query.inputs)["std"].mean().item()

    assert doubt(16) < doubt(6) < doubt(2)
