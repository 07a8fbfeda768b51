"""Closed-form heads for tables: what is left out is what a fit without the row says, and padding says nothing."""

import torch

from models.algorithms.table_columns import describe
from models.algorithms.table_heads import HEADS, Rows, fit, kernels
from models.algorithms.table_relevance import COUNT, relevance

S, D, N = 9, 4, 3
RIDGES = torch.linspace(0.05, 0.8, len(HEADS))
COLUMNS = torch.linspace(0.1, 0.9, len(HEADS) * D).reshape(len(HEADS), D)
ALIKE = torch.full((len(HEADS),), 0.7)


def drawn(rows: int, seed: int = 0) -> Rows:
    generator = torch.Generator().manual_seed(seed)
    size = torch.randn(rows, D, generator=generator)
    return Rows(size, size.tanh())


def test_what_is_left_out_is_what_the_others_say_of_a_row() -> None:
    rows = drawn(S)
    targets = torch.nn.functional.one_hot(torch.arange(S) % N, N).float() - 1 / N
    likeness = kernels(rows, rows, COLUMNS, ALIKE)
    found = fit(likeness, RIDGES, targets, torch.ones(S))
    for row in range(S):
        others = torch.arange(S) != row
        alone = fit(likeness[:, others][:, :, others], RIDGES, targets[others], torch.ones(S - 1))
        said = likeness[:, row, others].unsqueeze(1) @ alone.weights
        torch.testing.assert_close(found.left_out[:, row], said.squeeze(1), rtol=1e-4, atol=1e-5)


def test_padding_takes_no_part_in_a_fit() -> None:
    rows, targets = drawn(S), torch.randn(S, 1, generator=torch.Generator().manual_seed(1))
    alone = fit(kernels(rows, rows, COLUMNS, ALIKE), RIDGES, targets, torch.ones(S))
    pad = torch.nn.functional.pad
    wide = Rows(*(pad(part, (0, 0, 0, 5), value=3.0) for part in rows))
    mask = (torch.arange(S + 5) < S).float()
    padded = fit(kernels(wide, wide, COLUMNS, ALIKE), RIDGES, pad(targets, (0, 0, 0, 5), value=7.0), mask)
    for whole, part in zip(padded, alone, strict=True):
        torch.testing.assert_close(whole[:, :S], part, rtol=1e-4, atol=1e-5)
        assert (whole[:, S:] == 0).all()


def test_every_kernel_is_one() -> None:
    """Symmetric, positive definite, and of a column that does not count independent."""
    rows = drawn(S)
    likeness = kernels(rows, rows, COLUMNS, ALIKE)
    torch.testing.assert_close(likeness, likeness.transpose(-1, -2))
    assert (torch.linalg.eigvalsh(likeness.double()) > -1e-5).all()
    idle = COLUMNS.clone()
    idle[:, 1] = 0.0
    moved = Rows(rows.size.clone(), rows.place.clone())
    moved.size[:, 1], moved.place[:, 1] = 5.0, -1.0
    torch.testing.assert_close(kernels(moved, rows, idle, ALIKE), kernels(rows, rows, idle, ALIKE))


def test_a_column_that_tells_the_target_is_told_from_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(40, D, generator=generator)
    labels = (inputs[:, 2] > 0.2).long()
    mask = torch.ones(40)
    columns = describe(inputs, mask)
    rows = Rows(inputs, inputs.tanh())
    known = torch.nn.functional.one_hot(labels, N).float()
    found = relevance(rows, columns, torch.zeros_like(inputs), known, mask)
    assert found.shape == (D, COUNT)
    # Linear in value and in place, and by neighbours in two reaches.
    for number in (0, 1, 6, 7):
        assert found[:, number].argmax() == 2
        assert found[2, number] > 0.5
    shuffled = relevance(
        rows, columns, torch.zeros_like(inputs), known[torch.randperm(40, generator=generator)], mask
    )
    assert (shuffled[:, (6, 7)] < 0.2).all()
