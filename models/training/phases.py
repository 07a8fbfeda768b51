"""The three phases of a run: initialise, pretrain, meta-train. Knows trainers; no plan, no family, no clock."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from models.functional import Params
from models.spec import Signature
from models.training.meta_trainer import DivergedError, MetaTrainer
from models.training.pretraining import carried
from models.training.trainer import Named, Stretch

Phase = Literal["pretraining", "meta_training"]

_PRETRAINING = "pretraining/"
_PRETRAINED = "pretrained/"


class Phases:
    """A trainer, and the one before it if any, as one run: iterations are counted through, and so is the state.

    A run that was stopped and resumed in any phase equals an uninterrupted one bit for bit, as its trainers do.
    """

    def __init__(self, trainer: MetaTrainer, pretrainer: MetaTrainer | None, signature: Signature) -> None:
        """Raises ValueError where the pretrained network is no part of the trainer's learner."""
        self.trainer = trainer
        self._pretrainer = pretrainer
        self._signature = signature
        self._initial = trainer.meta_params
        self._pretrained: Params | None = None
        if pretrainer is not None and not pretrainer.start_from(carried(self._initial, signature)):
            raise ValueError(
                "this learner has no network of its own that could be pretrained: leave out pretrain"
            )

    @property
    def phase(self) -> Phase:
        """What the next iteration belongs to."""
        return "pretraining" if self._pretrainer is not None and self._pretrained is None else "meta_training"

    @property
    def iteration(self) -> int:
        """Iterations taken, of all phases."""
        return self.trainer.iteration + (0 if self._pretrainer is None else self._pretrainer.iteration)

    @property
    def plan(self) -> Named:
        """What executes the outer steps; pretraining has no choice."""
        return self.trainer.plan

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        return self.trainer.stretches

    @property
    def meta_params(self) -> dict[str, Tensor]:
        """The learner's meta-parameters as they are now, float32 on the CPU, detached."""
        return self.trainer.meta_params

    @property
    def finished(self) -> bool:
        return self.phase == "meta_training" and self.trainer.finished

    def run(self, iterations: int) -> dict[str, float]:
        """Takes that many iterations or those left of the phase; the mean of every metric. Raises DivergedError."""
        if self.phase == "meta_training" or self._pretrainer is None:
            return self.trainer.run(iterations)
        try:
            metrics = self._pretrainer.run(iterations)
        except DivergedError as error:
            raise DivergedError(error.iteration, "pretraining diverged; a smaller pretrain.lr") from error
        if self._pretrainer.finished:
            self._pretrained = carried(self._pretrainer.meta_params, self._signature)
            self.trainer.start_from(self._pretrained)
        return metrics

    def earlier(self) -> dict[str, dict[str, Tensor]]:
        """The learner's meta-parameters before meta-training, by what they came after; none without pretraining."""
        if self._pretrained is None:
            return {}
        shapes = {name: value.shape for name, value in self._initial.items()}
        fitting = {name: value for name, value in self._pretrained.items() if shapes.get(name) == value.shape}
        return {"before": dict(self._initial), "after_pretraining": {**self._initial, **fitting}}

    def state(self) -> dict[str, Tensor]:
        """Everything that the next iteration and `earlier` depend on, by name, on the CPU."""
        if self.phase == "pretraining" and self._pretrainer is not None:
            return {_PRETRAINING + name: value for name, value in self._pretrainer.state().items()}
        before = self._pretrained or {}
        return {**self.trainer.state(), **{_PRETRAINED + name: value for name, value in before.items()}}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from what `state` gave. Raises ValueError where it does not fit."""
        if self._pretrainer is None:
            return self.trainer.restore(state)
        early, late = _part(state, _PRETRAINING), _part(state, _PRETRAINED)
        if early:
            return self._pretrainer.restore(early)
        if not late:
            raise ValueError("the checkpoint is not one of a run with pretraining")
        self._pretrainer.iteration = self._pretrainer.training.iterations
        self._pretrained = late
        own = {name: value for name, value in state.items() if not name.startswith(_PRETRAINED)}
        return self.trainer.restore(own)


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
