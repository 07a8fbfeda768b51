"""The protocol every algorithm keeps: adaptation as a pure function of parameters and a support set.

Nothing here mutates. That is what lets one engine batch many tenants with `torch.func.vmap`, compile the inner
loop, store an adapted model as a small blob and replay it.
"""

from typing import Protocol

from torch import Generator, Tensor

from models.episode import Episode, SupportSet
from models.functional import Params
from models.spec import Task


class Trainable(Protocol):
    """What an outer loop needs of whatever it trains."""

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """Fresh meta-parameters, float32 on the CPU, the same for the same generator state."""
        ...

    def meta_loss(self, meta_params: Params, episode: Episode) -> tuple[Tensor, dict[str, Tensor]]:
        """The outer loss of one episode, a scalar (the performance after adaptation), and metrics to log.

        Metrics are scalars: `loss` (squared error or cross-entropy on the query), `accuracy` for
        classification, whatever else the algorithm can tell.
        """
        ...


class MetaLearner(Trainable, Protocol):
    """One algorithm on one network, for one signature. All methods are pure and take a single task.

    Adapted parameters are whatever `predict` needs beyond the meta-parameters: the whole network for MAML, its
    last layer for ANIL, prototypes for ProtoNet, a posterior for ridge; for classification `class_mask` too. Their
    names, shapes and dtypes (float32) do not depend on the support set's padding S, only on N. A learner with a
    bound on ways takes support sets of exactly N = `max_ways` class slots, used or not.
    """

    @property
    def task(self) -> Task: ...

    @property
    def max_ways(self) -> int | None:
        """The most classes one task may have; None where the algorithm sets no bound."""
        ...

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """Adapted parameters for one task; differentiable in `meta_params`.

        `start` are adapted parameters to go on from, for algorithms whose spec says
        `starts_from_adaptation`; the others raise ValueError when it is given.
        """
        ...

    def predict(self, meta_params: Params, adapted_params: Params, query_inputs: Tensor) -> dict[str, Tensor]:
        """Outputs by name for float32 [Q, X] query inputs; row q depends on row q alone.

        Regression: `mean` float32 [Q, T], and `std` float32 [Q, T] where the algorithm knows one (of a new
        observation). Classification: `logits` float32 [Q, N], -inf in unused class slots.
        """
        ...

    def support_loss(self, meta_params: Params, adapted_params: Params, support: SupportSet) -> Tensor:
        """The mean loss on the support set after adaptation, a scalar: squared error or cross-entropy."""
        ...
