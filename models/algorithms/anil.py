"""Almost no inner loop. Knows the network as a backbone and a head; nothing of task families or training."""

from torch import Tensor

from models.algorithms.gradient_learner import GradientLearner
from models.algorithms.inner_loop import descend
from models.episode import SupportSet
from models.functional import HeadedNetwork, Params
from models.spec import AnilSpec, Task


class Anil(GradientLearner):
    """Adapt the last layer alone by gradient steps; the features are the meta-parameters' (Raghu et al. 2020).

    So an adapted model is as small as a last layer, and each example goes through the backbone once.
    """

    network: HeadedNetwork

    def __init__(self, spec: AnilSpec, task: Task, network: HeadedNetwork) -> None:
        super().__init__(task, network)
        self.spec = spec

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """The head's parameters after `inner_steps` steps on the support set, from `start` or `meta_params`."""
        features_SF = self.network.features(meta_params, support.inputs)
        before = meta_params if start is None else start
        adapted = descend(
            lambda head: self.loss(self.network.head(head, features_SF), support),
            {name: before[name] for name in self.network.head_names},
            steps=self.spec.inner_steps,
            rate=self.spec.inner_lr,
            first_order=self.spec.first_order,
        )
        return self.with_classes(adapted, support)
