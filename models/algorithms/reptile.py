"""Reptile. Knows the network as a pure function; nothing of task families or training."""

import torch
from torch import Tensor

from models.algorithms.gradient_learner import GradientLearner
from models.algorithms.inner_loop import descend
from models.episode import Episode, SupportSet
from models.functional import Network, Params, one_hot
from models.spec import ReptileSpec, Task


class Reptile(GradientLearner):
    """Move the initialisation towards each task's adapted parameters (Nichol, Achiam & Schulman 2018).

    Nothing is differentiated twice: the meta-gradient is (meta_params - adapted) / inner_lr (section 5.1), that of
    the squared distance to the adapted parameters, taken for constants. They are adapted to all of an episode's
    examples, support and query, for the method needs no query set; step s takes those of mini-batch
    s mod `inner_batches`, into which every class's examples are dealt in turn.
    """

    def __init__(self, spec: ReptileSpec, task: Task, network: Network) -> None:
        super().__init__(task, network)
        self.spec = spec

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """The network's parameters after `inner_steps` steps on the support set, from `start` or `meta_params`."""
        before = meta_params if start is None else start
        adapted = self._descend({name: before[name] for name in meta_params}, [support])
        return self.with_classes(adapted, support)

    def meta_loss(self, meta_params: Params, episode: Episode) -> tuple[Tensor, dict[str, Tensor]]:
        """Half the squared distance to the adapted parameters, by `inner_lr`; its gradient is the method's.

        Metrics are of the query after adapting to the support set alone, which is what the model is for.
        """
        frozen = {name: value.detach() for name, value in meta_params.items()}
        batches = deal(_all_examples(episode), self.spec.inner_batches)
        goal = self._descend(frozen, batches)
        distance = torch.stack(
            [(value - goal[name]).square().sum() for name, value in meta_params.items()]
        ).sum()
        adapted = self.adapt(frozen, episode.support)
        _, metrics = self.query_loss(self.outputs(frozen, adapted, episode.query.inputs), episode)
        return distance / (2 * self.spec.inner_lr), metrics

    def _descend(self, params: Params, batches: list[SupportSet]) -> dict[str, Tensor]:
        current = dict(params)
        for step in range(self.spec.inner_steps):
            batch = batches[step % len(batches)]
            current = descend(
                self.loss_on(batch, params), current, steps=1, rate=self.spec.inner_lr, first_order=True
            )
        return current


def deal(examples: SupportSet, batches: int) -> list[SupportSet]:
    """The examples as so many mini-batches, each the whole by another mask; where padding lies has no effect."""
    mask = examples.mask
    slots = examples.class_mask.shape[-1]
    members = one_hot(examples.targets, mask, slots) if slots else mask.unsqueeze(-1)
    # An example's number among those of its class, counted from 0; for padding anything.
    places = ((members.cumsum(0) - 1) * members).sum(-1)
    return [examples._replace(mask=mask * (places % batches == batch)) for batch in range(batches)]


def _all_examples(episode: Episode) -> SupportSet:
    support, query = episode
    inputs, targets, mask = (torch.cat(pair) for pair in zip(support[:3], query, strict=True))
    return SupportSet(inputs, targets, mask, support.class_mask)
