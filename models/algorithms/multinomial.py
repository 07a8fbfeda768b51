"""Multinomial logistic regressions of several penalties, with what each example's answer would be without it.

Knows matrices and masks; no network, no episode. All float64, all for one task, all vmappable. S support examples,
P columns (a constant one, then the features), N class slots, G penalties.
"""

from typing import Any

import torch
from torch import Tensor

from models.algorithms.leave_one_out import LinearHead
from models.spec.algorithms.auto import FIT_STEPS

# How much of a Newton step to go, tried all at once: the last is what a fit of huge features begins with.
_LENGTHS = (1.0, 0.5, 0.25, 0.1, 0.03, 0.01)

# The intercept's penalty, none to speak of: in the fit, and where its inverse is needed.
_FREE, _HELD = 1e-9, 1e-2
_TINY = 1e-300

# Conjugate gradients of the gradient, which is solved for once: no further step mends it.
_BACK = 24


def logistic_heads(
    features: Tensor, labels: Tensor, class_mask: Tensor, penalties: Tensor
) -> list[LinearHead]:
    """One for each of `penalties` [G]: -log p(labels) + penalty / 2 |w|^2, the intercept not penalised.

    `features` [S, F]; `labels` one-hot [S, N], all zero for padding. By Newton's method, each of whose systems a
    few conjugate gradients solve: scikit-learn's optimum. What is left out is one Newton step from there, each
    class by its own curvature (Rad & Maleki 2018); no gradient goes through it.
    """
    real_S1 = labels.sum(-1, keepdim=True)
    columns_SP = torch.cat([torch.ones_like(features[:, :1]), features], -1) * real_S1
    weights_PGN: Tensor = _Fit.apply(columns_SP, penalties, labels, class_mask)  # type: ignore[no-untyped-call]
    # What all intercepts share nothing decides.
    shared_1G1 = (weights_PGN[:1] * class_mask).sum(-1, keepdim=True) / class_mask.sum()
    weights_PGN = torch.cat([(weights_PGN[:1] - shared_1G1) * class_mask, weights_PGN[1:]])
    known_S = (labels @ labels.sum(0) > 1.0).to(features.dtype)
    heads = []
    for weights_PN, penalty in zip(weights_PGN.unbind(1), penalties.unbind(), strict=True):
        answers_SN = left_out(columns_SP.detach(), weights_PN.detach(), labels, class_mask, penalty.detach())
        heads.append(LinearHead(weights_PN, answers_SN, known_S))
    return heads


class _Fit(torch.autograd.Function):
    """Weights [P, G, N] at the optimum; their gradient is the optimum's, by the implicit function theorem."""

    generate_vmap_rule = True

    @staticmethod
    def forward(columns: Tensor, penalties: Tensor, labels: Tensor, class_mask: Tensor) -> Tensor:
        labels_S1N = labels.unsqueeze(1)
        weights_PGN = columns.new_zeros(columns.shape[-1], len(penalties), labels.shape[-1])
        ridge_PG1 = _ridge(penalties, columns.shape[-1], _FREE)
        for gradients in FIT_STEPS:
            scores_SGN = _times(columns, weights_PGN)
            chance_SGN = _chances(scores_SGN, class_mask)
            slope_PGN = torch.addcmul(_times(columns.T, chance_SGN - labels_S1N), ridge_PG1, weights_PGN)
            step_PGN = -_solve(columns, chance_SGN, ridge_PG1, slope_PGN, gradients)
            change_SGN = _times(columns, step_PGN)
            slope_1G1, bend_1G1 = (
                _inner(ridge_PG1 * step_PGN, weights_PGN),
                _inner(ridge_PG1 * step_PGN, step_PGN),
            )
            length_1G1 = _length(scores_SGN, change_SGN, slope_1G1, bend_1G1, labels_S1N, class_mask)
            weights_PGN = torch.addcmul(weights_PGN, length_1G1, step_PGN)
        return weights_PGN

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs, output)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        columns, penalties, labels, class_mask, weights_PGN = ctx.saved_tensors
        chance_SGN = _chances(_times(columns, weights_PGN), class_mask)
        ridge_PG1 = _ridge(penalties, columns.shape[-1], _FREE)
        back_PGN = _solve(columns, chance_SGN, ridge_PG1, grads[0], _BACK)
        scores_SGN = _curved(chance_SGN, _times(columns, back_PGN))
        missed_SGN = chance_SGN - labels.unsqueeze(1)
        by_columns = (
            missed_SGN.flatten(1) @ back_PGN.flatten(1).T + scores_SGN.flatten(1) @ weights_PGN.flatten(1).T
        )
        by_penalty = (back_PGN * weights_PGN)[1:].sum((0, 2))
        return -by_columns, -by_penalty, None, None


def left_out(columns: Tensor, weights: Tensor, labels: Tensor, class_mask: Tensor, penalty: Tensor) -> Tensor:
    """Scores [S, N] of each example by the fit without it, one Newton step from the fit of all, [P, N]."""
    scores_SN = columns @ weights
    chance_SN = _chances(scores_SN, class_mask)
    bend_SN = chance_SN * (1.0 - chance_SN)
    ridge_P = _ridge(penalty.unsqueeze(0), columns.shape[-1], _HELD).flatten()
    leverage_SN = _leverage(columns, bend_SN, ridge_P)
    kept_SN = (1.0 - bend_SN * leverage_SN).clamp(min=1e-6)
    return scores_SN + leverage_SN * (chance_SN - labels) / kept_SN


def _leverage(columns: Tensor, bend: Tensor, ridge: Tensor) -> Tensor:
    """[S, N]: x (X' D X + R)^-1 x for every class's curvature D, of `bend` [S, N], in the smaller of two forms."""
    examples, width = columns.shape
    if width < examples:
        curved_NPP = (columns.T * bend.T.unsqueeze(-2)) @ columns + torch.diag(ridge)
        factor, _ = torch.linalg.cholesky_ex(curved_NPP)
        halves: Tensor = torch.linalg.solve_triangular(
            factor, columns.T.expand(len(factor), -1, -1), upper=False
        )
        return halves.square().sum(-2).T
    kernel_SS = (columns / ridge) @ columns.T
    root_NS1 = bend.T.clamp(min=0.0).sqrt().unsqueeze(-1)
    identity = torch.eye(examples, dtype=columns.dtype, device=columns.device)
    factor, _ = torch.linalg.cholesky_ex(identity + root_NS1 * kernel_SS * root_NS1.mT)
    halves = torch.linalg.solve_triangular(factor, root_NS1 * kernel_SS, upper=False)
    return (kernel_SS.diagonal() - halves.square().sum(-2)).T


def _times(matrix: Tensor, tensor: Tensor) -> Tensor:
    """[A, G, N], of a matrix [A, B] and a tensor [B, G, N]: one product of two matrices."""
    return (matrix @ tensor.flatten(1)).view(-1, *tensor.shape[1:])


def _chances(scores: Tensor, class_mask: Tensor) -> Tensor:
    """[..., N]; of padding something, which its columns of zero leave out."""
    return torch.softmax(scores.masked_fill(class_mask == 0, float("-inf")), -1)


def _ridge(penalties: Tensor, width: int, intercept: float) -> Tensor:
    """[P, G, 1]: what each weight is penalised by."""
    free_1G = torch.full_like(penalties, intercept).unsqueeze(0)
    return torch.cat([free_1G, penalties.expand(width - 1, len(penalties))]).unsqueeze(-1)


def _curved(chance: Tensor, moves: Tensor) -> Tensor:
    """What moves of the scores [S, G, N] do to the chances."""
    weighted = chance * moves
    return torch.addcmul(weighted, chance, weighted.sum(-1, keepdim=True), value=-1)


def _solve(columns: Tensor, chance: Tensor, ridge: Tensor, side: Tensor, steps: int) -> Tensor:
    """The Hessian's inverse times `side` [P, G, N], by conjugate gradients with its diagonal as preconditioner.

    Written in few kernels: there are many steps.
    """
    turned = columns.T
    diagonal = _times(turned.square(), chance * (1.0 - chance)) + ridge
    found, left = torch.zeros_like(side), side
    scaled = left / diagonal
    way, size = scaled, _inner(left, scaled)
    for _ in range(steps):
        bent = torch.addcmul(_times(turned, _curved(chance, _times(columns, way))), ridge, way)
        length = size / _inner(way, bent).clamp(min=_TINY)
        found = torch.addcmul(found, length, way)
        left = torch.addcmul(left, length, bent, value=-1)
        scaled = left / diagonal
        before, size = size, _inner(left, scaled)
        way = torch.addcmul(scaled, size / before.clamp(min=_TINY), way)
    return found


def _inner(left: Tensor, right: Tensor) -> Tensor:
    """[1, G, 1]"""
    return (left * right).sum((0, 2), keepdim=True)


def _length(
    scores: Tensor, change: Tensor, slope: Tensor, bend: Tensor, labels: Tensor, class_mask: Tensor
) -> Tensor:
    """[1, G, 1]: the best of a few. `slope` and `bend` are the penalty's along the step, a square in its length."""
    lengths_K111 = torch.tensor(_LENGTHS, dtype=scores.dtype, device=scores.device)[:, None, None, None]
    moved_KSGN = torch.addcmul(scores, lengths_K111, change).masked_fill(class_mask == 0, float("-inf"))
    picked_KSGN = torch.log_softmax(moved_KSGN, -1).masked_fill(class_mask == 0, 0.0) * labels
    squares_K1G1 = lengths_K111 * (slope + 0.5 * lengths_K111 * bend)
    losses_K1G1 = squares_K1G1 - picked_KSGN.sum((1, 3), keepdim=True)
    return lengths_K111.flatten()[losses_K1G1.argmin(0)]
