"""Keys of rows: equal for equal rows, and for no others."""

import numpy as np
import pytest
import torch

from models.tasks.duplicates import are_sampled, is_sample, row_keys, sample_of, text_keys


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


def test_texts_have_keys_of_their_own() -> None:
    keys = text_keys(["cat", "dog", "cat", "", "\ud800"])
    assert keys.dtype == np.uint64
    assert keys[0] == keys[2]
    assert len(set(keys.tolist())) == 4


def test_a_sample_tells_who_has_some_of_the_same() -> None:
    keys, others = (text_keys([f"{name} {number}" for number in range(2000)]) for name in "ab")
    sample = sample_of(keys)
    assert sample_of(np.flip(keys)) == sample
    assert is_sample(sample)
    assert are_sampled(np.concatenate([others, keys]), sample)
    # A twentieth of them, whichever: all but one in twenty-five.
    assert sum(are_sampled(keys[start : start + 100], sample) for start in range(0, 2000, 100)) >= 18
    assert not are_sampled(others, sample)
    assert are_sampled(keys[:3], sample_of(keys[2:5]))
    assert not are_sampled(keys, "")


@pytest.mark.parametrize("text", ["0", "x" * 16, "0x" * 8])
def test_what_is_no_sample(text: str) -> None:
    assert not is_sample(text)
