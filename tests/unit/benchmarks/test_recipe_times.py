"""Recipes are timed to the end or by their steps, one by one, and what fails keeps no other from its figure."""

import math
from pathlib import Path
from typing import Any, cast

import pytest

from models.spec import LearnerSpec, MlpSpec, RidgeSpec, SinusoidSpec
from models.training.config import MetaTrainingConfig, TrainingSpec
from models.training.recipes import RECIPES
from models.training.recipes.recipe import Recipe
from services.jobs.training import Training
from tests.benchmarks import recipe_times
from tests.benchmarks.figures import Report, read_report
from tests.benchmarks.recipe_times import Patience, measured


def recipe(name: str, iterations: int = 3) -> Recipe:
    config = MetaTrainingConfig(
        learner=LearnerSpec(algorithm=RidgeSpec(), network=MlpSpec(hidden=(8,))),
        tasks=SinusoidSpec(n_shot=5, n_query=5),
        training=TrainingSpec(iterations=iterations, meta_batch_size=2),
    )
    return Recipe(name=name, description="", config=config)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recipe_times.PATIENCE, "cpu", Patience(whole=60.0, trial=0.0, warm=0.0))


def run(*recipes: Recipe, out: Path, folder: Path = Path()) -> Report:
    return measured(recipes, folder, "cpu", 0, out)


def test_what_is_short_is_run_to_the_end_and_what_is_long_is_reckoned(tmp_path: Path) -> None:
    short, long = run(recipe("a"), recipe("b", 1_000_000), out=tmp_path).figures
    assert short.beside.endswith("to the end")
    assert long.beside.endswith("reckoned")
    assert long.value > 1


def test_rows_of_recipes_that_were_not_asked_for_stay(tmp_path: Path) -> None:
    first = run(recipe("a"), recipe("c"), out=tmp_path).figures
    run(recipe("b"), recipe("c"), out=tmp_path)
    again = read_report(tmp_path / "recipe_times.json").figures
    assert [one.what for one in again] == ["a", "b", "c"]
    assert again[0] == first[0]


def test_one_that_fails_has_no_figure_and_the_others_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = recipe_times.begun

    def broken(config: MetaTrainingConfig, *rest: object) -> object:
        if config.training.iterations == 7:
            raise RuntimeError("no memory left")
        return begun(config, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(recipe_times, "begun", broken)
    failed, fine = run(recipe("a", 7), recipe("b"), out=tmp_path).figures
    assert math.isnan(failed.value)
    assert failed.beside == "no memory left"
    assert fine.value > 0
    assert math.isnan(read_report(tmp_path / "recipe_times.json").figures[0].value)


class TwoPhases:
    """Three iterations of one phase, and four of the next."""

    iteration = 0

    @property
    def phase(self) -> str:
        return "pretraining" if self.iteration < 3 else "meta_training"

    @property
    def finished(self) -> bool:
        return self.iteration == 7

    def run(self, iterations: int) -> None:
        self.iteration = min(self.iteration + iterations, 3 if self.phase == "pretraining" else 7)


def test_steps_are_those_of_one_phase() -> None:
    two = cast(Training, TwoPhases())
    assert [recipe_times._steps(two, 60.0) for _ in range(2)] == [3, 4]
    assert recipe_times._steps(cast(Training, TwoPhases()), 0.0) == 1
    assert 0 < recipe_times._pace(cast(Training, TwoPhases()), Patience(60.0, 60.0, 60.0)) < 1


@pytest.mark.parametrize(("name", "at_least"), [("rml-mg-functions", 10.0), ("sinusoid-ridge", 0.0)])
def test_pretraining_is_part_of_what_is_reckoned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, at_least: float
) -> None:
    def ten_minutes(*_: Any) -> float:
        return 600.0

    monkeypatch.setitem(recipe_times.PATIENCE, "cpu", Patience(whole=0.0, trial=0.0, warm=0.0))
    known = next(known for known in RECIPES if known.name == name)
    if at_least:
        assert recipe_times.pretraining(known.config, tmp_path, "cpu", tmp_path) > 0
    monkeypatch.setattr(recipe_times, "pretraining", ten_minutes)
    told = recipe_times.timed(known, tmp_path, "cpu", tmp_path)
    assert told.value > at_least
    assert ("and pretraining: reckoned" in told.beside) == bool(at_least)
