"""Pretraining: one network with a linear head, supervised, on all classes or all tasks together. Adapts nothing.

It is trained by the same outer loop as any learner, so that it is checkpointed, resumed and reported alike.
"""

import msgspec
import torch
from torch import Generator, Tensor

from models.algorithms.encoded import encoding_of
from models.algorithms.learner import MetaLearner
from models.build import build_network
from models.episode import Episode
from models.functional import Network, Params, accuracy, cross_entropy, squared_error
from models.networks.heads import WithHead
from models.spec import LearnerSpec, Signature, Task
from models.tasks.examples import HasClasses, Pooled
from models.tasks.family import TaskFamily
from models.training.config import TrainingSpec
from models.training.meta_trainer import MetaTrainer

# Drawn apart from what meta-training draws of the same seed.
_SEED = 1 << 30


class Supervised:
    """A network whose loss is that of its own answers to a query set."""

    def __init__(self, task: Task, network: Network) -> None:
        self._task = task
        self._network = network

    def init(self, generator: Generator) -> dict[str, Tensor]:
        return self._network.init(generator)

    def meta_loss(self, meta_params: Params, episode: Episode) -> tuple[Tensor, dict[str, Tensor]]:
        query = episode.query
        outputs = self._network(meta_params, query.inputs)
        if self._task == "regression":
            loss = squared_error(outputs, query.targets, query.mask)
            return loss, {"loss": loss.detach()}
        loss = cross_entropy(outputs, query.targets, query.mask)
        return loss, {
            "loss": loss.detach(),
            "accuracy": accuracy(outputs.detach(), query.targets, query.mask),
        }


def pretrainer(
    training: TrainingSpec,
    spec: LearnerSpec,
    signature: Signature,
    learner: MetaLearner,
    family: TaskFamily,
    device: torch.device | str = "cpu",
) -> MetaTrainer | None:
    """What trains the learner's network before its outer loop; None where the configuration says to do without.

    Raises ValueError where there is no such network apart from the algorithm.
    """
    if training.pretrain is None:
        return None
    if spec.algorithm.further_inputs:
        raise ValueError(
            "this algorithm's network has inputs of its own, so it cannot be pretrained apart from it"
        )
    if signature.task == "regression":
        outputs = signature.target_width
    else:
        outputs = family.train_classes if isinstance(family, HasClasses) else len(signature.classes)
    network = WithHead(build_network(spec.network, signature.encoded), outputs)
    plain = msgspec.structs.replace(
        training,
        iterations=training.pretrain.iterations,
        meta_batch_size=1,
        meta_lr=training.pretrain.lr,
        optimizer="adam",
        seed=(training.seed + _SEED) % 2**31,
        pretrain=None,
    )
    pooled = Pooled(family, training.pretrain.batch_size, encoding_of(learner))
    return MetaTrainer(plain, pooled, Supervised(signature.task, network), device)


def carried(params: Params, signature: Signature) -> dict[str, Tensor]:
    """What of a pretrained network a learner may begin with: a head only where it means the same in every task."""
    same = signature.task == "regression" or bool(signature.classes)
    return {name: value for name, value in params.items() if same or not name.startswith("head.")}
