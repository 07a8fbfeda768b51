"""Model-agnostic meta-learning. Knows the network as a pure function; nothing of task families or training."""

from torch import Generator, Tensor

from models.algorithms.inner_loop import descend
from models.episode import Episode, SupportSet
from models.functional import Network, Params, accuracy, cross_entropy, only_real_classes, squared_error
from models.spec import MamlSpec, Task


class Maml:
    """Adapt the whole network by gradient steps from a learned initialisation (Finn, Abbeel & Levine 2017).

    Its last layer has one output for each class slot it was trained with, so `max_ways` bounds a task's
    classes; the slots that a task leaves unused take no part in its loss and are -inf in its answers.
    """

    def __init__(self, spec: MamlSpec, task: Task, network: Network) -> None:
        self.spec = spec
        self.task: Task = task
        self.network = network
        self.max_ways = network.width if task == "classification" else None

    def init(self, generator: Generator) -> dict[str, Tensor]:
        return self.network.init(generator)

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """The network's parameters after `inner_steps` steps on the support set, from `start` or `meta_params`."""
        before = meta_params if start is None else start

        def loss(params: dict[str, Tensor]) -> Tensor:
            outputs = self._outputs(params, support.class_mask, support.inputs)
            return self._loss(outputs, support.targets, support.mask)

        adapted = descend(
            loss,
            {name: before[name] for name in meta_params},
            steps=self.spec.inner_steps,
            rate=self.spec.inner_lr,
            first_order=self.spec.first_order,
        )
        if self.task == "classification":
            adapted["class_mask"] = support.class_mask
        return adapted

    def predict(self, meta_params: Params, adapted_params: Params, query_inputs: Tensor) -> dict[str, Tensor]:
        """`mean` [Q, T] or `logits` [Q, N]; there is no `std`."""
        outputs = self.network(adapted_params, query_inputs)
        if self.task == "regression":
            return {"mean": outputs}
        return {"logits": only_real_classes(outputs, adapted_params["class_mask"])}

    def support_loss(self, meta_params: Params, adapted_params: Params, support: SupportSet) -> Tensor:
        outputs = self._outputs(adapted_params, support.class_mask, support.inputs)
        return self._loss(outputs, support.targets, support.mask)

    def meta_loss(self, meta_params: Params, episode: Episode) -> tuple[Tensor, dict[str, Tensor]]:
        query = episode.query
        adapted = self.adapt(meta_params, episode.support)
        outputs = self._outputs(adapted, episode.support.class_mask, query.inputs)
        loss = self._loss(outputs, query.targets, query.mask)
        metrics = {"loss": loss.detach()}
        if self.task == "classification":
            metrics["accuracy"] = accuracy(outputs.detach(), query.targets, query.mask)
        return loss, metrics

    def _outputs(self, params: Params, class_mask: Tensor, inputs: Tensor) -> Tensor:
        outputs = self.network(params, inputs)
        return only_real_classes(outputs, class_mask) if self.task == "classification" else outputs

    def _loss(self, outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        measure = cross_entropy if self.task == "classification" else squared_error
        return measure(outputs, targets, mask)
