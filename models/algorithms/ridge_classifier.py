"""Ridge regression to one-hot labels as a classifier's last layer. Knows the backbone as a pure function."""

import torch
from torch import Generator, Tensor

from models.algorithms.linear_head import LinearHead
from models.functional import Network, Params


class RidgeClassifier(LinearHead):
    """Fit one-hot labels in closed form on learned features (R2D2, Bertinetto et al. 2019).

    The penalty and the scale of the logits are learned; an intercept comes from a constant column, and the
    paper's bias, the same for every class, is left out because softmax does not see it. Solved in float64, in
    the smaller of the two forms (the Woodbury identity), so a task may have any number of classes.
    """

    def __init__(self, backbone: Network) -> None:
        super().__init__(backbone, "ridge.log_scale")

    def init(self, generator: Generator) -> dict[str, Tensor]:
        params = super().init(generator)
        params["ridge.log_penalty"] = torch.zeros(())
        params["ridge.log_scale"] = torch.ones(())
        return params

    def fit(self, meta_params: Params, columns: Tensor, labels: Tensor, class_mask: Tensor) -> Tensor:
        return solve_ridge(columns, labels, torch.exp(meta_params["ridge.log_penalty"].double()))


def solve_ridge(features: Tensor, labels: Tensor, penalty: Tensor) -> Tensor:
    """Weights [F, N] that minimise |features W - labels|^2 + penalty |W|^2; features [S, F], labels [S, N]."""
    examples, columns = features.shape
    primal = columns <= examples
    gram = features.T @ features if primal else features @ features.T
    identity = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    factor, _ = torch.linalg.cholesky_ex(gram + penalty * identity)
    if primal:
        return torch.cholesky_solve(features.T @ labels, factor)
    return features.T @ torch.cholesky_solve(labels, factor)
