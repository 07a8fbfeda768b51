"""Multinomial logistic regressions of several penalties, with what each example's answer would be without it.

Knows matrices and masks; no network, no episode. All float64, all for one task, all vmappable. S support examples,
F features, N class slots, G penalties. A fit is a number for every example and class: the weights are the examples'
sum by them, so that all is solved among examples, of which there are fewer than features.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from models.algorithms.leave_one_out import LinearHead
from models.algorithms.multinomial_left_out import left_out
from models.spec.algorithms.auto import FIT_STEPS

# How much of a Newton step to go, tried all at once. From nothing the first leads too near, where classes are far
# apart, or too far, where they are many.
_LENGTHS = (1.0, 0.5, 0.25, 0.1, 0.03, 2.0, 4.0, 8.0)
# The whole one is the best of those that differ by rounding: so near, it is Newton's that is right.
_CLEARLY = 1e-12

# A system is solved where nothing is left of it but what rounding leaves of the first, squared.
_SOLVED = 1e-28
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
    features_SF = features * real_S1
    mean_F = features_SF.sum(0) / real_S1.sum().clamp(min=1.0)
    centred_SF = features_SF - mean_F * real_S1
    fitted: tuple[Tensor, Tensor] = _Fit.apply(centred_SF, penalties, labels, class_mask)  # type: ignore[no-untyped-call]
    weights_GNF, intercepts_GN1 = fitted
    intercepts_GN1 = intercepts_GN1 - (weights_GNF @ mean_F).unsqueeze(-1)
    weights_GPN = torch.cat([intercepts_GN1, weights_GNF], -1).mT
    with torch.no_grad():
        answers_GSN = left_out(features_SF, weights_GPN, labels, class_mask, penalties)
    known_S = (labels @ labels.sum(0) > 1.0).to(features.dtype)
    return [
        LinearHead(weights_PN, answers_SN, known_S)
        for weights_PN, answers_SN in zip(weights_GPN.unbind(), answers_GSN.unbind(), strict=True)
    ]


class _Fit(torch.autograd.Function):
    """Weights [G, N, F] on centred features [S, F], and intercepts [G, N, 1], at the optimum.

    Their gradient is the optimum's, by the implicit function theorem.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(
        features: Tensor, penalties: Tensor, labels: Tensor, class_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        problem = _problem(features, penalties, labels, class_mask)
        # As often as each class comes, to begin with.
        often_N1 = torch.log(problem.labels.sum(-1, keepdim=True).clamp(min=0.5))
        often_N1 = (often_N1 - (often_N1 * problem.used).sum() / problem.used.sum()) * problem.used
        intercepts_GN1 = often_N1.expand(len(penalties), -1, -1)
        scores_GNS = intercepts_GN1 * problem.real
        shares_GNS = torch.zeros_like(scores_GNS)
        floor_G11 = torch.zeros_like(problem.penalties)
        for step, gradients in enumerate(FIT_STEPS):
            chance_GNS = problem.chances(scores_GNS)
            missed_GNS = torch.addcmul(problem.labels - chance_GNS, problem.penalties, shares_GNS, value=-1)
            if step == 0:
                floor_G11 = problem.floor(missed_GNS)
            step_GNS = _solve(problem, chance_GNS, missed_GNS, floor_G11, gradients)
            change_GNS = problem.times(step_GNS)
            sums_GN1 = step_GNS.sum(-1, keepdim=True)
            step_GNS = torch.addcmul(step_GNS, problem.evenly, sums_GN1, value=-1)
            length_G11 = _length(problem, scores_GNS, change_GNS, step_GNS)
            scores_GNS = torch.addcmul(scores_GNS, length_G11, change_GNS)
            shares_GNS = torch.addcmul(shares_GNS, length_G11, step_GNS)
            intercepts_GN1 = torch.addcmul(intercepts_GN1, problem.constant * length_G11, sums_GN1)
        return shares_GNS @ features, intercepts_GN1

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(*inputs, *output)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        """Of weights a X and intercepts b, with a = (labels - chances) / penalty and scores a X X' + b."""
        features, penalties, labels, class_mask, weights_GNF, intercepts_GN1 = ctx.saved_tensors
        by_weights_GNF, by_intercepts_GN1 = grads
        problem = _problem(features, penalties, labels, class_mask)
        chance_GNS = problem.chances(weights_GNF @ features.T + intercepts_GN1)
        by_shares_GNS = by_weights_GNF @ features.T
        # All classes' intercepts together stay as they are. What each asks for is shared evenly among the examples;
        # the rest is a system like the fit's.
        asked_GN1 = by_intercepts_GN1 * problem.used
        asked_GN1 = (asked_GN1 - asked_GN1.sum(1, keepdim=True) / problem.used.sum()) * problem.used
        side_GNS = _curved(chance_GNS, by_shares_GNS) - problem.penalties * (asked_GN1 * problem.evenly)
        moved_GNS = problem.times(_solve(problem, chance_GNS, side_GNS, problem.floor(side_GNS), _BACK))
        # By what they are at the optimum: scores do not tell all of them.
        shares_GNS = (problem.labels - chance_GNS) / problem.penalties
        unmoved_GNS = (by_shares_GNS - moved_GNS) * problem.real / problem.penalties
        back_GNS = _curved(chance_GNS, unmoved_GNS)
        rows_GNF = by_weights_GNF - back_GNS @ features
        by_features = shares_GNS.flatten(0, 1).T @ rows_GNF.flatten(0, 1)
        by_features = by_features - back_GNS.flatten(0, 1).T @ weights_GNF.flatten(0, 1)
        return by_features, -(unmoved_GNS * shares_GNS).sum((1, 2)), None, None


class _Problem(NamedTuple):
    """Regressions on centred features and a constant, whose weight is not penalised.

    Scores are the kernel times a number for each example: these, centred, are what the examples add to the weights,
    and their sum is the constant's weight.
    """

    wide: Tensor  # [S, F + 1], the constant last
    kernel: Tensor | None  # [S, S], wide @ wide.T; None where the two are less work
    constant: Tensor  # the constant squared
    real: Tensor  # [S], 0 for padding
    evenly: Tensor  # [S], one in as many as are real
    penalties: Tensor  # [G, 1, 1]
    labels: Tensor  # [N, S]
    used: Tensor  # [N, 1], 0 for class slots without a class
    unused: Tensor  # [N, 1], -inf for those, else 0

    def times(self, tensor: Tensor) -> Tensor:
        """The scores of [G, N, S]."""
        return (tensor @ self.wide) @ self.wide.T if self.kernel is None else tensor @ self.kernel

    def chances(self, scores: Tensor) -> Tensor:
        """[G, N, S], of padding zero."""
        return torch.softmax(scores + self.unused, 1) * self.real

    def floor(self, side: Tensor) -> Tensor:
        """[G, 1, 1], what is nothing of the size of a `side`."""
        return (_SOLVED * _inner(side, self.times(side))).clamp(min=_TINY)


def _problem(features: Tensor, penalties: Tensor, labels: Tensor, class_mask: Tensor) -> _Problem:
    real_S = labels.sum(-1)
    evenly_S = real_S / real_S.sum().clamp(min=1.0)
    # As large as all the features together, so that the constant is quickly found.
    constant = (features.square().sum(-1) @ evenly_S).clamp(min=1e-9)
    wide_SP = torch.cat([features, (constant.sqrt() * real_S).unsqueeze(-1)], -1)
    kernel_SS = wide_SP @ wide_SP.T if len(features) <= features.shape[-1] else None
    used_N1 = class_mask.to(features.dtype).unsqueeze(-1)
    unused_N1 = torch.zeros_like(used_N1).masked_fill(used_N1 == 0, float("-inf"))
    penalties_G11 = penalties[:, None, None]
    return _Problem(
        wide_SP,
        kernel_SS,
        constant,
        real_S,
        evenly_S,
        penalties_G11,
        labels.mT.contiguous(),
        used_N1,
        unused_N1,
    )


def _curved(chance: Tensor, moves: Tensor) -> Tensor:
    """What moves of the scores [G, N, S] do to the chances."""
    weighted = chance * moves
    return torch.addcmul(weighted, chance, weighted.sum(1, keepdim=True), value=-1)


def _solve(problem: _Problem, chance: Tensor, side: Tensor, floor: Tensor, steps: int) -> Tensor:
    """The step [G, N, S] whose scores' effect on the chances, and what it adds to the penalty, are `side`.

    By conjugate gradients in the kernel's own inner product, in which the system is symmetric: each takes one
    product. Below `floor` [G, 1, 1] they fade. Written in few operations: there are many steps.
    """
    penalties, even_penalties = problem.penalties, problem.penalties * problem.evenly
    lowest = problem.penalties * floor
    left = way = side
    moved = problem.times(left)
    size = _inner(left, moved)
    found = torch.zeros_like(side)
    for step in range(steps):
        bent = torch.addcmul(_curved(chance, moved), penalties, way)
        bent = torch.addcmul(bent, even_penalties, way.sum(-1, keepdim=True), value=-1)
        length = size / torch.maximum(_inner(bent, moved), lowest)
        found = torch.addcmul(found, length, way)
        if step == steps - 1:
            break
        left = torch.addcmul(left, length, bent, value=-1)
        scores = problem.times(left)
        before, size = size, _inner(left, scores)
        turn = size / torch.maximum(before, floor)
        way, moved = torch.addcmul(left, turn, way), torch.addcmul(scores, turn, moved)
    return found


def _inner(left: Tensor, right: Tensor) -> Tensor:
    """[G, 1, 1]"""
    return (left * right).sum((1, 2), keepdim=True)


def _length(problem: _Problem, scores: Tensor, change: Tensor, step: Tensor) -> Tensor:
    """[G, 1, 1]: the best of a few for scores that change so by a `step`, which is centred."""
    lengths_K111 = torch.tensor(_LENGTHS, dtype=scores.dtype, device=scores.device)[:, None, None, None]
    # Penalty and labels along it: a square in the length.
    bend_G11 = problem.penalties * _inner(step, change)
    slope_G11 = problem.penalties * _inner(step, scores) - _inner(problem.labels, change)
    squares_KG11 = lengths_K111 * (slope_G11 + 0.5 * lengths_K111 * bend_G11)
    moved_KGNS = torch.addcmul(scores + problem.unused, lengths_K111, change)
    totals_KG = torch.logsumexp(moved_KGNS, 2) @ problem.real
    handicaps_K1 = 1.0 + _CLEARLY * (lengths_K111 != 1.0)[..., 0, 0]
    losses_KG11 = squares_KG11 + (handicaps_K1 * totals_KG)[..., None, None]
    return lengths_K111.flatten()[losses_KG11.argmin(0)]
