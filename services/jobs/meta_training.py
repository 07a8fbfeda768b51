"""One job's meta-training of a learner of examples. Imports torch; knows no row."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import torch
from torch import Generator

from models.build import build_learner
from models.episode import MetaBatch
from models.functional import Params
from models.networks.kernels import Kernels
from models.programs.folder import ProgramFolder
from models.spec import EncoderSpec, Signature, max_ways_of
from models.tasks.family import Split, TaskFamily
from models.tasks.labelled import Labelled
from models.tasks.split_record import HasSplit
from models.training.config import MetaTrainingConfig
from models.training.declared_planner import DeclaredPlanner
from models.training.evaluation import meta_test
from models.training.meta_trainer import MetaTrainer
from models.training.phases import Phase, Phases
from models.training.planner import Planner
from models.training.pretraining import pretrainer
from models.training.program import ProgramSpec
from services.jobs.failures import Unsuitable
from services.jobs.training import Training


class MetaTraining(Training):
    """A trainer of episodes, what is trained before it, and the planner that chooses how it takes its steps."""

    def __init__(
        self,
        config: MetaTrainingConfig,
        signature: Signature,
        family: TaskFamily,
        device: torch.device,
        programs: ProgramFolder | None = None,
        *,
        measured: bool = False,
    ) -> None:
        """With `programs` the run's plan is what its configuration says, or `measured`; else there is one for all.
        Raises Unsuitable where learner and signature do not fit."""
        max_ways = max_ways_of(config.learner, config.tasks, signature)
        self._family = family
        try:
            kernels, mean = Kernels(backbone=config.training.precision), _mean_of(config, family)
            learner = build_learner(config.learner, signature, max_ways, kernels, mean)
        except ValueError as error:
            raise Unsuitable(str(error)) from error
        trainer = MetaTrainer(config.training, family, learner, device)
        try:
            before = pretrainer(config.training, config.learner, signature, learner, family, device)
            self.phases = Phases(trainer, before, signature)
        except ValueError as error:
            raise Unsuitable(str(error)) from error
        super().__init__(config, signature, max_ways, self.phases, device)
        self._planner: Planner | None = None
        if programs is not None:
            program = ProgramSpec.of(config.learner, signature, max_ways, trainer)
            self._planner = (Planner if measured else DeclaredPlanner)(trainer, program, programs)
        self._begun = False

    @property
    def phase(self) -> Phase:
        return self.phases.phase

    def ready(self) -> bool:
        begins = self.phase == "meta_training" and not self._begun and self._planner is not None
        return not begins or self._planner is None or self._planner.ready()

    def run(self, iterations: int) -> dict[str, float]:
        """Take iterations, of one phase; the mean of every metric over them. Raises Diverged."""
        if not self._begun and self.phase == "meta_training":
            self._begun = True
            if self._planner is not None:
                self._planner.begin()
        return super().run(iterations)

    def turn(self) -> None:
        if self._planner is not None and self._begun:
            self._planner.turn()

    def meta_test(self, before_each_pass: Callable[[], None]) -> dict[str, dict[str, float]]:
        """Scores on held-out tasks; `before_each_pass` may raise to break off.

        `meta_test` is what the trained model scores. A run with pretraining also has `before`,
        `after_pretraining` and `after_meta_training`, all on the same episodes.
        """

        def scores(params: Params) -> dict[str, float]:
            return meta_test(
                self.config.learner,
                self.signature,
                self._max_ways,
                params,
                _Watched(self._family, before_each_pass),
                episodes=self.config.training.test_episodes,
                seed=self.test_seed,
                device=self.device,
            )

        trained = scores(self.phases.meta_params)
        earlier = {phase: scores(params) for phase, params in self.phases.earlier().items()}
        return {"meta_test": trained, **earlier, **({"after_meta_training": trained} if earlier else {})}

    def artifact(self, record: Mapping[str, Any], metrics: Mapping[str, Any]) -> bytes:
        """With what was held out, where the tasks come from a dataset."""
        if isinstance(self._family, HasSplit):
            record = {**record, "split": msgspec.to_builtins(self._family.split.record)}
        return super().artifact(record, metrics)


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
