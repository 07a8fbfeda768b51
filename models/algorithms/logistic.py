"""Logistic regression as a classifier's last layer. Knows the backbone as a pure function; nothing of training."""

from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn.functional import softplus

from models.algorithms.linear_head import LinearHead
from models.functional import Network, Params
from models.spec import LogisticSpec
from models.spec.algorithms.logistic import NEWTON_STEPS

_LENGTHS = 8


class Logistic(LinearHead):
    """Logistic regression of one class against the rest, by Newton's method (LR-D2, Bertinetto et al. 2019).

    Every class minimises -log p(labels) + penalty / 2 |w|^2, in the smaller of the two forms (Woodbury identity).
    The paper stops after a few steps and goes back through them. Here the steps are damped, so that they
    reach the optimum from anywhere, and the gradient goes back through one more step from there: at the optimum
    that is the exact gradient of the optimum, at the memory of one step. Penalty and scale of logits are learned.
    """

    def __init__(self, spec: LogisticSpec, backbone: Network) -> None:
        super().__init__(backbone, "logistic.log_scale")
        self.spec = spec

    def init(self, generator: Generator) -> dict[str, Tensor]:
        params = super().init(generator)
        params["logistic.log_penalty"] = torch.zeros(())
        params["logistic.log_scale"] = torch.zeros(())
        return params

    def fit(self, meta_params: Params, columns: Tensor, labels: Tensor, class_mask: Tensor) -> Tensor:
        penalty = self.spec.penalty_factor * torch.exp(meta_params["logistic.log_penalty"].double())
        return solve_logistic(columns, labels, penalty)


def solve_logistic(columns: Tensor, labels: Tensor, penalty: Tensor) -> Tensor:
    """Weights [P, N] of N logistic regressions of labels [S, N] in {0, 1} on columns [S, P], without intercept.

    An example whose columns are all zero takes no part. Float64; `penalty` is a scalar.
    """
    problem = _problem(columns, labels, penalty)
    fixed = _problem(columns.detach(), labels, penalty.detach())
    coefficients_NR = torch.zeros_like(fixed.start)
    for _ in range(NEWTON_STEPS):
        step_NR = _newton(fixed, coefficients_NR) - coefficients_NR
        coefficients_NR = coefficients_NR + _length(fixed, coefficients_NR, step_NR) * step_NR
    optimum_NR = _newton(problem, coefficients_NR)
    return optimum_NR.T if problem.primal else columns.T @ optimum_NR.T / penalty


class _Problem(NamedTuple):
    """N logistic regressions whose scores are coefficients [N, R] @ basis.T.

    `primal`: R = P, the coefficients are the weights and `basis` the columns [S, P]. Else R = S, a coefficient is
    an example's, and `basis` is columns @ columns.T / penalty [S, S].
    """

    basis: Tensor
    labels: Tensor  # [N, S]
    penalty: Tensor
    start: Tensor  # [N, R]
    primal: bool


def _problem(columns: Tensor, labels: Tensor, penalty: Tensor) -> _Problem:
    examples, width = columns.shape
    primal = width <= examples
    basis = columns if primal else columns @ columns.T / penalty
    start = columns.new_zeros(labels.shape[-1], basis.shape[-1])
    return _Problem(basis, labels.T, penalty, start, primal)


def _newton(problem: _Problem, coefficients_NR: Tensor) -> Tensor:
    """Where a whole Newton step leads to."""
    basis, penalty = problem.basis, problem.penalty
    scores_NS = coefficients_NR @ basis.T
    chance_NS = torch.sigmoid(scores_NS)
    # 1 - chance as a sigmoid of its own: a difference would leave zero of a confident example's curvature.
    curvature_NS = chance_NS * torch.sigmoid(-scores_NS)
    wanted_NS = curvature_NS * scores_NS + problem.labels - chance_NS
    identity = torch.eye(basis.shape[-1], dtype=basis.dtype, device=basis.device)
    if problem.primal:
        curved_NRS = basis.T * curvature_NS.unsqueeze(-2)
        return _solve(curved_NRS @ basis + penalty * identity, wanted_NS @ basis)
    # Rasmussen & Williams 2006, algorithm 3.1: nothing is divided by the curvature, which may vanish.
    root_NS = curvature_NS.sqrt()
    inner_NSS = identity + root_NS.unsqueeze(-1) * basis * root_NS.unsqueeze(-2)
    return wanted_NS - root_NS * _solve(inner_NSS, root_NS * (wanted_NS @ basis))


def _length(problem: _Problem, coefficients_NR: Tensor, step_NR: Tensor) -> Tensor:
    """How much of a Newton step to go, [N, 1]: the best of a few, the shortest of which improves."""
    scores_NS, change_NS = coefficients_NR @ problem.basis.T, step_NR @ problem.basis.T
    # The loss along a step is self-concordant with this constant, whose bound is least there (Bach 2010).
    change_N1 = change_NS.abs().amax(-1, keepdim=True)
    safe_N1 = torch.where(change_N1 > 1e-8, torch.log1p(change_N1) / change_N1.clamp(min=1e-8), 1.0)
    lengths_KN1 = torch.stack([safe_N1 ** (place / (_LENGTHS - 1)) for place in range(_LENGTHS)])
    moved_KNS = scores_NS + lengths_KN1 * change_NS
    losses_KN = (softplus(moved_KNS) - problem.labels * moved_KNS).sum(-1)
    # |w|^2 is a square in the coefficients, by this metric.
    metric = (
        (problem.penalty * coefficients_NR, problem.penalty * step_NR)
        if problem.primal
        else (scores_NS, change_NS)
    )
    slope_N1, bend_N1 = ((step_NR * part).sum(-1, keepdim=True) for part in metric)
    losses_KN = losses_KN + (lengths_KN1 * slope_N1 + lengths_KN1.square() * bend_N1 / 2).squeeze(-1)
    return torch.take_along_dim(lengths_KN1, losses_KN.argmin(0)[None, :, None], 0).squeeze(0)


def _solve(matrices: Tensor, sides: Tensor) -> Tensor:
    """x [N, R] of symmetric positive definite matrices [N, R, R] x = sides [N, R]."""
    factors, _ = torch.linalg.cholesky_ex(matrices)
    return torch.cholesky_solve(sides.unsqueeze(-1), factors).squeeze(-1)
