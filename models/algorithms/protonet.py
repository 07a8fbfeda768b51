"""Prototypical networks. Knows the backbone as a pure function; nothing of task families or training."""

from torch import Tensor

from models.algorithms.classifier import Classifier
from models.episode import SupportSet
from models.functional import Params, one_hot, only_real_classes


class ProtoNet(Classifier):
    """A class is the mean of its embedded support examples, a logit the negative squared Euclidean distance.

    Snell, Swersky & Zemel 2017. Nothing is learned per class, so a task may have any number of classes.
    """

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """`prototypes` float32 [N, F] and `class_mask` [N]. Raises ValueError for a `start`."""
        if start is not None:
            raise ValueError("prototypical networks adapt from a support set alone")
        features_SF = self.backbone(meta_params, support.inputs)
        members_SN = one_hot(support.targets, support.mask, support.class_mask.shape[-1])
        counts_N = members_SN.sum(0).clamp(min=1.0)
        return {
            "prototypes": members_SN.T @ features_SF / counts_N.unsqueeze(-1),
            "class_mask": support.class_mask,
        }

    def predict(self, meta_params: Params, adapted_params: Params, query_inputs: Tensor) -> dict[str, Tensor]:
        """`logits` float32 [Q, N]."""
        features_QF = self.backbone(meta_params, query_inputs)
        distances_QN = squared_distances(features_QF, adapted_params["prototypes"])
        return {"logits": only_real_classes(-distances_QN, adapted_params["class_mask"])}


def squared_distances(points: Tensor, centres: Tensor) -> Tensor:
    """Squared Euclidean distances [Q, N] between points [Q, F] and centres [N, F].

    Norms and products are taken about the centres' mean: far from the origin their cancellation would cost
    float32 its digits, and all Q x N differences would cost F times the memory.
    """
    origin = centres.mean(0)
    points, centres = points - origin, centres - origin
    squares = points.square().sum(-1, keepdim=True) + centres.square().sum(-1)
    return (squares - 2 * points @ centres.T).clamp(min=0.0)
