"""Columns' statistics against numpy's, and a distribution of bars against its own integral."""

import numpy as np
import torch

from models.algorithms import bars
from models.algorithms.table_columns import KNOTS, describe, features, standardise


def test_means_deviations_and_quantiles_are_those_of_the_values_that_are_there() -> None:
    values = torch.randn(11, 3, generator=torch.Generator().manual_seed(0)) * 50 + 1e5
    values[[2, 5], 1] = float("nan")
    mask = torch.ones(11)
    mask[-2:] = 0
    columns = describe(values, mask)
    for column in range(3):
        there = values[:9, column].double().numpy()
        there = there[~np.isnan(there)]
        np.testing.assert_allclose(columns.centre[column], there.mean(), rtol=1e-6)
        np.testing.assert_allclose(columns.scale[column], there.std(), rtol=1e-4)
        quantiles = (np.quantile(there, np.linspace(0, 1, KNOTS)) - there.mean()) / there.std()
        np.testing.assert_allclose(columns.knots[column], quantiles, atol=1e-3)


def test_a_place_is_the_share_of_values_below() -> None:
    values = torch.arange(9.0).unsqueeze(-1)
    columns = describe(values, torch.ones(9))
    place = features(standardise(values, columns), columns)[:, 0, 1]
    torch.testing.assert_close(place, torch.linspace(-1, 1, 9), rtol=1e-4, atol=1e-4)


def test_equal_values_stand_in_the_middle_of_their_heap() -> None:
    values = torch.tensor([0.0, 0, 0, 0, 1, 1, 1, 1]).unsqueeze(-1)
    columns = describe(values, torch.ones(8))
    place = features(standardise(torch.tensor([[0.0], [1.0]]), columns), columns)[:, 0, 1]
    torch.testing.assert_close(place[0], -place[1], rtol=1e-4, atol=1e-4)
    assert place[0] < -0.3


def test_bars_are_a_density_and_their_mean_and_std_are_its() -> None:
    logits = torch.randn(bars.COUNT, generator=torch.Generator().manual_seed(0)) * 2
    grid = torch.linspace(-10, 10, 200_001)
    density = bars.log_density(logits.expand(len(grid), -1), grid).exp().double()
    step = 20 / 200_000
    mean, std = bars.mean_and_std(logits)
    np.testing.assert_allclose(density.sum() * step, 1.0, atol=1e-3)
    np.testing.assert_allclose((density * grid).sum() * step, mean, atol=1e-3)
    np.testing.assert_allclose((density * (grid - mean).square()).sum() * step, std**2, rtol=1e-3)
