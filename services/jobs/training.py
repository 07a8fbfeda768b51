"""One job's training as it lives in a worker's memory between two steps, whatever is trained. Knows no row.

What differs between learners of examples and policies is in `meta_training` and `policy_training`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import torch

from models.spec import Signature
from models.training.checkpoint import decode_checkpoint, encode_checkpoint
from models.training.config import MetaTrainingConfig
from models.training.meta_trainer import DivergedError
from models.training.phases import Phase
from models.training.trainer import Trainer
from services.jobs.failures import Diverged
from services.storage.manifest import Manifest, encode_artifact

# Meta-test tasks are drawn apart from the training tasks of the same seed.
TEST_SEED = 1 << 31


class Training:
    """A trainer with what it was made from. Not safe for several threads; every job has its own."""

    def __init__(
        self,
        config: MetaTrainingConfig,
        signature: Signature,
        max_ways: int | None,
        trainer: Trainer,
        device: torch.device,
    ) -> None:
        self.config = config
        self.signature = signature
        self.device = device
        self._max_ways = max_ways
        self._trainer = trainer

    @property
    def iteration(self) -> int:
        """Iterations taken, of all phases."""
        return self._trainer.iteration

    @property
    def finished(self) -> bool:
        return self._trainer.finished

    @property
    def phase(self) -> Phase:
        """What the next iteration belongs to."""
        return "meta_training"

    @property
    def plan(self) -> str:
        """What executes the outer steps."""
        return self._trainer.plan.name

    @property
    def test_seed(self) -> int:
        return TEST_SEED + self.config.training.seed

    def ready(self) -> bool:
        """Whether `run` may be called; if not, ask again: what executes its steps is still being compiled."""
        return True

    def run(self, iterations: int) -> dict[str, float]:
        """Take iterations, of one phase; the mean of every metric over them. Raises Diverged."""
        try:
            return self._trainer.run(iterations)
        except DivergedError as error:
            raise Diverged(str(error)) from error

    def turn(self) -> None:
        """Go on by a better plan if there is one. Call it right before `checkpoint`, which records it."""

    def checkpoint(self) -> bytes:
        """The whole state of the training; equal states give equal bytes."""
        return encode_checkpoint(self._trainer.state())

    def restore(self, data: bytes) -> None:
        """Go on from a checkpoint. Raises ValueError where it is none of this training."""
        self._trainer.restore(decode_checkpoint(data))

    def meta_test(self, before_each_pass: Callable[[], None]) -> dict[str, dict[str, float]]:
        """Scores on held-out tasks, by what was tested: `meta_test` is the trained model.

        `before_each_pass` may raise to break off.
        """
        raise NotImplementedError

    def artifact(self, record: Mapping[str, Any], metrics: Mapping[str, Any]) -> bytes:
        """The trained model as the file that a version is; `record` says how it came to be."""
        params = {name: value.numpy() for name, value in self._trainer.meta_params.items()}
        where = {"device": self.device.type, "torch": str(torch.__version__)}
        plans = [msgspec.structs.asdict(stretch) for stretch in self._trainer.stretches]
        manifest = Manifest(
            learner=self.config.learner,
            signature=self.signature,
            max_ways=self._max_ways,
            training={**record, **where, "plans": plans},
            metrics=dict(metrics),
        )
        return encode_artifact(params, manifest)
