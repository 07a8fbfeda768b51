"""Several learners of one kind as one. Knows learners by their protocol alone."""

import torch
from torch import Generator, Tensor

from models.algorithms.learner import MetaLearner
from models.algorithms.numbered import numbered, of_number
from models.episode import Episode, SupportSet
from models.functional import Params, answer_loss
from models.spec import Task


class Ensemble:
    """`members` learners that start apart and answer together (deep ensembles, Lakshminarayanan et al. 2017).

    Each learns from its own loss of the same episodes. Logits are the mean of the members' log-probabilities (a
    product of experts), numbers the mean of their means, with the std of the mixture where they know one.
    """

    def __init__(self, learner: MetaLearner, members: int) -> None:
        self.learner = learner
        self.members = members
        self.task: Task = learner.task
        self.max_ways = learner.max_ways

    def init(self, generator: Generator) -> dict[str, Tensor]:
        params: dict[str, Tensor] = {}
        for member in range(self.members):
            params |= numbered("member", member, self.learner.init(generator))
        return params

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """The members' adapted parameters, each under its member's name; raises what they raise."""
        adapted: dict[str, Tensor] = {}
        for member in range(self.members):
            before = None if start is None else of_number("member", member, start)
            own = self.learner.adapt(of_number("member", member, meta_params), support, before)
            adapted |= numbered("member", member, own)
        return adapted

    def predict(self, meta_params: Params, adapted_params: Params, query_inputs: Tensor) -> dict[str, Tensor]:
        """`logits` [Q, N], or `mean` [Q, T] and perhaps `std` [Q, T]."""
        answers = [
            self.learner.predict(
                of_number("member", member, meta_params),
                of_number("member", member, adapted_params),
                query_inputs,
            )
            for member in range(self.members)
        ]
        if self.task == "classification":
            return {"logits": mean_log_probabilities([answer["logits"] for answer in answers])}
        means = torch.stack([answer["mean"] for answer in answers])
        mean = means.mean(0)
        if "std" not in answers[0]:
            return {"mean": mean}
        within = torch.stack([answer["std"] for answer in answers]).square().mean(0)
        return {"mean": mean, "std": (within + (means - mean).square().mean(0)).sqrt()}

    def support_loss(self, meta_params: Params, adapted_params: Params, support: SupportSet) -> Tensor:
        answer = self.predict(meta_params, adapted_params, support.inputs)
        return answer_loss(answer, support.targets, support.mask)

    def meta_loss(self, meta_params: Params, episode: Episode) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean of the members' losses, and of each of their metrics."""
        pairs = [
            self.learner.meta_loss(of_number("member", member, meta_params), episode)
            for member in range(self.members)
        ]
        losses, metrics = zip(*pairs, strict=True)
        means = {name: torch.stack([one[name] for one in metrics]).mean(0) for name in metrics[0]}
        return torch.stack(losses).mean(0), means


def mean_log_probabilities(logits: list[Tensor]) -> Tensor:
    """The mean over several answers' log-probabilities [Q, N]; -inf where the slots are unused."""
    return torch.stack([torch.log_softmax(one, dim=-1) for one in logits]).mean(0)
