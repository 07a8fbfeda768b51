"""The calibration error, against what is known of answers that are as sure as they are right, and of others."""

import math

import pytest
import torch
from torch import Tensor

from models.episode import QuerySet
from models.training.calibration import LEVELS, Calibration


def _asked(targets: Tensor, mask: Tensor | None = None) -> QuerySet:
    return QuerySet(
        torch.zeros(*targets.shape[:2], 1), targets, torch.ones(targets.shape[:2]) if mask is None else mask
    )


def test_confidence_is_held_against_the_share_of_right_answers() -> None:
    """Four answers of 80 %, of which half are right, and padding that would all be wrong."""
    logits = torch.tensor([math.log(0.8), math.log(0.2)]).expand(1, 8, 2)
    targets = torch.tensor([[0, 0, 1, 1, 1, 1, 1, 1]])
    mask = torch.tensor([[1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]])
    calibration = Calibration()
    calibration.add({"logits": logits}, _asked(targets, mask))
    report = calibration.report()
    assert report is not None
    assert report["kind"] == "confidence"
    assert report["error"] == pytest.approx(0.3, abs=1e-6)
    assert report["bins"] == [{"expected": pytest.approx(0.8), "observed": 0.5, "count": 4}]


def test_the_error_is_the_mean_over_answers_of_all_bins() -> None:
    calibration = Calibration()
    sure = torch.tensor([[[20.0, 0.0]], [[0.0, 20.0]], [[0.0, 0.0]]])
    calibration.add({"logits": sure}, _asked(torch.tensor([[0], [1], [1]])))
    report = calibration.report()
    assert report is not None
    assert report["error"] == pytest.approx(0.5 / 3, abs=1e-6)


@pytest.mark.parametrize(("scale", "low", "high"), [(1.0, 0.0, 0.02), (0.3, 0.25, 0.6), (4.0, 0.25, 0.6)])
def test_intervals_hold_as_many_targets_as_they_say(scale: float, low: float, high: float) -> None:
    targets = torch.randn(10, 400, 1, generator=torch.Generator().manual_seed(0))
    outputs = {"mean": torch.zeros_like(targets), "std": torch.full_like(targets, scale)}
    calibration = Calibration()
    calibration.add(outputs, _asked(targets))
    report = calibration.report()
    assert report is not None
    assert low <= report["error"] <= high
    assert [one["expected"] for one in report["bins"]] == pytest.approx(LEVELS)
    assert {one["count"] for one in report["bins"]} == {4000}


def test_an_answer_that_does_not_say_how_sure_it_is_has_none() -> None:
    calibration = Calibration()
    calibration.add({"mean": torch.zeros(1, 2, 1)}, _asked(torch.zeros(1, 2, 1)))
    assert calibration.report() is None


def test_answers_that_are_no_numbers_are_not_counted() -> None:
    calibration = Calibration()
    query = QuerySet(torch.zeros(1, 2, 1), torch.zeros(1, 2, dtype=torch.int64), torch.ones(1, 2))
    calibration.add({"logits": torch.full((1, 2, 3), torch.nan)}, query)
    assert calibration.report() is None
    calibration.add({"logits": torch.tensor([[[9.0, 0, 0], [torch.nan] * 3]])}, query)
    report = calibration.report()
    assert report is not None
    assert [one["count"] for one in report["bins"]] == [1]
