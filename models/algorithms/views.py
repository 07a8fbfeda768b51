"""Several views of each image where a model is used, one where it is trained. Knows learners by their protocol."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from models.algorithms.ensemble import mean_log_probabilities
from models.algorithms.learner import MetaLearner
from models.algorithms.wrapped import Wrapped
from models.episode import SupportSet
from models.functional import Params
from models.images import resampled

# How far a view is from the image: parts of its side, degrees, and the logarithm of its size.
SHIFT = 0.04
TURN = 8.0
SIZE = 0.1

# (right, down, turned, larger), each in the units above; the first is the image itself.
VIEWS = (
    (0, 0, 0, 0),
    (0, 0, 0, 1),
    (0, 0, 0, -1),
    (0, 0, 1, 0),
    (0, 0, -1, 0),
    (1, 1, 0, 0),
    (-1, -1, 0, 0),
    (1, -1, 0, 0),
    (-1, 1, 0, 0),
)


class Views(Wrapped):
    """A learner that adapts to `views` copies of each support image, and answers with the mean over a query's.

    The copies are fixed: the image itself, scaled, turned, shifted. Meta-training is the learner's own.
    """

    def __init__(self, learner: MetaLearner, views: int) -> None:
        super().__init__(learner)
        self.views = views

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        return self.learner.adapt(meta_params, self._repeated(support), start)

    def predict(self, meta_params: Params, adapted_params: Params, query_inputs: Tensor) -> dict[str, Tensor]:
        """The mean of the views' log-probabilities [Q, N], or of their numbers [Q, T]."""
        rows = len(query_inputs)
        answer = self.learner.predict(meta_params, adapted_params, copies(query_inputs, self.views))
        by_view = {name: list(torch.split(value, rows)) for name, value in answer.items()}
        if self.task == "classification":
            return {"logits": mean_log_probabilities(by_view["logits"])}
        return {name: torch.stack(values).mean(0) for name, values in by_view.items()}

    def _repeated(self, support: SupportSet) -> SupportSet:
        targets = support.targets.repeat(self.views, *[1] * (support.targets.dim() - 1))
        inputs, mask = copies(support.inputs, self.views), support.mask.repeat(self.views)
        return SupportSet(inputs, targets, mask, support.class_mask)


def copies(images: Tensor, views: int) -> Tensor:
    """Images [E, C, H, W] as `views` copies of all of them, one set after the other: [views * E, C, H, W]."""
    return torch.cat([images, *(_seen(images, *view) for view in VIEWS[1:views])])


def _seen(images: Tensor, right: int, down: int, turned: int, larger: int) -> Tensor:
    angle, size = math.radians(turned * TURN), math.exp(-larger * SIZE)
    cos, sin = size * math.cos(angle), size * math.sin(angle)
    rows = [[cos, -sin, -2 * SHIFT * right], [sin, cos, -2 * SHIFT * down]]
    matrix = torch.tensor(rows, device=images.device, dtype=images.dtype).expand(len(images), 2, 3)
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    return resampled(images, grid)
