"""Body only in the inner loop. Knows the network as a backbone and a head; nothing of task families or training."""

from torch import Tensor

from models.algorithms.gradient_learner import GradientLearner
from models.algorithms.inner_loop import descend
from models.episode import SupportSet
from models.functional import HeadedNetwork, Params
from models.spec import BoilSpec, Task


class Boil(GradientLearner):
    """Adapt everything but the last layer by gradient steps, so that the features change (Oh et al. 2021)."""

    network: HeadedNetwork

    def __init__(self, spec: BoilSpec, task: Task, network: HeadedNetwork) -> None:
        super().__init__(task, network)
        self.spec = spec

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """The backbone's parameters after `inner_steps` steps on the support set, from `start` or `meta_params`."""
        before = meta_params if start is None else start
        adapted = descend(
            self.loss_on(support, meta_params),
            {name: before[name] for name in meta_params if name not in self.network.head_names},
            steps=self.spec.inner_steps,
            rate=self.spec.inner_lr,
            first_order=self.spec.first_order,
        )
        return self.with_classes(adapted, support)
