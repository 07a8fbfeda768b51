"""Matching networks. Knows the backbone as a pure function; nothing of task families or training."""

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import normalize

from models.algorithms.classifier import Classifier
from models.algorithms.places import order_of, placed
from models.episode import SupportSet
from models.functional import Network, Params, one_hot, only_real_classes
from models.spec import MatchingNetSpec

# The paper's cosines are between -1 and 1 as they are, too close for its softmax to tell 20 classes apart: how much
# they count is learned, from a start at 10 (Gidaris & Komodakis 2018), and below what float32 can add up.
_LOG_START = math.log(10.0)
_MOST_LOG = math.log(40.0)
_SMALLEST = 1e-37
_UNUSED = -1e30


class MatchingNet(Classifier):
    """A query's class probabilities are the labels of the support, by attention to its cosine similarities.

    Vinyals et al. 2016, without full-context embeddings (their LSTMs over the support set): those make an example's
    embedding depend on the order of the others, and in the paper did not help on Omniglot.
    Nothing is learned per class, so a task may have any number of classes.
    """

    def __init__(self, spec: MatchingNetSpec, backbone: Network) -> None:
        self.spec = spec
        super().__init__(backbone)

    def init(self, generator: Generator) -> dict[str, Tensor]:
        params = self.backbone.init(generator)
        params["matching.log_scale"] = torch.zeros(()) + _LOG_START
        return params

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """`keys` [K, F] of length 1, `slots` [K], their class slots from 1 on (0: unused), and `class_mask` [N].

        K is `max_support`; of more real examples the first K would be kept. Raises ValueError for a `start`.
        """
        if start is not None:
            raise ValueError("matching networks adapt from a support set alone")
        places = self.spec.max_support
        order = order_of(support.mask, places)
        keys_SF = normalize(self.backbone(meta_params, support.inputs), dim=-1)
        return {
            "keys": placed(keys_SF, support.mask, order, places),
            "slots": placed((support.targets + 1).to(keys_SF.dtype), support.mask, order, places),
            "class_mask": support.class_mask,
        }

    def predict(self, meta_params: Params, adapted_params: Params, query_inputs: Tensor) -> dict[str, Tensor]:
        """`logits` [Q, N], the logarithms of the probabilities."""
        slots_K, class_mask = adapted_params["slots"], adapted_params["class_mask"]
        queries_QF = normalize(self.backbone(meta_params, query_inputs), dim=-1)
        scale = torch.exp(meta_params["matching.log_scale"].clamp(max=_MOST_LOG))
        scores_QK = (scale * queries_QF @ adapted_params["keys"].T).masked_fill(slots_K == 0, _UNUSED)
        attention_QK = torch.softmax(scores_QK, dim=-1)
        labels_KN = one_hot(slots_K - 1, (slots_K > 0).to(slots_K.dtype), class_mask.shape[-1])
        chances_QN = attention_QK @ labels_KN
        return {"logits": only_real_classes(chances_QN.clamp(min=_SMALLEST).log(), class_mask)}
