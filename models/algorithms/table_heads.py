"""Closed-form heads for small tables: ridge regression under a few kernels, each row left out exactly. No tokens.

Written for any leading dimensions. E rows of any kind, S labelled rows, D columns, G heads, N channels: a target's
one-hot class slots, or the one number.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Rows(NamedTuple):
    """Rows as the kernels take them."""

    size: Tensor  # float32 [..., E, D], standardised
    place: Tensor  # float32 [..., E, D], from -1 to 1


class Head(NamedTuple):
    """A kernel, how fast it falls with the mean distance over columns, and its ridge before anything is learned."""

    kernel: str
    scale: float
    ridge: float


HEADS = (
    Head("linear", 1.0, 0.1),
    Head("linear", 1.0, 1.0),
    Head("linear in places", 3.0, 0.5),
    Head("gaussian", 0.25, 0.1),
    Head("gaussian", 1.0, 0.1),
    Head("laplace", 1.0, 0.1),
    Head("laplace", 3.0, 0.1),
    Head("laplace", 9.0, 0.1),
    Head("additive", 1.0, 0.2),
    Head("additive, narrow", 1.0, 0.2),
)
"""Straight lines, smooth functions, and what trees fit: places alone count, all columns at once or one by one."""

# How far apart two places are, before a column by itself tells nothing of one from the other.
_REACHES = {"additive": 0.4, "additive, narrow": 0.12}


class Fit(NamedTuple):
    """Ridge regressions of every head on the labelled rows."""

    weights: Tensor  # [..., G, S, N], zero for padding
    left_out: Tensor  # [..., G, S, N] what each row's target would have been taken for without it


def kernels(rows: Rows, others: Rows, columns: Tensor, constant: Tensor) -> Tensor:
    """Likeness [..., G, E, S] of rows to others, where `columns` [..., G, D] says how much each column counts.

    `constant` [..., G] is what any two rows share: the intercept's variance.
    """
    apart = (rows.place.unsqueeze(-2) - others.place.unsqueeze(-3)).abs()  # [..., E, S, D]
    found: list[Tensor] = []
    at = 0
    for kernel in dict.fromkeys(head.kernel for head in HEADS):
        count = sum(head.kernel == kernel for head in HEADS)
        own = columns[..., at : at + count, :]
        found.append(_kernel(kernel, rows, others, own, apart))
        at += count
    return torch.cat(found, dim=-3) + constant[..., None, None]


def _kernel(kernel: str, rows: Rows, others: Rows, columns: Tensor, apart: Tensor) -> Tensor:
    if kernel == "linear":
        return _product(rows.size, others.size, columns)
    if kernel == "linear in places":
        return _product(rows.place, others.place, columns)
    if kernel == "gaussian":
        squares = columns @ rows.size.square().transpose(-1, -2)
        theirs = columns @ others.size.square().transpose(-1, -2)
        both = _product(rows.size, others.size, columns)
        return torch.exp(-(squares.unsqueeze(-1) + theirs.unsqueeze(-2) - 2 * both).clamp(min=0.0))
    if kernel == "laplace":
        return torch.exp(-_over_columns(apart, columns))
    return _over_columns(torch.exp(-apart / _REACHES[kernel]), columns)


def _product(one: Tensor, other: Tensor, columns: Tensor) -> Tensor:
    return (one.unsqueeze(-3) * columns.unsqueeze(-2)) @ other.unsqueeze(-3).transpose(-1, -2)


def _over_columns(values: Tensor, columns: Tensor) -> Tensor:
    """Values [..., E, S, D] summed by weights [..., G, D], [..., G, E, S]."""
    rows, others, width = values.shape[-3:]
    summed = columns @ values.reshape(*values.shape[:-3], rows * others, width).transpose(-1, -2)
    return summed.reshape(*summed.shape[:-1], rows, others)


def fit(likeness: Tensor, ridges: Tensor, targets: Tensor, mask: Tensor) -> Fit:
    """Of labelled rows' likeness to one another [..., G, S, S], by ridges [..., G], to targets [..., S, N].

    What is left out is exact, from the one fit of all (Allen 1974's PRESS). `mask` [..., S] is 1 for a real row.
    """
    both = (mask.unsqueeze(-1) * mask.unsqueeze(-2)).unsqueeze(-3)
    identity = torch.eye(mask.shape[-1], dtype=likeness.dtype, device=likeness.device)
    # Not checked: these matrices are positive definite, and a check would wait for the device.
    inverse = torch.linalg.inv_ex(likeness * both + ridges[..., None, None] * identity).inverse
    wanted = (targets * mask.unsqueeze(-1)).unsqueeze(-3)
    weights = inverse @ wanted
    left_out = wanted - weights / inverse.diagonal(dim1=-2, dim2=-1).unsqueeze(-1)
    return Fit(weights, left_out * mask.unsqueeze(-1).unsqueeze(-3))
