"""One job's meta-training of a learner of examples. Imports torch; knows no row."""

from collections.abc import Callable

import torch
from torch import Generator

from models.build import build_learner
from models.episode import MetaBatch
from models.programs.folder import ProgramFolder
from models.spec import EncoderSpec, Signature, max_ways_of
from models.tasks.family import Split, TaskFamily
from models.tasks.labelled import Labelled
from models.training.config import MetaTrainingConfig
from models.training.evaluation import meta_test
from models.training.meta_trainer import MetaTrainer
from models.training.planner import Planner
from models.training.program import ProgramSpec
from services.jobs.failures import Unsuitable
from services.jobs.training import Training


class MetaTraining(Training):
    """A trainer of episodes, and the planner that chooses how it takes its steps."""

    def __init__(
        self,
        config: MetaTrainingConfig,
        signature: Signature,
        family: TaskFamily,
        device: torch.device,
        programs: ProgramFolder | None = None,
    ) -> None:
        """With `programs` the run's plans are measured, else it has one. Raises Unsuitable where learner and
        signature do not fit."""
        max_ways = max_ways_of(config.learner, config.tasks)
        self._family = family
        try:
            learner = build_learner(config.learner, signature, max_ways, mean=_mean_of(config, family))
        except ValueError as error:
            raise Unsuitable(str(error)) from error
        trainer = MetaTrainer(config.training, family, learner, device)
        super().__init__(config, signature, max_ways, trainer, device)
        self._planner: Planner | None = None
        if programs is not None:
            program = ProgramSpec.of(config.learner, signature, max_ways, trainer)
            self._planner = Planner(trainer, program, programs)
        self._begun = False

    def run(self, iterations: int) -> dict[str, float]:
        """Take outer steps; the mean of every metric over them. Raises Diverged."""
        if not self._begun:
            self._begun = True
            if self._planner is not None:
                self._planner.begin()
        return super().run(iterations)

    def turn(self) -> None:
        if self._planner is not None:
            self._planner.turn()

    def meta_test(self, before_each_pass: Callable[[], None]) -> dict[str, float]:
        """Scores on held-out tasks; `before_each_pass` may raise to break off."""
        return meta_test(
            self.config.learner,
            self.signature,
            self._max_ways,
            self._trainer.meta_params,
            _Watched(self._family, before_each_pass),
            episodes=self.config.training.test_episodes,
            seed=self.test_seed,
            device=self.device,
        )


def _mean_of(config: MetaTrainingConfig, family: TaskFamily) -> torch.Tensor | None:
    """What features are centred by."""
    encodes = isinstance(config.learner.network, EncoderSpec)
    return family.train_mean() if encodes and isinstance(family, Labelled) else None


class _Watched:
    """A family that calls back before it samples: the meta-test's only chance to be broken off."""

    def __init__(self, family: TaskFamily, before: Callable[[], None]) -> None:
        self._family = family
        self._before = before

    def sample(self, generator: Generator, meta_batch_size: int, split: Split = "train") -> MetaBatch:
        self._before()
        return self._family.sample(generator, meta_batch_size, split)
