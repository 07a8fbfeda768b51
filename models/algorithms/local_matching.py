"""Local matching. Knows the backbone as a pure function and how its features lie; nothing of task families."""

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import softplus

from models.algorithms.classifier import Classifier
from models.algorithms.places import order_of, placed
from models.episode import Episode, SupportSet
from models.functional import (
    Network,
    Params,
    accuracy,
    cross_entropy,
    masked_mean,
    one_hot,
    only_real_classes,
)
from models.spec import LocalMatchingSpec

_UNUSED = -1e30
_SMALLEST = 1e-37
# What a part counts for that has no like at all, beside exp(0) for one that is the same at the same place.
_LOST = 1e-20
_SHARPEST = 5.0  # of `log_scale`: exp(5) times a mean distance is as much as float32 can still tell apart


class LocalMatching(Classifier):
    """An example is its parts, one for each place of the network's maps, and two are alike as their parts are.

    After DN4 (Li et al. 2019), where a query's local descriptors look for their nearest ones in a class. Here the
    search is soft, goes both ways (a part that only one image has counts against the two), and knows places: a part
    is a point of its description and its place, whose weight is learned, and so is how much a part counts; one that
    has no like at all counts for a bound. A class's examples share its logit by the mean of their likelihoods.
    Nothing is learned per class.
    """

    def __init__(
        self,
        spec: LocalMatchingSpec,
        backbone: Network,
        grid: tuple[int, int],
        rounded: torch.dtype = torch.float32,
    ) -> None:
        """`grid` are the rows and columns of places, P of them, that the backbone's columns go through in order:
        F = P * C. Likenesses are `rounded`, and summed up in float32."""
        self.spec = spec
        self.grid = grid
        self.rounded = rounded
        self.parts = grid[0] * grid[1]
        self.channels = backbone.width // self.parts
        super().__init__(backbone)

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """The network's, a projection, and a reach: parts begin as normal distributions, of a place's deviation."""
        params = self.backbone.init(generator)
        project = torch.randn(self.channels, self.spec.width, generator=generator)
        params["matching.project"] = project / math.sqrt(3 * self.channels)
        params["matching.count"] = torch.zeros(self.channels)
        params["matching.count_shift"] = torch.zeros(1)
        params["matching.reach"] = torch.ones(2)
        params["matching.log_scale"] = torch.zeros(())
        return params

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """`parts` [K, P, D] and how much each counts, `counts` [K, P]; `slots` [K], the examples' class slots from
        1 on (0: unused); with `rivals`, the `rivalry` [K] that each is less alike by; and `class_mask` [N].

        K is `max_support`; of more real examples the first K would be kept. Raises ValueError for a `start`.
        """
        if start is not None:
            raise ValueError("local matching adapts from a support set alone")
        places = self.spec.max_support
        order = order_of(support.mask, places)
        parts_SPD, counts_SP = self._parts(meta_params, support.inputs)
        kept = {"parts": parts_SPD, "counts": counts_SP, "slots": (support.targets + 1).to(parts_SPD.dtype)}
        if self.spec.rivals:
            kept["rivalry"] = self._rivalry(meta_params, (parts_SPD, counts_SP), support)
        adapted = {name: placed(values, support.mask, order, places) for name, values in kept.items()}
        return {**adapted, "class_mask": support.class_mask}

    def predict(self, meta_params: Params, adapted_params: Params, query_inputs: Tensor) -> dict[str, Tensor]:
        """`logits` [Q, N]."""
        kept = (adapted_params["parts"], adapted_params["counts"])
        scores_QK = self._scores(meta_params, self._parts(meta_params, query_inputs), kept)
        if self.spec.rivals:
            scores_QK = scores_QK - adapted_params["rivalry"]
        return {"logits": _logits(scores_QK, adapted_params["slots"], adapted_params["class_mask"])}

    def meta_loss(self, meta_params: Params, episode: Episode) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean of two cross-entropies: whose class a query is of, and which queries are of an example's."""
        support, query = episode
        parts, counts = self._parts(meta_params, torch.cat([support.inputs, query.inputs]))
        given = len(support.inputs)
        scores_QS = self._scores(
            meta_params, (parts[given:], counts[given:]), (parts[:given], counts[:given])
        )
        logits_QN = _logits(scores_QS, (support.targets + 1) * support.mask, support.class_mask)
        loss = cross_entropy(logits_QN, query.targets, query.mask)
        same_QS = (query.targets[:, None] == support.targets) * query.mask[:, None]
        chances_QS = torch.softmax(scores_QS.masked_fill(query.mask[:, None] == 0, _UNUSED), 0)
        found_S = (chances_QS * same_QS).sum(0).clamp(min=_SMALLEST)
        backwards = -masked_mean(found_S.log(), support.mask * same_QS.sum(0).clamp(max=1))
        metrics = {"loss": loss, "accuracy": accuracy(logits_QN, query.targets, query.mask)}
        return (loss + backwards) / 2, {name: value.detach() for name, value in metrics.items()}

    def _rivalry(self, meta_params: Params, kept: tuple[Tensor, Tensor], support: SupportSet) -> Tensor:
        """What each example's likenesses are less by [S]: a part of its own to all examples of other classes."""
        scores_SS = self._scores(meta_params, kept, kept)
        rivals_SS = (support.targets[:, None] != support.targets) * support.mask[:, None]
        likeness_S = torch.logsumexp(scores_SS.masked_fill(rivals_SS == 0, _UNUSED), 0)
        return self.spec.rivals * torch.where(rivals_SS.any(0), likeness_S, 0.0)

    def _parts(self, meta_params: Params, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The parts [E, P, D] of examples, and how much each counts [E, P]."""
        features_EPC = self.backbone(meta_params, inputs).reshape(-1, self.parts, self.channels)
        counts_EP = features_EPC @ meta_params["matching.count"] + meta_params["matching.count_shift"]
        return features_EPC @ meta_params["matching.project"], softplus(counts_EP)

    def _scores(
        self, meta_params: Params, queries: tuple[Tensor, Tensor], support: tuple[Tensor, Tensor]
    ) -> Tensor:
        """How alike queries and examples are [Q, K]: the log-likelihood of either's parts given the other's."""
        (asked_QPD, asked_counts_QP), (kept_KPD, kept_counts_KP) = queries, support
        asked, minus_asked = self._points(meta_params, asked_QPD)
        kept, minus_kept = self._points(meta_params, kept_KPD)
        ones = (torch.ones_like(minus_asked), torch.ones_like(minus_kept))
        # Half the squared distances in one product: (x, -xx/2, 1) with (y, 1, -yy/2).
        near = torch.cat([asked, minus_asked, ones[0]], -1) @ torch.cat([kept, ones[1], minus_kept], -1).T
        near_QPKP = near.exp().view(*asked_counts_QP.shape, *kept_counts_KP.shape)
        there_QPK, back_QKP = ((near_QPKP.sum(side).to(asked_QPD.dtype) + _LOST).log() for side in (3, 1))
        there_QK = (asked_counts_QP.unsqueeze(-1) * there_QPK).sum(1)
        back_QK = (back_QKP * kept_counts_KP).sum(-1)
        scale = torch.exp(meta_params["matching.log_scale"].clamp(max=_SHARPEST))
        return scale * (there_QK + back_QK) / self.parts

    def _points(self, meta_params: Params, parts_EPD: Tensor) -> tuple[Tensor, Tensor]:
        """Parts as points [E * P, D + 2] of description and place, and minus half their squared lengths.

        Those in two columns: what one rounded number leaves of it is in the other.
        """
        rows, columns = self.grid
        device, dtype = parts_EPD.device, parts_EPD.dtype
        row, column = (torch.arange(size, device=device, dtype=dtype) for size in self.grid)
        place_P2 = torch.cartesian_prod(row - (rows - 1) / 2, column - (columns - 1) / 2)
        places = (meta_params["matching.reach"] * place_P2).expand(len(parts_EPD), -1, -1)
        points = torch.cat([self.spec.width**-0.25 * parts_EPD, places], -1).flatten(0, 1)
        rounded = self._rounded(points)
        minus = -rounded.to(dtype).square().sum(-1, keepdim=True) / 2
        first = self._rounded(minus)
        return rounded, torch.cat([first, self._rounded(minus - first.to(dtype))], -1)

    def _rounded(self, values: Tensor) -> Tensor:
        # Never to more digits than there are: float64 stays itself, where it is given.
        return values if self.rounded == torch.float32 else values.to(self.rounded)


def _logits(scores_QK: Tensor, slots_K: Tensor, class_mask: Tensor) -> Tensor:
    """The logarithm of the mean likelihood of each class's examples [Q, N]."""
    members_KN = one_hot(slots_K.long() - 1, (slots_K > 0).to(scores_QK.dtype), class_mask.shape[-1])
    by_class_QKN = scores_QK.unsqueeze(-1).masked_fill(members_KN == 0, _UNUSED)
    logits_QN = torch.logsumexp(by_class_QKN, 1) - members_KN.sum(0).clamp(min=1.0).log()
    return only_real_classes(logits_QN, class_mask)
