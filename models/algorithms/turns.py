"""A task from several sides where a model is used, from one where it is trained. Knows learners by protocol."""

import torch
from torch import Tensor

from models.algorithms.ensemble import mean_log_probabilities
from models.algorithms.learner import MetaLearner
from models.algorithms.numbered import numbered, of_number
from models.algorithms.wrapped import Wrapped
from models.episode import SupportSet
from models.functional import Params


class Turns(Wrapped):
    """A learner that adapts to a task as it is seen from each of `turns` sides, and answers with their mean.

    The sides are a square's symmetries: four quarter turns, then the same mirrored. Unlike `Views` a side is a task
    of its own: what is turned is compared with what is turned alike. Meta-training is the learner's own; it pays
    where that saw turned tasks (`rotations`).
    """

    def __init__(self, learner: MetaLearner, turns: int) -> None:
        super().__init__(learner)
        self.turns = turns

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """The adapted parameters to each side, under its name; raises what the learner raises."""
        adapted: dict[str, Tensor] = {}
        for turn in range(self.turns):
            seen = support._replace(inputs=turned(support.inputs, turn))
            before = None if start is None else of_number("turn", turn, start)
            adapted |= numbered("turn", turn, self.learner.adapt(meta_params, seen, before))
        return adapted

    def predict(self, meta_params: Params, adapted_params: Params, query_inputs: Tensor) -> dict[str, Tensor]:
        """The mean of the sides' log-probabilities [Q, N], or of their numbers [Q, T]."""
        answers = [
            self.learner.predict(
                meta_params, of_number("turn", turn, adapted_params), turned(query_inputs, turn)
            )
            for turn in range(self.turns)
        ]
        if self.task == "classification":
            return {"logits": mean_log_probabilities([answer["logits"] for answer in answers])}
        return {name: torch.stack([answer[name] for answer in answers]).mean(0) for name in answers[0]}


def turned(images: Tensor, turn: int) -> Tensor:
    """Square images [..., S, S] by so many quarter turns; from the fifth on, mirrored before."""
    return torch.rot90(images.flip(-1) if turn >= 4 else images, turn % 4, (-2, -1))
