"""Linear classifiers in closed form, with what each example's answer would have been had it been left out.

Knows matrices and masks; no network, no episode. All float64, all for one task, all vmappable: choices are made by
masks and indices, so tasks of different shots share a batch. S support examples, F features, N class slots.
"""

from typing import NamedTuple

import torch
from torch import Tensor

_TINY = 1e-12


class LinearHead(NamedTuple):
    """Scores are `[1, features] @ weights`; `left_out` are those of each support example without itself."""

    weights: Tensor  # [F + 1, N], the intercept first
    left_out: Tensor  # [S, N]
    known: Tensor  # [S], 1 where leaving the example out leaves its class another one


def prototype_head(features: Tensor, labels: Tensor) -> LinearHead:
    """Nearest class mean (Snell et al. 2017) as the linear classifier that it is: 2 z.c - |c|^2.

    `features` [S, F]; `labels` one-hot [S, N], all zero for padding.
    """
    counts_N = labels.sum(0)
    sums_NF = labels.T @ features
    means_NF = sums_NF / counts_N.clamp(min=1.0).unsqueeze(-1)
    weights = torch.cat([-means_NF.square().sum(-1).unsqueeze(0), 2 * means_NF.T])
    scores_SN = weights[0] + features @ weights[1:]
    # Without an example only its own class has another mean.
    others_S = (labels @ counts_N - 1.0).clamp(min=1.0)
    mean_SF = (labels @ sums_NF - features) / others_S.unsqueeze(-1)
    own_S = 2 * (features * mean_SF).sum(-1) - mean_SF.square().sum(-1)
    left_out_SN = torch.where(labels > 0, own_S.unsqueeze(-1), scores_SN)
    return LinearHead(weights, left_out_SN, (labels @ counts_N > 1.0).to(features.dtype))


def ridge_head(
    features: Tensor, labels: Tensor, penalties: Tensor, judged: Tensor | None = None
) -> LinearHead:
    """Ridge regression to one-hot labels, with an intercept that is not penalised.

    What is left out is exact, from the one fit of all (Allen 1974's PRESS, as in scikit-learn's `RidgeCV`). Of
    `penalties` [G] it is the one that errs least there, squared: by the examples that are 1 in `judged` [S], or by
    all.
    """
    real_S1 = labels.sum(-1, keepdim=True)
    counts_N = labels.sum(0)
    n = real_S1.sum().clamp(min=1.0)
    mean_F, share_N = (features * real_S1).sum(0) / n, counts_N / n
    centred_SF = (features - mean_F) * real_S1
    centred_SN = (labels - share_N) * real_S1
    fit = _fit_features if features.shape[-1] < len(features) else _fit_examples
    fits_GRN, missed_GSN, leverages_GS = fit(centred_SF, centred_SN, penalties)
    with torch.no_grad():
        kept_GS1 = (1.0 - leverages_GS - 1.0 / n).clamp(min=_TINY).unsqueeze(-1)
        errors_GSN = missed_GSN / kept_GS1 * real_S1
        judged_GSN = errors_GSN if judged is None else errors_GSN * judged.unsqueeze(-1)
        missed_G = judged_GSN.square().sum((-2, -1))
        # What is not a number is no error: argmin would take it for the smallest.
        best = missed_G.nan_to_num(nan=torch.inf).argmin().unsqueeze(0)
        left_out_SN = labels - errors_GSN.index_select(0, best).squeeze(0)
    slopes_FN = fits_GRN.index_select(0, best).squeeze(0)
    if fit is _fit_examples:
        slopes_FN = centred_SF.T @ slopes_FN
    weights = torch.cat([(share_N - mean_F @ slopes_FN).unsqueeze(0), slopes_FN])
    return LinearHead(weights, left_out_SN, (labels @ counts_N > 1.0).to(features.dtype))


def calibrate(
    head: LinearHead, labels: Tensor, class_mask: Tensor, prior: Tensor, deviation: float
) -> tuple[Tensor, Tensor]:
    """What scores are to be multiplied by to be logits, the inverse temperature (Guo et al. 2017); and how likely
    the left-out labels are by it, a log. Scalars, or [H] for H heads stacked and as many priors.

    The maximum a posteriori of that likelihood under a log-normal prior about `prior`, a log scale, of so many
    e-folds of `deviation`. Examples that are the only ones of their class say nothing, so one example a class
    leaves the prior as it is.
    """
    offsets_G = torch.linspace(-3.0, 3.0, _SCALES, dtype=prior.dtype, device=prior.device) * deviation
    with torch.no_grad():
        likelihood_GH = _likelihoods(head, labels, class_mask, prior, offsets_G)
        by_prior_G = -0.5 * (offsets_G / deviation).square()
        best = (likelihood_GH + by_prior_G.view(-1, *[1] * prior.dim())).argmax(0)
        likelihood_H = torch.take_along_dim(likelihood_GH, best.unsqueeze(0), 0).squeeze(0)
    return torch.exp(prior + offsets_G[best]), likelihood_H


def _likelihoods(
    head: LinearHead, labels: Tensor, class_mask: Tensor, prior: Tensor, offsets: Tensor
) -> Tensor:
    """[G, H] of the labels of what was left out, by every scale."""
    scores_HSN = head.left_out.masked_fill(class_mask == 0, float("-inf"))
    picked_HS1 = (head.left_out * labels).sum(-1, keepdim=True)
    behind_HSN = scores_HSN - picked_HS1
    scales_GH11 = torch.exp(prior + offsets.view(-1, *[1] * prior.dim()))[..., None, None]
    # So many scales at once as there is room for.
    parts = -(-_SCALES // max(1, _AT_ONCE // behind_HSN.numel()))
    missed_GHS = torch.cat(
        [torch.logsumexp(scales_H11 * behind_HSN, -1) for scales_H11 in scales_GH11.chunk(parts)]
    )
    return -(missed_GHS.clamp(max=1e4) * head.known).sum(-1)


# Scales that are tried, over three deviations of the prior to either side; odd, so that the prior's is one.
_SCALES = 19


# Numbers that are made of scores at once.
_AT_ONCE = 1 << 20


def _fit_features(features: Tensor, labels: Tensor, penalties: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Slopes [G, F, N], what they leave of the labels [G, S, N], and each example's leverage [G, S]."""
    identity = torch.eye(features.shape[-1], dtype=features.dtype, device=features.device)
    factor_GFF, _ = torch.linalg.cholesky_ex(features.T @ features + penalties[:, None, None] * identity)
    slopes_GFN = torch.cholesky_solve((features.T @ labels).expand(len(penalties), -1, -1), factor_GFF)
    # One after the other: all halves at once would take their number times the memory.
    leverages = [_leverage(features, factor) for factor in factor_GFF.detach().unbind()]
    return slopes_GFN, labels - features @ slopes_GFN, torch.stack(leverages)


def _leverage(features: Tensor, factor: Tensor) -> Tensor:
    halves: Tensor = torch.linalg.solve_triangular(factor, features.detach().T, upper=False)
    return halves.square().sum(0)


def _fit_examples(features: Tensor, labels: Tensor, penalties: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same where there are fewer examples (the Woodbury identity): in place of slopes, what each example adds
    to them, [G, S, N]."""
    identity = torch.eye(len(features), dtype=features.dtype, device=features.device)
    penalties_G11 = penalties[:, None, None]
    inverse_GSS = positive_inverse(features @ features.T + penalties_G11 * identity)
    shares_GSN = inverse_GSS @ labels
    kept_GS = penalties.unsqueeze(-1) * inverse_GSS.diagonal(dim1=-2, dim2=-1)
    return shares_GSN, penalties_G11 * shares_GSN, 1.0 - kept_GS


def positive_inverse(matrices: Tensor) -> Tensor:
    """Inverses of positive definite matrices [..., R, R]; NaN, and no error, where rounding left one otherwise."""
    factor, failed = torch.linalg.cholesky_ex(matrices)
    broken = (failed != 0)[..., None, None]
    identity = torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
    return torch.cholesky_inverse(torch.where(broken, identity, factor)).masked_fill(broken, torch.nan)
