"""A policy's whole evaluation: its return after every inner step, on tasks that it was not trained on."""

from collections.abc import Callable
from typing import Any

import torch

from models.algorithms.maml_policy import MamlPolicy
from models.environments.environment import EnvironmentFamily
from models.functional import Params
from models.training.policies.evaluation import DRAW, STEPS, evaluate_policy


class PolicyExamination:
    """One part, for the steps of a task follow from one another."""

    def __init__(
        self,
        learner: MamlPolicy,
        meta_params: Params,
        family: EnvironmentFamily,
        *,
        tasks: int,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self._learner = learner
        self._params = meta_params
        self._family = family
        self._seed = seed
        self._device = device
        self._scores: dict[str, float] = {}
        self.total = tasks

    @property
    def done(self) -> int:
        """Tasks of the parts that are done."""
        return self.total if self._scores else 0

    @property
    def finished(self) -> bool:
        return bool(self._scores)

    def advance(self, tell: Callable[[int], None]) -> None:
        """Do all of it; `tell` hears of the tasks that are about to be tried, and may raise to break off."""
        self._scores = evaluate_policy(
            self._learner,
            self._params,
            self._family,
            tasks=self.total,
            seed=self._seed,
            device=self._device,
            before_each_pass=lambda: tell(DRAW),
        )

    def report(self) -> dict[str, Any]:
        """The scores of `evaluate_policy`, also as the rows of `per_step`."""
        if not self._scores:
            return {}
        rows = [
            {
                "steps": step,
                "return": self._scores[f"return_step_{step}"],
                "return_ci95": self._scores[f"return_step_{step}_ci95"],
            }
            for step in range(STEPS + 1)
        ]
        return {**self._scores, "per_step": rows}
