"""Losses under masks, worked out by hand."""

import math

import torch

from models.functional import accuracy, cross_entropy, masked_mean, one_hot, only_real_classes, squared_error


def test_masked_mean_counts_real_entries_alone() -> None:
    assert masked_mean(torch.tensor([1.0, 3.0, 99.0]), torch.tensor([1.0, 1.0, 0.0])) == 2
    assert masked_mean(torch.tensor([1.0]), torch.tensor([0.0])) == 0


def test_squared_error_is_over_columns_and_real_rows() -> None:
    predictions = torch.tensor([[1.0, 2.0], [5.0, 5.0]])
    assert squared_error(predictions, torch.tensor([[0.0, 0.0], [9.0, 9.0]]), torch.tensor([1.0, 0.0])) == 2.5


def test_cross_entropy_and_accuracy_over_masked_slots() -> None:
    logits = only_real_classes(torch.tensor([[1.0, 1.0, 50.0], [0.0, 9.0, 50.0]]), torch.tensor([1.0, 1, 0]))
    targets = torch.tensor([0, 1])
    first = torch.tensor([1.0, 0.0])
    assert math.isclose(cross_entropy(logits, targets, first).item(), math.log(2), rel_tol=1e-6)
    assert accuracy(logits, targets, torch.ones(2)) == 1
    assert accuracy(logits, torch.tensor([1, 0]), torch.ones(2)) == 0


def test_one_hot_leaves_padding_out() -> None:
    rows = one_hot(torch.tensor([2, 0, 0]), torch.tensor([1.0, 1.0, 0.0]), 3)
    assert rows.tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 0]]
