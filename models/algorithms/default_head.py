"""The default head on pretrained features. Knows the backbone as a pure function; nothing of training."""

import torch
from torch import Generator, Tensor

from models.algorithms.classifier import Classifier
from models.algorithms.leave_one_out import (
    LinearHead,
    calibrate,
    prototype_head,
    ridge_head,
)
from models.algorithms.multinomial import logistic_heads
from models.algorithms.named import examples_of
from models.episode import SupportSet
from models.functional import Network, Params, one_hot, only_real_classes
from models.spec.algorithms.auto import LOGISTIC_PENALTIES, PENALTIES, tries_logistic

# From so many examples a class on, on average, a fitted head is better than class means.
FITTED_FROM = 3.0

# E-folds between two penalties that are tried; and how far a support set may move the calibration.
APART = 1.5
DEVIATION = 0.5


class DefaultHead(Classifier):
    """Class means at one or two shots; above, ridge or logistic regression where it makes left-out labels likelier.

    All are linear, so an adaptation is one matrix, the inverse temperature in it: calibrated on the answers to
    left-out examples, never on the head's own training answers, with a prior from meta-training (Guo et al. 2017;
    class means Snell et al. 2017, ridge and logistic Bertinetto et al. 2019). Which head a task gets is decided by
    masks, so tasks of all shots share a pass. Solved in float64.

    Where support sets are `named` a class's name is fitted as an example is, and never left out: nobody asks for
    it, so how well it would be told says nothing of penalty, head or temperature. Nor does an example that leaves
    its class the name alone: with both, the class is known much better. Where a class has its name alone, the head
    is that of class means.
    """

    def __init__(self, backbone: Network, *, named: bool = False) -> None:
        super().__init__(backbone)
        self.named = named

    def init(self, generator: Generator) -> dict[str, Tensor]:
        params = self.backbone.init(generator)
        params["head.log_penalty"] = torch.zeros(())
        params["head.log_scale_means"] = torch.full((), 2.0)
        params["head.log_scale_ridge"] = torch.full((), 2.0)
        params["head.log_penalty_logistic"] = torch.full((), -3.0)
        params["head.log_scale_logistic"] = torch.full((), 0.5)
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
        examples_S = (examples_of(support) if self.named else support.mask).double()
        judged_S = examples_S if self.named else None

        heads = [prototype_head(features_SF, labels_SN)]
        kinds = ["means"]
        is_fitted = len(support.targets) >= FITTED_FROM
        if is_fitted:
            penalties_G = _penalties(meta_params["head.log_penalty"], PENALTIES)
            heads.append(ridge_head(features_SF, labels_SN, penalties_G, judged_S))
            kinds.append("ridge")
        # Of the shape alone, which follows from a call's own sizes.
        if is_fitted and tries_logistic(len(labels_SN), features_SF.shape[-1], labels_SN.shape[-1]):
            penalties_G = _penalties(meta_params["head.log_penalty_logistic"], LOGISTIC_PENALTIES)
            heads += logistic_heads(features_SF, labels_SN, support.class_mask, penalties_G)
            kinds += ["logistic"] * LOGISTIC_PENALTIES
        stacked = LinearHead(*(torch.stack(parts) for parts in zip(*heads, strict=True)))
        enough = examples_S.sum() >= FITTED_FROM * support.class_mask.sum()
        if self.named:
            shots_N = examples_S @ labels_SN
            # By a fit, a class that is known by its name alone loses to those that many examples were shown of.
            enough = enough & ((shots_N > 0) | (support.class_mask == 0)).all()
            stacked = stacked._replace(known=stacked.known * examples_S * (labels_SN @ shots_N > 1.0))
        priors_H = torch.stack([meta_params[f"head.log_scale_{kind}"].double() for kind in kinds])
        scales_H, likelihoods_H = calibrate(stacked, labels_SN, support.class_mask, priors_H, DEVIATION)
        # What is not finite is no head: argmax would take it for the largest.
        fits_H = torch.where(enough & likelihoods_H.isfinite(), likelihoods_H, -torch.inf)
        best = torch.cat([likelihoods_H[:1], fits_H[1:]]).argmax().unsqueeze(0)
        weights: Tensor = (scales_H.index_select(0, best) * stacked.weights.index_select(0, best)).squeeze(0)
        return weights


def _penalties(log_penalty: Tensor, count: int) -> Tensor:
    """Float64 [G], `count` about the learned one. Of numbers made where they are needed: what a GPU records may not
    copy from the CPU's memory."""
    places = torch.arange(count, dtype=torch.float64, device=log_penalty.device) - count // 2
    return torch.exp(log_penalty.double() + APART * places)
