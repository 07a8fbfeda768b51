"""What logistic regressions leave out: however many classes at a time, and in whatever parts of the matrices."""

import pytest
import torch

from models.algorithms import multinomial_left_out
from models.algorithms.multinomial_left_out import left_out
from tests.unit.models.algorithms.test_leave_one_out import drawn

PENALTIES = torch.tensor([0.02, 3.0], dtype=torch.float64)


@pytest.mark.parametrize(("examples", "columns"), [(40, 60), (40, 7)])
def test_it_is_the_whole_matrices(examples: int, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = drawn(examples, columns)
    weights = 0.1 * torch.randn(2, columns + 1, 4, generator=torch.Generator().manual_seed(0)).double()
    whole = left_out(features, weights, labels, torch.ones(4), PENALTIES)
    monkeypatch.setattr(multinomial_left_out, "_WHOLE", 6)
    monkeypatch.setattr(multinomial_left_out, "AT_ONCE", 1)
    parts = left_out(features, weights, labels, torch.ones(4), PENALTIES)
    torch.testing.assert_close(parts, whole, rtol=1e-9, atol=1e-9)


def test_both_forms_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = drawn(30, 8)
    weights = 0.1 * torch.randn(2, 9, 4, generator=torch.Generator().manual_seed(0)).double()
    ones = torch.ones(4)
    among_features = left_out(features, weights, labels, ones, PENALTIES)
    monkeypatch.setattr(multinomial_left_out, "_kept_by_features", multinomial_left_out._kept_by_examples)
    torch.testing.assert_close(
        left_out(features, weights, labels, ones, PENALTIES), among_features, rtol=1e-8, atol=1e-8
    )
