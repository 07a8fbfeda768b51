"""What logistic regressions would answer for each example without it. Knows matrices and masks; fits nothing.

All float64, all for one task, all vmappable. S support examples, F features, P = 1 + F weights, N class slots, G
penalties.
"""

import torch
from torch import Tensor

from models.algorithms.leave_one_out import positive_inverse
from models.spec.algorithms.auto import AT_ONCE

# What holds the intercept here, where its curvature's inverse is needed.
_HELD = 1e-2

# Rows up to which a matrix is inverted as a whole: of larger ones products take the most part, which are quicker.
_WHOLE = 96


def left_out(
    features: Tensor, weights: Tensor, labels: Tensor, class_mask: Tensor, penalties: Tensor
) -> Tensor:
    """Scores [G, S, N] of each example by the fits without it, one Newton step from the fits of all, [G, P, N].

    Each class goes by its own curvature (Rad & Maleki 2018). `features` [S, F], zero for padding; `labels` [S, N].
    """
    examples, width = features.shape
    real_S1 = labels.sum(-1, keepdim=True)
    scores_GSN = weights[:, :1] * real_S1 + features @ weights[:, 1:]
    chance_GSN = torch.softmax(scores_GSN.masked_fill(class_mask == 0, float("-inf")), -1)
    bend_GNS = (chance_GSN * (1.0 - chance_GSN) * real_S1).mT
    side = min(examples, width + 1)
    # Some classes after the others, where all are too many at once.
    numbers = len(penalties) * labels.shape[-1] * side * side
    parts = -(-numbers // AT_ONCE)
    kept = _kept_by_features if width < examples else _kept_by_examples
    kept_GNS = torch.cat([kept(features, some, penalties, real_S1) for some in bend_GNS.chunk(parts, 1)], 1)
    # What an example's own label does to its scores: so much as its curvature leaves of it, over the curvature.
    chance_GSN = torch.where(labels > 0, chance_GSN, 1.0 - chance_GSN).clamp(min=1e-12)
    own_GSN = (real_S1 - 2.0 * labels) / chance_GSN
    return scores_GSN + own_GSN * ((1.0 - kept_GNS) / kept_GNS.clamp(min=1e-6)).mT


def _kept_by_examples(features: Tensor, bend: Tensor, penalties: Tensor, real: Tensor) -> Tensor:
    """[G, N, S], 1 - D x (X' D X + R)^-1 x for every class's curvature D, `bend` [G, N, S]: among examples."""
    kernel_GSS = (features @ features.T) / penalties[:, None, None] + real @ real.T / _HELD
    root_GNS = bend.clamp(min=0.0).sqrt()
    identity = torch.eye(len(features), dtype=features.dtype, device=features.device)
    rows_GNSS = root_GNS.unsqueeze(-1) * kernel_GSS.unsqueeze(1)
    return _inverse_diagonal(torch.addcmul(identity, rows_GNSS, root_GNS.unsqueeze(-2)))


def _inverse_diagonal(matrices: Tensor) -> Tensor:
    """[..., R] of the inverses of positive definite matrices [..., R, R]."""
    rows = matrices.shape[-1]
    if rows <= _WHOLE:
        return _inverse(matrices).diagonal(dim1=-2, dim2=-1)
    inverse, beside, rest = _halves(matrices)
    other = _inverse(rest)
    first = inverse.diagonal(dim1=-2, dim2=-1) + (beside @ other * beside).sum(-1)
    return torch.cat([first, other.diagonal(dim1=-2, dim2=-1)], -1)


def _inverse(matrices: Tensor) -> Tensor:
    """The same, all of it."""
    if matrices.shape[-1] <= _WHOLE:
        return positive_inverse(matrices)
    inverse, beside, rest = _halves(matrices)
    other = _inverse(rest)
    across = -beside @ other
    above = torch.cat([inverse - across @ beside.mT, across], -1)
    return torch.cat([above, torch.cat([across.mT, other], -1)], -2)


def _halves(matrices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of the matrices' first half the inverse, its product with what is beside it, and the Schur complement."""
    half = matrices.shape[-1] // 2
    inverse, beside = _inverse(matrices[..., :half, :half]), matrices[..., :half, half:]
    across = inverse @ beside
    return inverse, across, matrices[..., half:, half:] - beside.mT @ across


def _kept_by_features(features: Tensor, bend: Tensor, penalties: Tensor, real: Tensor) -> Tensor:
    """The same among the columns, of which there are fewer."""
    columns_SP = torch.cat([real, features], -1)
    held_GP = torch.cat(
        [
            torch.full_like(penalties, _HELD).unsqueeze(-1),
            penalties.unsqueeze(-1).expand(-1, features.shape[-1]),
        ],
        -1,
    )
    curved_GNPP = (columns_SP.T * bend.unsqueeze(-2)) @ columns_SP + torch.diag_embed(held_GP).unsqueeze(1)
    factor, _ = torch.linalg.cholesky_ex(curved_GNPP)
    halves: Tensor = torch.linalg.solve_triangular(
        factor, columns_SP.T.expand(*factor.shape[:2], -1, -1), upper=False
    )
    return 1.0 - bend * halves.square().sum(-2)
