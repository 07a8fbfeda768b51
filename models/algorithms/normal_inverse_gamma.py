"""Bayesian linear regression in closed form, under a mixture of priors. Knows matrices; no network, no episode.

Shapes: K priors, P columns, S support examples, E examples to predict, T targets. All of it is float64: a vague
prior next to columns of size 10 has a condition number that float32 cannot carry. The algebra is that of Bishop
2006, sections 2.3.7 and 3.3 to 3.5, once for each prior, with weights in units of the noise variance.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Prior(NamedTuple):
    """K Normal-Inverse-Gamma priors: weights ~ N(mean, noise deviation^2), noise ~ InvGamma(shape, scale)."""

    mean: Tensor  # [K, P, T]
    deviation: Tensor  # [K, P], in units of the noise's standard deviation
    shape: Tensor  # [K]
    scale: Tensor  # [K, T]
    log_weight: Tensor  # [K], sums to one in probability


class Posterior(NamedTuple):
    """What K priors become; `log_weight` is how much each one explains of what was seen."""

    mean: Tensor  # [K, P, T]
    root: Tensor  # [K, P, P], lower triangular; the weights' covariance is root^T root
    shape: Tensor  # [K]
    scale: Tensor  # [K, T]
    log_weight: Tensor  # [K]


class Predictive(NamedTuple):
    """A mixture of K Student's t distributions for each example and target."""

    location: Tensor  # [K, E, T]
    scale: Tensor  # [K, E, T]
    shape: Tensor  # [K], half the degrees of freedom
    log_weight: Tensor  # [K]

    def log_density(self, values: Tensor) -> Tensor:
        """Log density [E] of values [E, T]."""
        shape = self.shape[:, None, None]
        normaliser = torch.lgamma(shape + 0.5) - torch.lgamma(shape) - 0.5 * torch.log(2 * math.pi * shape)
        distance = ((values - self.location) / self.scale).square()
        log_density = normaliser - torch.log(self.scale) - (shape + 0.5) * torch.log1p(distance / (2 * shape))
        return torch.logsumexp(log_density.sum(-1) + self.log_weight[:, None], dim=0)

    def mean(self) -> Tensor:
        """[E, T]"""
        return (self._weight() * self.location).sum(0)

    def std(self) -> Tensor:
        """[E, T]: the spread within the priors' answers, and between them."""
        shape = self.shape[:, None, None]
        within = self.scale.square() * shape / (shape - 1)
        between = (self.location - self.mean()).square()
        return torch.sqrt((self._weight() * (within + between)).sum(0))

    def _weight(self) -> Tensor:
        return torch.exp(self.log_weight)[:, None, None]


def condition(prior: Prior, columns: Tensor, targets: Tensor, mask: Tensor) -> Posterior:
    """The posterior after columns [S, P] and targets [S, T], where `mask` [S] is 1."""
    scaled_KSP, residual_KST = _whiten(prior, columns, targets, mask)
    # In units of the prior's deviations the precision is I + A^T A, whose eigenvalues are never below 1.
    identity_PP = torch.eye(columns.shape[-1], dtype=columns.dtype, device=columns.device)
    factor_KPP, _ = torch.linalg.cholesky_ex(identity_PP + scaled_KSP.mT @ scaled_KSP)
    root_KPP = torch.linalg.solve_triangular(factor_KPP, identity_PP.expand_as(factor_KPP), upper=False)
    shift_KPT = root_KPP.mT @ (root_KPP @ (scaled_KSP.mT @ residual_KST))
    left_KST = residual_KST - scaled_KSP @ shift_KPT
    misfit_KT = left_KST.square().sum(-2) + shift_KPT.square().sum(-2)
    shape_K, scale_KT, log_weight_K = _weigh(prior, factor_KPP, misfit_KT, mask)
    return Posterior(
        prior.mean + prior.deviation.unsqueeze(-1) * shift_KPT,
        root_KPP * prior.deviation.unsqueeze(-2),
        shape_K,
        scale_KT,
        log_weight_K,
    )


def predict(posterior: Posterior, columns: Tensor) -> Predictive:
    """The distribution of new observations at columns [E, P]."""
    spread_KE = 1.0 + (columns @ posterior.root.mT).square().sum(-1)
    scale_KT = torch.sqrt(posterior.scale / posterior.shape.unsqueeze(-1))
    return Predictive(
        columns @ posterior.mean,
        torch.sqrt(spread_KE).unsqueeze(-1) * scale_KT.unsqueeze(-2),
        posterior.shape,
        posterior.log_weight,
    )


def condition_and_predict(
    prior: Prior, columns: Tensor, targets: Tensor, mask: Tensor, queried: Tensor
) -> Predictive:
    """`predict(condition(...), queried)` through S x S matrices: much cheaper where S is below P.

    Nothing of fixed size comes out to be kept, so this is for meta-training, not for serving.
    """
    scaled_KSP, residual_KST = _whiten(prior, columns, targets, mask)
    queried_KEP = queried * prior.deviation.unsqueeze(-2)
    identity_SS = torch.eye(columns.shape[-2], dtype=columns.dtype, device=columns.device)
    factor_KSS, _ = torch.linalg.cholesky_ex(identity_SS + scaled_KSP @ scaled_KSP.mT)
    both_KSET = torch.cat([scaled_KSP @ queried_KEP.mT, residual_KST], dim=-1)
    solved_KSET = torch.linalg.solve_triangular(factor_KSS, both_KSET, upper=False)
    covered_KSE, residual_KST = solved_KSET[..., : len(queried)], solved_KSET[..., len(queried) :]
    shape_K, scale_KT, log_weight_K = _weigh(prior, factor_KSS, residual_KST.square().sum(-2), mask)
    known_KE = covered_KSE.square().sum(-2)
    spread_KE = 1.0 + (queried_KEP.square().sum(-1) - known_KE).clamp(min=0.0)
    return Predictive(
        queried @ prior.mean + covered_KSE.mT @ residual_KST,
        torch.sqrt(spread_KE.unsqueeze(-1) * (scale_KT / shape_K.unsqueeze(-1)).unsqueeze(-2)),
        shape_K,
        log_weight_K,
    )


def _whiten(prior: Prior, columns: Tensor, targets: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Columns in units of the prior's deviations [K, S, P] and what its mean leaves over [K, S, T], masked."""
    real_S1 = mask.unsqueeze(-1)
    scaled_KSP = (columns * real_S1) * prior.deviation.unsqueeze(-2)
    return scaled_KSP, (targets - columns @ prior.mean) * real_S1


def _weigh(prior: Prior, factor: Tensor, misfit: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The noise's shape [K] and scale [K, T], and the priors' log weights [K] by their marginal likelihood.

    `factor` is the Cholesky factor of the evidence's matrix, in either of its two sizes; `misfit` [K, T].
    """
    shape_K1 = (prior.shape + 0.5 * mask.sum()).unsqueeze(-1)
    before_K1 = prior.shape.unsqueeze(-1)
    scale_KT = prior.scale + 0.5 * misfit
    half_log_det_K1 = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1, keepdim=True)
    log_evidence_KT = (
        torch.lgamma(shape_K1)
        - torch.lgamma(before_K1)
        + before_K1 * prior.scale.log()
        - shape_K1 * scale_KT.log()
        - half_log_det_K1
    )
    log_weight_K = torch.log_softmax(prior.log_weight + log_evidence_KT.sum(-1), dim=0)
    return shape_K1.squeeze(-1), scale_KT, log_weight_K
