"""What learners have in common that adapt a network by gradients. Knows no inner loop: each has its own."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Generator, Tensor

from models.episode import Episode, SupportSet
from models.functional import Network, Params, accuracy, cross_entropy, only_real_classes, squared_error
from models.spec import Task


class GradientLearner(ABC):
    """Answers by the network at the meta-parameters, those that were adapted in place of their namesakes.

    Its last layer has one output for each class slot it was trained with, so `max_ways` bounds a task's
    classes; the slots that a task leaves unused take no part in its loss and are -inf in its answers.
    Everything is computed in the dtype of parameters and episode.
    """

    def __init__(self, task: Task, network: Network) -> None:
        self.task: Task = task
        self.network = network
        self.max_ways = network.width if task == "classification" else None

    def init(self, generator: Generator) -> dict[str, Tensor]:
        return self.network.init(generator)

    @abstractmethod
    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """See `MetaLearner`; every algorithm says what it adapts."""

    def outputs(self, meta_params: Params, adapted_params: Params, inputs: Tensor) -> Tensor:
        """The network's outputs [E, F], those of unused class slots too."""
        return self.network({**meta_params, **adapted_params}, inputs)

    def predict(self, meta_params: Params, adapted_params: Params, query_inputs: Tensor) -> dict[str, Tensor]:
        """`mean` [Q, T] or `logits` [Q, N]; there is no `std`."""
        outputs = self.outputs(meta_params, adapted_params, query_inputs)
        if self.task == "regression":
            return {"mean": outputs}
        return {"logits": only_real_classes(outputs, adapted_params["class_mask"])}

    def support_loss(self, meta_params: Params, adapted_params: Params, support: SupportSet) -> Tensor:
        return self.loss(self.outputs(meta_params, adapted_params, support.inputs), support)

    def meta_loss(self, meta_params: Params, episode: Episode) -> tuple[Tensor, dict[str, Tensor]]:
        adapted = self.adapt(meta_params, episode.support)
        return self.query_loss(self.outputs(meta_params, adapted, episode.query.inputs), episode)

    def query_loss(self, outputs: Tensor, episode: Episode) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of the query's outputs [Q, F], and the metrics that go with it, detached."""
        examples = SupportSet(*episode.query, episode.support.class_mask)
        loss = self.loss(outputs, examples)
        metrics = {"loss": loss.detach()}
        if self.task == "classification":
            logits = only_real_classes(outputs.detach(), examples.class_mask)
            metrics["accuracy"] = accuracy(logits, examples.targets, examples.mask)
        return loss, metrics

    def loss(self, outputs: Tensor, examples: SupportSet) -> Tensor:
        """The mean loss of outputs [E, F] for labelled examples, a scalar: squared error or cross-entropy."""
        if self.task == "regression":
            return squared_error(outputs, examples.targets, examples.mask)
        logits = only_real_classes(outputs, examples.class_mask)
        return cross_entropy(logits, examples.targets, examples.mask)

    def loss_on(self, support: SupportSet, meta_params: Params) -> Callable[[Params], Tensor]:
        """The support set's loss as a function of what is adapted: what an inner loop descends on."""
        return lambda adapted: self.support_loss(meta_params, adapted, support)

    def with_classes(self, adapted: dict[str, Tensor], support: SupportSet) -> dict[str, Tensor]:
        """Adapted parameters with `class_mask` [N], where the task has classes."""
        return {**adapted, "class_mask": support.class_mask} if self.task == "classification" else adapted
