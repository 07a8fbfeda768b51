"""The benchmark of small tables: what an episode is made of, how answers are scored, and who is first."""

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("sklearn")

from tests.benchmarks import few_shot, table_recipe
from tests.benchmarks.figures import read_report
from tests.benchmarks.small_tables import SIZES, Table, draws_of, tables_in
from tests.benchmarks.table_contenders import score
from tests.benchmarks.table_training import Settings, fit_both, read
from tests.benchmarks.tables import OURS, Plan, report_of


def _table(classes: int, rows: int = 120) -> Table:
    generator = np.random.default_rng(0)
    inputs = np.arange(rows * 2.0).reshape(rows, 2)
    return Table("made", classes > 0, inputs, generator.integers(0, max(classes, 2), rows))


@pytest.mark.parametrize("size", SIZES)
def test_an_episode_has_a_labelled_row_of_every_class_and_no_row_twice(size: int) -> None:
    for draw in draws_of(_table(12), size, 4, seed=1):
        ways = min(10, size // 2)
        assert len(draw.support_x) == size
        assert set(draw.support_y) == set(range(ways))
        assert set(draw.query_y) <= set(range(ways))
        both = np.concatenate([draw.support_x, draw.query_x])
        assert len(np.unique(both, axis=0)) == len(both)


def test_the_same_seed_draws_the_same_episodes() -> None:
    one, same, other = (next(iter(draws_of(_table(3), 16, 1, seed))) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.support_x, same.support_x)
    assert not np.array_equal(one.support_x, other.support_x)


def test_the_toys_are_there_whatever_the_folder_holds(tmp_path: Path) -> None:
    tables = {table.name: table for table in tables_in(tmp_path)}
    assert {"iris", "wine", "breast_cancer", "digits", "diabetes"} == set(tables)
    assert tables["iris"].inputs.shape == (150, 4)
    assert not tables["diabetes"].classes


def test_scores() -> None:
    draw = next(iter(draws_of(_table(2), 8, 1, seed=0)))
    perfect = np.eye(2)[draw.query_y]
    assert score(draw, perfect) == pytest.approx({"accuracy": 1.0, "log_loss": 1e-4, "auc": 1.0}, abs=1e-4)
    number = next(iter(draws_of(_table(0), 8, 1, seed=0)))
    assert score(number, np.full(len(number.query_y), number.query_y.mean()))["error"] == pytest.approx(1.0)


def test_the_gate_is_the_lowest_mean_rank(tmp_path: Path) -> None:
    def cell(ours: float, *others: float) -> dict[str, dict[str, float]]:
        names = [OURS, *(f"other {place}" for place in range(len(others)))]
        return {name: {"accuracy": value} for name, value in zip(names, (ours, *others), strict=True)}

    def measured(*ours: float) -> bool:
        means = {("t", size): cell(value, 0.5, 0.6) for size, value in zip(SIZES, ours, strict=True)}
        report = report_of(means, Plan(tmp_path, tmp_path, None, Settings()))
        report.write(tmp_path)
        assert read_report(tmp_path / "tables.json").series == report.series
        return report.held

    assert measured(0.7, 0.7, 0.7, 0.4)
    assert not measured(0.4, 0.4, 0.4, 0.7)


def test_fitting_writes_what_can_be_read(tmp_path: Path) -> None:
    small = Settings(
        seconds=0.05,
        regression_seconds=0.05,
        device="cpu",
        width=8,
        layers=1,
        tokens=100,
        most_columns=2,
        most_support=4,
        queries=4,
    )
    fitted = fit_both(small, tmp_path)
    for task, found in read(tmp_path).items():
        assert found.spec == fitted[task].spec
        assert all(torch.equal(value, fitted[task].params[name]) for name, value in found.params.items())
        assert found.learner(7).task == task


def test_the_recipe_s_training_goes_on_from_what_is_kept(tmp_path: Path) -> None:
    network = {"width": 8, "layers": 1, "rows": 16}
    config = few_shot.with_training(
        few_shot.config_of(
            table_recipe.RECIPE,
            {"learner": {"network": network}, "tasks": {"columns": 3, "max_shot": 8, "n_query": 4}},
        ),
        iterations=3,
        meta_batch_size=2,
    )
    fitted = table_recipe.train(config, tmp_path)
    assert fitted.tables == 6
    assert fitted.learner(3).task == "classification"
    again = table_recipe.train(config, tmp_path)
    assert again.seconds >= fitted.seconds
    assert all(torch.equal(value, fitted.params[name]) for name, value in again.params.items())
