"""Keys of rows: equal for equal rows, and for no others."""

import numpy as np
import pytest
import torch

from models.tasks.duplicates import row_keys


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8, torch.int64])
def test_equal_rows_have_equal_keys_and_different_rows_different_ones(dtype: torch.dtype) -> None:
    rows = torch.randint(0, 4, (3000, 6), generator=torch.Generator().manual_seed(0)).to(dtype)
    keys = row_keys(rows)
    _, expected = np.unique(rows.numpy(), axis=0, return_inverse=True)
    _, found = np.unique(keys, return_inverse=True)
    assert len(np.unique(np.stack([expected, found]), axis=1).T) == expected.max() + 1


def test_several_tensors_are_one_row_and_their_places_count() -> None:
    left, right = torch.tensor([[1.0], [2.0]]), torch.tensor([2, 1])
    assert len(set(row_keys(left, right).tolist())) == 2
    assert row_keys(left)[0] != row_keys(torch.zeros(2, 1), left)[0]


def test_zero_has_one_sign() -> None:
    keys = row_keys(torch.tensor([[0.0], [-0.0]]))
    assert keys[0] == keys[1]
