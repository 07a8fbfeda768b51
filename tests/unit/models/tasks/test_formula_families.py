"""The families made from formulas: shapes, ranges, masks, and that a draw repeats."""

import math

import pytest
import torch

from models.spec import FunctionKind, FunctionsSpec, SinusoidSpec
from models.tasks.functions import Functions
from models.tasks.sinusoid import Sinusoid


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_sinusoid_shapes_and_ranges() -> None:
    support, query = Sinusoid(SinusoidSpec(n_shot=10, n_query=7)).sample(_generator(), 200)
    assert support.inputs.shape == support.targets.shape == (200, 10, 1)
    assert query.inputs.shape == query.targets.shape == (200, 7, 1)
    assert support.mask.shape == (200, 10)
    assert support.class_mask.shape == (200, 0)
    assert support.inputs.abs().max() <= 5
    assert query.targets.abs().max() <= 5


def test_one_sinusoid_fits_support_and_query_of_a_task() -> None:
    support, query = Sinusoid(SinusoidSpec(n_shot=5, n_query=5)).sample(_generator(1), 20)
    for m in range(20):
        basis = torch.cat([support.inputs[m].sin(), support.inputs[m].cos()], dim=1)
        weights = torch.linalg.lstsq(basis.double(), support.targets[m].double()).solution
        amplitude = weights.norm()
        phase = math.atan2(-weights[1], weights[0]) % (2 * math.pi)
        assert 0.1 <= amplitude <= 5
        assert phase <= math.pi + 1e-3
        asked = torch.cat([query.inputs[m].sin(), query.inputs[m].cos()], dim=1).double() @ weights
        torch.testing.assert_close(asked.float(), query.targets[m], rtol=1e-3, atol=1e-3)


def test_functions_vary_their_shots_and_hide_the_padding() -> None:
    family = Functions(FunctionsSpec(min_shot=3, max_shot=6, n_query=8))
    support, query = family.sample(_generator(), 300)
    assert set(support.mask.sum(1).tolist()) == {3, 4, 5, 6}
    assert (support.mask.sort(dim=1, descending=True).values == support.mask).all()
    assert (support.inputs[support.mask == 0] == 0).all()
    assert (support.targets[support.mask == 0] == 0).all()
    assert support.inputs.abs().max() <= 10
    assert query.inputs.abs().max() > 9
    assert query.mask.shape == (300, 8)


CURVATURE: dict[FunctionKind, int] = {"line": 1, "parabola": 2}


@pytest.mark.parametrize("kind", CURVATURE)
def test_lines_and_parabolas_are_polynomials(kind: FunctionKind) -> None:
    family = Functions(FunctionsSpec(min_shot=6, max_shot=6, kinds=(kind,)))
    support, query = family.sample(_generator(2), 30)
    powers = torch.arange(CURVATURE[kind] + 1)
    for m in range(30):
        weights = torch.linalg.lstsq(
            support.inputs[m].double() ** powers, support.targets[m].double(), driver="gelsd"
        ).solution
        asked = (query.inputs[m].double() ** powers) @ weights
        torch.testing.assert_close(asked.float(), query.targets[m], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("kind", ["line", "parabola", "sinusoid", "exponential"])
def test_every_kind_has_its_own_bounds(kind: FunctionKind) -> None:
    largest = {"line": 35, "parabola": 0.3 * 16**2 + 5, "sinusoid": 10, "exponential": 2 * math.exp(3) + 5}
    _, query = Functions(FunctionsSpec(kinds=(kind,))).sample(_generator(), 2000)
    # The largest scale is 10.
    assert 5 * largest[kind] < query.targets.abs().max() <= 10 * largest[kind]


def test_noise_is_on_every_observation_and_grows_with_the_scale() -> None:
    quiet, noisy = (
        Functions(FunctionsSpec(min_shot=16, max_shot=16, noise=noise)).sample(_generator(3), 400)
        for noise in (0.0, 0.5)
    )
    assert torch.equal(quiet.support.inputs, noisy.support.inputs)
    on_support_M, on_query_M = (
        (noisy[side].targets - quiet[side].targets).std(dim=1).flatten() for side in (0, 1)
    )
    for spread_M in (on_support_M, on_query_M):
        assert 0.02 < spread_M.min() < 0.1
        assert 3 < spread_M.max() < 10
    assert abs((on_support_M / on_query_M).log().mean().item()) < 0.05


def test_a_seed_repeats_and_another_does_not() -> None:
    for family in (Functions(FunctionsSpec(noise=0.1)), Sinusoid(SinusoidSpec())):
        one, same, other = (family.sample(_generator(seed), 4) for seed in (5, 5, 6))
        assert torch.equal(one.query.targets, same.query.targets)
        assert not torch.equal(one.query.targets, other.query.targets)


def test_shots_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ValueError, match="min_shot 9 is above max_shot 4"):
        Functions(FunctionsSpec(min_shot=9, max_shot=4))
