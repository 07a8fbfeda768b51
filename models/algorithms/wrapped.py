"""A learner that is used in another way than it is trained. Knows learners by their protocol."""

from abc import ABC, abstractmethod

from torch import Generator, Tensor

from models.algorithms.learner import MetaLearner
from models.episode import Episode, SupportSet
from models.functional import Params, answer_loss
from models.spec import Task


class Wrapped(ABC):
    """Parameters and meta-training are the wrapped learner's own; adapting and answering are not."""

    def __init__(self, learner: MetaLearner) -> None:
        self.learner = learner
        self.task: Task = learner.task
        self.max_ways = learner.max_ways

    def init(self, generator: Generator) -> dict[str, Tensor]:
        return self.learner.init(generator)

    def meta_loss(self, meta_params: Params, episode: Episode) -> tuple[Tensor, dict[str, Tensor]]:
        return self.learner.meta_loss(meta_params, episode)

    def support_loss(self, meta_params: Params, adapted_params: Params, support: SupportSet) -> Tensor:
        answer = self.predict(meta_params, adapted_params, support.inputs)
        return answer_loss(answer, support.targets, support.mask)

    @abstractmethod
    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]: ...

    @abstractmethod
    def predict(
        self, meta_params: Params, adapted_params: Params, query_inputs: Tensor
    ) -> dict[str, Tensor]: ...
