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


def ridge_head(features: Tensor, labels: Tensor, penalty: Tensor) -> LinearHead:
    """Ridge regression to one-hot labels with an intercept that is not penalised.

    What is left out is exact, from the one fit of all (Allen 1974's PRESS, as in scikit-learn's `RidgeCV`).
    """
    real_S1 = labels.sum(-1, keepdim=True)
    n = real_S1.sum().clamp(min=1.0)
    mean_F, share_N = (features * real_S1).sum(0) / n, labels.sum(0) / n
    centred_SF = (features - mean_F) * real_S1
    centred_SN = (labels - share_N) * real_S1
    slopes_FN, leverage_S = _fit(centred_SF, centred_SN, penalty)
    fitted_SN = centred_SF @ slopes_FN
    kept_S = (1.0 - leverage_S - 1.0 / n).clamp(min=_TINY)
    left_out_SN = labels - (centred_SN - fitted_SN) / kept_S.unsqueeze(-1)
    weights = torch.cat([(share_N - mean_F @ slopes_FN).unsqueeze(0), slopes_FN])
    counts_N = labels.sum(0)
    return LinearHead(weights, left_out_SN, (labels @ counts_N > 1.0).to(features.dtype))


def chosen_ridge_head(features: Tensor, labels: Tensor, penalties: Tensor) -> LinearHead:
    """The ridge head of that one of `penalties` [G] which errs least, squared, on what it left out."""
    heads = [ridge_head(features, labels, penalty) for penalty in penalties.unbind()]
    real_S1 = labels.sum(-1, keepdim=True)
    errors_G = torch.stack([((head.left_out - labels) * real_S1).square().sum() for head in heads])
    best = errors_G.argmin()
    return LinearHead(
        *(
            torch.stack(parts).index_select(0, best.unsqueeze(0)).squeeze(0)
            for parts in zip(*heads, strict=True)
        )
    )


def calibrate(
    head: LinearHead, labels: Tensor, class_mask: Tensor, prior: Tensor, deviation: float
) -> tuple[Tensor, Tensor]:
    """What scores are to be multiplied by to be logits, the inverse temperature (Guo et al. 2017); and how likely
    the left-out labels are by it, a scalar log.

    The maximum a posteriori of that likelihood under a log-normal prior about `prior`, a scalar log scale, of so
    many e-folds of `deviation`. Examples that are the only ones of their class say nothing, so one example a class
    leaves the prior as it is.
    """
    offsets_G = torch.linspace(-3.0, 3.0, _SCALES, dtype=prior.dtype, device=prior.device) * deviation
    scales_G = torch.exp(prior + offsets_G)
    left_out_SN = head.left_out.masked_fill(class_mask == 0, float("-inf"))
    # One after the other: all at once would take their number times the memory.
    likelihood_G = torch.stack(
        [_likelihood(scale * left_out_SN, labels, head.known) for scale in scales_G.unbind()]
    )
    best = (likelihood_G - 0.5 * (offsets_G / deviation).square()).argmax().unsqueeze(0)
    return scales_G.index_select(0, best).squeeze(0), likelihood_G.index_select(0, best).squeeze(0)


# Scales that are tried, over three deviations of the prior to either side; odd, so that the prior's is one.
_SCALES = 19


def _likelihood(logits: Tensor, labels: Tensor, known: Tensor) -> Tensor:
    picked_S = (torch.log_softmax(logits, dim=-1).clamp(min=-1e4) * labels).sum(-1)
    return (picked_S * known).sum()


def _fit(features: Tensor, labels: Tensor, penalty: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes [F, N], and each example's leverage [S], in the smaller of the two forms (the Woodbury identity)."""
    examples, columns = features.shape
    if columns < examples:
        identity = torch.eye(columns, dtype=features.dtype, device=features.device)
        factor, _ = torch.linalg.cholesky_ex(features.T @ features + penalty * identity)
        inverse_FS = torch.cholesky_solve(features.T, factor)
        return inverse_FS @ labels, (features * inverse_FS.T).sum(-1)
    identity = torch.eye(examples, dtype=features.dtype, device=features.device)
    factor, _ = torch.linalg.cholesky_ex(features @ features.T + penalty * identity)
    inverse_SS = torch.cholesky_solve(identity, factor)
    return features.T @ (inverse_SS @ labels), 1.0 - penalty * inverse_SS.diagonal(dim1=-2, dim2=-1)
