"""One job's meta-training of a policy. Imports torch; knows no row."""

from collections.abc import Callable

import torch

from models.build import build_environments, build_policy_learner
from models.environments.environment import MissingPackagesError
from models.spec import EnvironmentSpec, LifetimeSpec, signature_of
from models.training.config import MetaTrainingConfig
from models.training.policies.evaluation import evaluate_policy
from models.training.policies.lifetime_trainer import LifetimeTrainer
from models.training.policies.trainer import PolicyTrainer
from models.training.trainer import Trainer
from services.jobs.failures import Unsuitable
from services.jobs.training import Training


class PolicyTraining(Training):
    """A policy's trainer on its environments."""

    def __init__(self, config: MetaTrainingConfig, tasks: EnvironmentSpec, device: torch.device) -> None:
        """Raises Unsuitable where learner and tasks do not fit."""
        signature = signature_of(tasks)
        try:
            learner = build_policy_learner(config.learner, signature)
        except ValueError as error:
            raise Unsuitable(str(error)) from error
        self._learner = learner
        self._family = build_environments(tasks)
        training, outer, count = config.training, config.training.outer, tasks.n_trajectories
        trainer: Trainer = (
            LifetimeTrainer(training, outer, self._family, learner, count, device)
            if isinstance(outer, LifetimeSpec)
            else PolicyTrainer(training, self._family, learner, count, device)
        )
        super().__init__(config, signature, None, trainer, device)

    def run(self, iterations: int) -> dict[str, float]:
        """Raises Diverged, and Unsuitable where the environment's packages are not installed."""
        try:
            return super().run(iterations)
        except MissingPackagesError as error:
            raise Unsuitable(str(error)) from error

    def meta_test(self, before_each_pass: Callable[[], None]) -> dict[str, dict[str, float]]:
        """The mean return after 0 to 3 inner steps of 4000 environment steps each, on held-out tasks."""
        scores = evaluate_policy(
            self._learner,
            self._trainer.meta_params,
            self._family,
            tasks=self.config.training.test_episodes,
            seed=self.test_seed,
            device=self.device,
            before_each_pass=before_each_pass,
        )
        return {"meta_test": scores}
