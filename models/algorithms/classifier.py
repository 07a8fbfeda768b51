"""What classifiers that fit a last layer, or need none, have in common: their losses. Knows no head."""

from abc import ABC, abstractmethod

from torch import Generator, Tensor

from models.episode import Episode, SupportSet
from models.functional import Network, Params, accuracy, answer_loss, cross_entropy
from models.spec import Task


class Classifier(ABC):
    """A `MetaLearner` on features, for any number of classes, whose outer loss is the query's cross-entropy."""

    task: Task = "classification"
    max_ways: int | None = None

    def __init__(self, backbone: Network) -> None:
        self.backbone = backbone

    def init(self, generator: Generator) -> dict[str, Tensor]:
        return self.backbone.init(generator)

    @abstractmethod
    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]: ...

    @abstractmethod
    def predict(
        self, meta_params: Params, adapted_params: Params, query_inputs: Tensor
    ) -> dict[str, Tensor]: ...

    def support_loss(self, meta_params: Params, adapted_params: Params, support: SupportSet) -> Tensor:
        answer = self.predict(meta_params, adapted_params, support.inputs)
        return answer_loss(answer, support.targets, support.mask)

    def meta_loss(self, meta_params: Params, episode: Episode) -> tuple[Tensor, dict[str, Tensor]]:
        query = episode.query
        adapted = self.adapt(meta_params, episode.support)
        logits = self.predict(meta_params, adapted, query.inputs)["logits"]
        loss = cross_entropy(logits, query.targets, query.mask)
        return loss, {"loss": loss.detach(), "accuracy": accuracy(logits.detach(), query.targets, query.mask)}
