"""A support vector machine as a classifier's last layer. Knows the backbone as a pure function."""

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from models.algorithms.linear_head import LinearHead
from models.functional import Network, Params
from models.spec import SvmSpec
from models.spec.algorithms.svm import INTERIOR_STEPS

# What is left of complementarity, in units of the cost: the answer is the optimum's to about as many digits.
CENTRE = 1e-12
_SHRINK = 0.1
_TO_BOUNDARY = 0.99


class Svm(LinearHead):
    """Crammer & Singer's multi-class support vector machine on learned features (MetaOptNet, Lee et al. 2019).

    It minimises |W|^2 / 2 + cost * sum over examples of max(0, 1 + highest score of another class - own score); its
    dual is solved by an interior point method whose number of steps is fixed, all classes and tasks at once. The
    gradient goes back through one more Newton step from the solution, where it is exact. The cost is learned,
    from the paper's 0.1 on, and the scale of the logits.
    """

    def __init__(self, spec: SvmSpec, backbone: Network) -> None:
        super().__init__(backbone, "svm.log_scale")
        self.spec = spec

    def init(self, generator: Generator) -> dict[str, Tensor]:
        params = super().init(generator)
        params["svm.log_cost"] = torch.zeros(()) + math.log(0.1)
        params["svm.log_scale"] = torch.zeros(())
        return params

    def fit(self, meta_params: Params, columns: Tensor, labels: Tensor, class_mask: Tensor) -> Tensor:
        cost = torch.exp(meta_params["svm.log_cost"].double()) / self.spec.penalty_factor
        return solve_crammer_singer(columns, labels, class_mask, cost)


def solve_crammer_singer(columns: Tensor, labels: Tensor, class_mask: Tensor, cost: Tensor) -> Tensor:
    """Weights [P, N] of the machine above; columns [S, P], one-hot labels [S, N], `class_mask` [N], float64.

    An example without a label takes no part, its columns must be zero. `cost` is a scalar.

    The dual's variables are cost * (labels - shares), where an example's shares lie on the simplex of its classes.
    """
    kernel_SS = cost * columns @ columns.T
    places_SN = labels.amax(-1, keepdim=True) * class_mask
    dual = _Dual(kernel_SS.detach(), labels, places_SN)
    real = places_SN.sum().clamp(min=1.0)
    shares_SN = places_SN / class_mask.sum().clamp(min=1.0) + (1 - places_SN)
    # Scores, and so slacks, are as large as the kernel; what float64 can tell apart is in proportion.
    scale = (dual.kernel.diagonal().sum() / places_SN.amax(-1).sum().clamp(min=1.0)).clamp(min=1.0)
    end = CENTRE * scale
    here = _Point(shares_SN, torch.zeros_like(shares_SN) + scale, torch.zeros_like(shares_SN[:, :1]))
    for _ in range(INTERIOR_STEPS):
        gap = (here.shares * here.slacks * places_SN).sum() / real
        there = _newton(dual, here, torch.maximum(_SHRINK * gap, end))
        step = torch.minimum(_longest(here.shares, there.shares), _longest(here.slacks, there.slacks))
        here = _Point(*(old + step * (new - old) for old, new in zip(here, there, strict=True)))
    optimum = _newton(_Dual(kernel_SS, labels, places_SN), here, end)
    return cost * columns.T @ ((labels - optimum.shares) * places_SN)


class _Dual(NamedTuple):
    kernel: Tensor  # cost * columns @ columns.T, [S, S]
    labels: Tensor  # [S, N]
    places: Tensor  # [S, N], 1 where an example and a class are real


class _Point(NamedTuple):
    """Positive shares and slacks, where they are not real as they began; see `_newton`."""

    shares: Tensor  # [S, N]
    slacks: Tensor  # [S, N], multipliers of shares >= 0
    levels: Tensor  # [S, 1], multipliers of an example's shares being 1 together


def _newton(dual: _Dual, here: _Point, centre: Tensor) -> _Point:
    """Where a whole primal-dual Newton step towards shares * slacks = centre leads to.

    Of the system in all S x N shares no more is factored than an S x S matrix for each class, and one of the sums.
    Residuals are solved for, small near the optimum, where the matrices are close to singular.
    """
    (kernel, labels, places), (shares, slacks, levels) = dual, here
    roots_NS = ((shares / slacks).sqrt() * places).T
    identity = torch.eye(kernel.shape[-1], dtype=kernel.dtype, device=kernel.device)
    inner_NSS = identity + roots_NS.unsqueeze(-1) * kernel * roots_NS.unsqueeze(-2)
    factors_NSS, _ = torch.linalg.cholesky_ex(inner_NSS)
    solved_NSS = torch.cholesky_solve(torch.diag_embed(roots_NS), factors_NSS)
    inverses_NSS = roots_NS.unsqueeze(-1) * solved_NSS
    wanted_SN = kernel @ ((labels - shares) * places) - labels + levels + centre / shares
    alone_SN = _each(inverses_NSS, wanted_SN)
    real_S1 = places.amax(-1, keepdim=True)
    missing_S1 = real_S1 - ((shares + alone_SN) * places).sum(-1, keepdim=True)
    # Of padding nothing is asked, so its rows are zero but for this.
    sums_SS = inverses_NSS.sum(0) + torch.diag_embed(1 - real_S1.squeeze(-1))
    factor_SS, _ = torch.linalg.cholesky_ex(sums_SS)
    raised_S1 = torch.cholesky_solve(missing_S1, factor_SS)
    change_SN = alone_SN + _each(inverses_NSS, raised_S1.expand_as(shares))
    slacks_after = centre / shares - slacks / shares * change_SN
    return _Point(shares + change_SN, torch.where(places > 0, slacks_after, slacks), levels + raised_S1)


def _each(matrices_NSS: Tensor, columns_SN: Tensor) -> Tensor:
    """A matrix's product with the column of its class, [S, N]."""
    return (matrices_NSS @ columns_SN.T.unsqueeze(-1)).squeeze(-1).T


def _longest(here: Tensor, there: Tensor) -> Tensor:
    """How far the way to `there` may be gone, at most 1, for all to stay positive; a scalar."""
    ahead = there - here
    limit = torch.where(ahead < 0, -here / ahead.clamp(max=-1e-300), torch.inf)
    return (_TO_BOUNDARY * limit.amin()).clamp(max=1.0)
