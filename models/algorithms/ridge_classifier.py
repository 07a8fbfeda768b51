"""Ridge regression to one-hot labels as a classifier's last layer. Knows the backbone as a pure function."""

import torch
from torch import Generator, Tensor

from models.episode import Episode, SupportSet
from models.functional import Network, Params, accuracy, cross_entropy, one_hot, only_real_classes
from models.spec import Task


class RidgeClassifier:
    """Fit one-hot labels in closed form on learned features (R2D2, Bertinetto et al. 2019).

    The penalty and the scale of the logits are learned; an intercept comes from a constant column, and the
    paper's bias, the same for every class, is left out because softmax does not see it. Solved in float64, in
    the smaller of the two forms (the Woodbury identity), so a task may have any number of classes.
    """

    task: Task = "classification"
    max_ways = None

    def __init__(self, backbone: Network) -> None:
        self.backbone = backbone

    def init(self, generator: Generator) -> dict[str, Tensor]:
        params = self.backbone.init(generator)
        params["ridge.log_penalty"] = torch.zeros(())
        params["ridge.log_scale"] = torch.ones(())
        return params

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """`weights` float32 [F + 1, N] and `class_mask` [N]. Raises ValueError for a `start`."""
        if start is not None:
            raise ValueError("a closed-form last layer adapts from a support set alone")
        mask_S1 = support.mask.unsqueeze(-1)
        features_SF = (self._columns(meta_params, support.inputs) * mask_S1).double()
        labels_SN = one_hot(support.targets, support.mask, support.class_mask.shape[-1]).double()
        penalty = torch.exp(meta_params["ridge.log_penalty"].double())
        weights_FN = solve_ridge(features_SF, labels_SN, penalty)
        return {"weights": weights_FN.float(), "class_mask": support.class_mask}

    def predict(self, meta_params: Params, adapted_params: Params, query_inputs: Tensor) -> dict[str, Tensor]:
        """`logits` float32 [Q, N]."""
        scores_QN = self._columns(meta_params, query_inputs) @ adapted_params["weights"]
        logits = torch.exp(meta_params["ridge.log_scale"]) * scores_QN
        return {"logits": only_real_classes(logits, adapted_params["class_mask"])}

    def support_loss(self, meta_params: Params, adapted_params: Params, support: SupportSet) -> Tensor:
        logits = self.predict(meta_params, adapted_params, support.inputs)["logits"]
        return cross_entropy(logits, support.targets, support.mask)

    def meta_loss(self, meta_params: Params, episode: Episode) -> tuple[Tensor, dict[str, Tensor]]:
        query = episode.query
        adapted = self.adapt(meta_params, episode.support)
        logits = self.predict(meta_params, adapted, query.inputs)["logits"]
        loss = cross_entropy(logits, query.targets, query.mask)
        return loss, {"loss": loss.detach(), "accuracy": accuracy(logits.detach(), query.targets, query.mask)}

    def _columns(self, meta_params: Params, inputs: Tensor) -> Tensor:
        features = self.backbone(meta_params, inputs)
        return torch.cat([torch.ones_like(features[:, :1]), features], dim=-1)


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
