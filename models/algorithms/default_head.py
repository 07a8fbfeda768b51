"""The default head on pretrained features. Knows the backbone as a pure function; nothing of training."""

import torch
from torch import Generator, Tensor

from models.algorithms.classifier import Classifier
from models.algorithms.leave_one_out import (
    LinearHead,
    calibrate,
    chosen_ridge_head,
    prototype_head,
)
from models.episode import SupportSet
from models.functional import Params, one_hot, only_real_classes
from models.spec.algorithms.auto import PENALTIES

# From so many examples a class on, on average, a fitted head is better than class means.
FITTED_FROM = 3.0

# Penalties that are tried, in e-folds about the learned one; and how far a support set may move the calibration.
OFFSETS = tuple(1.5 * (place - PENALTIES // 2) for place in range(PENALTIES))
DEVIATION = 0.5


class DefaultHead(Classifier):
    """Class means at one or two shots; above, ridge regression where it makes the left-out labels likelier.

    Both are linear, so an adaptation is one matrix, the inverse temperature in it: calibrated on the answers to
    left-out examples, never on the head's own training answers, with a prior from meta-training (Guo et al. 2017;
    class means Snell et al. 2017, ridge Bertinetto et al. 2019). Which head a task gets is decided by masks, so
    tasks of all shots share a pass. Solved in float64.
    """

    def init(self, generator: Generator) -> dict[str, Tensor]:
        params = self.backbone.init(generator)
        params["head.log_penalty"] = torch.zeros(())
        params["head.log_scale_means"] = torch.full((), 2.0)
        params["head.log_scale_ridge"] = torch.full((), 2.0)
        return params

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """`weights` float32 [F + 1, N], intercept first, and `class_mask` [N]. Raises ValueError for a `start`."""
        if start is not None:
            raise ValueError("the default head adapts from a support set alone")
        weights = self._weights(meta_params, self.backbone(meta_params, support.inputs), support)
        return {"weights": weights.float(), "class_mask": support.class_mask}

    def predict(self, meta_params: Params, adapted_params: Params, query_inputs: Tensor) -> dict[str, Tensor]:
        """`logits` float32 [Q, N]."""
        weights = adapted_params["weights"]
        logits = weights[0] + self.backbone(meta_params, query_inputs) @ weights[1:]
        return {"logits": only_real_classes(logits, adapted_params["class_mask"])}

    def _weights(self, meta_params: Params, features: Tensor, support: SupportSet) -> Tensor:
        """Float64 [F + 1, N]."""
        features_SF = features.double()
        labels_SN = one_hot(support.targets, support.mask, support.class_mask.shape[-1]).double()

        def scaled(head: LinearHead, log_scale: Tensor) -> tuple[Tensor, Tensor]:
            scale, likelihood = calibrate(head, labels_SN, support.class_mask, log_scale.double(), DEVIATION)
            return scale * head.weights, likelihood

        means, means_likelihood = scaled(
            prototype_head(features_SF, labels_SN), meta_params["head.log_scale_means"]
        )
        if len(support.targets) < FITTED_FROM:
            return means
        offsets = torch.tensor(OFFSETS, dtype=torch.float64, device=features.device)
        penalties_G = torch.exp(meta_params["head.log_penalty"].double() + offsets)
        ridge = chosen_ridge_head(features_SF, labels_SN, penalties_G)
        fitted, fitted_likelihood = scaled(ridge, meta_params["head.log_scale_ridge"])
        enough = support.mask.sum() >= FITTED_FROM * support.class_mask.sum()
        return torch.where(enough & (fitted_likelihood > means_likelihood), fitted, means)
