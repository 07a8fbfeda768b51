"""One job's meta-training of a learner together with its text encoder's top. Imports torch; knows no row.

The family's examples are tokens while it trains. The meta-test is of what is served: features by the tuned encoder,
all computed once, and the learner on them.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from models.build import build_learner
from models.encoders.text import TextEncoder
from models.encoders.tuning import Tuning, tuned_params
from models.spec import EncoderSpec, Signature, max_ways_of
from models.tasks.labelled import Labelled
from models.training.config import MetaTrainingConfig
from models.training.evaluation import meta_test
from models.training.meta_trainer import MetaTrainer
from services.jobs.failures import Unsuitable
from services.jobs.training import Training

# Texts of one pass, and how many tell the mean of features before anything is tuned.
_PASS_TEXTS = 128
_MEAN_TEXTS = 1024


class TunedTraining(Training):
    """A trainer of episodes of tokens. It has one plan: a program of another process would have no encoder."""

    def __init__(
        self,
        config: MetaTrainingConfig,
        signature: Signature,
        family: Labelled,
        encoder: TextEncoder,
        device: torch.device,
    ) -> None:
        """Raises Unsuitable where learner, encoder and signature do not fit."""
        assert isinstance(config.learner.network, EncoderSpec)
        max_ways = max_ways_of(config.learner, config.tasks)
        self._family = family
        self._encoder = encoder
        rows = torch.unique(family.samplers["train"].rows)
        some = rows[:: max(1, len(rows) // _MEAN_TEXTS)]
        mean = self._features(family.data.take(some), {}, lambda: None).mean(0)
        try:
            self._tuning = Tuning(encoder.module, config.learner.network)
            learner = build_learner(config.learner, signature, max_ways, mean=mean, encoder=encoder)
        except ValueError as error:
            raise Unsuitable(str(error)) from error
        trainer = MetaTrainer(config.training, family, learner, device)
        super().__init__(config, signature, max_ways, trainer, device)

    def meta_test(self, before_each_pass: Callable[[], None]) -> dict[str, float]:
        """Scores on held-out tasks; `before_each_pass` may raise to break off."""
        params = self._trainer.meta_params
        differences = {name: value.to(self.device) for name, value in tuned_params(params).items()}
        weights = self._tuning.weights(differences)
        features = self._features(self._family.data.inputs, weights, before_each_pass)
        family = Labelled(self._family.spec, replace(self._family.data, inputs=features.to(self.device)))
        before_each_pass()
        return meta_test(
            self.config.learner,
            self.signature,
            self._max_ways,
            {name: value for name, value in params.items() if name not in differences},
            family,
            episodes=self.config.training.test_episodes,
            seed=self.test_seed,
            device=self.device,
        )

    def _features(self, tokens: Tensor, weights: dict[str, Tensor], before: Callable[[], None]) -> Tensor:
        """Features [E, F] on the CPU of tokens [E, L]."""
        found = []
        for piece in torch.split(tokens, _PASS_TEXTS):
            before()
            with torch.no_grad():
                found.append(self._encoder.features(piece, weights).cpu())
        return torch.cat(found)
