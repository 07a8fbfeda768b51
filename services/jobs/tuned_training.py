"""One job's meta-training of a learner together with its text encoder's top. Imports torch; knows no row.

The family's examples are tokens while it trains. The meta-test is of what is served: features by the tuned encoder,
all computed once, and the learner on them.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import msgspec
import torch
from torch import Tensor

from models.build import build_learner
from models.encoders.stock import Encoder
from models.encoders.text import TextEncoder
from models.encoders.tuning import Tuning, tuned_params
from models.spec import EncoderSpec, Signature, max_ways_of
from models.tasks.labelled import Labelled
from models.tasks.labelled_data import LabelledData
from models.training.config import MetaTrainingConfig
from models.training.evaluation import meta_test
from models.training.meta_trainer import MetaTrainer
from services.jobs.failures import Unsuitable
from services.jobs.training import Training

EncoderOf = Callable[[EncoderSpec, torch.device], Encoder]

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
        max_ways = max_ways_of(config.learner, config.tasks, signature)
        self._family = family
        self._encoder = encoder
        rows = torch.unique(family.samplers["train"].rows)
        some = rows[:: max(1, len(rows) // _MEAN_TEXTS)]
        mean = _features(family.data.take(some), encoder, {}).mean(0)
        try:
            self._tuning = Tuning(encoder.module, config.learner.network)
            learner = build_learner(config.learner, signature, max_ways, mean=mean, encoder=encoder)
        except ValueError as error:
            raise Unsuitable(str(error)) from error
        trainer = MetaTrainer(config.training, family, learner, device)
        super().__init__(config, signature, max_ways, trainer, device)

    def meta_test(self, before_each_pass: Callable[[], None]) -> dict[str, dict[str, float]]:
        """Scores on held-out tasks; `before_each_pass` may raise to break off."""
        params = self._trainer.meta_params
        differences = {name: value.to(self.device) for name, value in tuned_params(params).items()}
        weights = self._tuning.weights(differences)
        data = encoded(self._family.data, self._encoder, weights, before_each_pass)
        before_each_pass()
        scores = meta_test(
            self.config.learner,
            self.signature,
            self._max_ways,
            {name: value for name, value in params.items() if name not in differences},
            Labelled(self._family.spec, data),
            episodes=self.config.training.test_episodes,
            seed=self.test_seed,
            device=self.device,
        )
        return {"meta_test": scores}

    def artifact(self, record: Mapping[str, Any], metrics: Mapping[str, Any]) -> bytes:
        """With what was held out."""
        return super().artifact({**record, "split": msgspec.to_builtins(self._family.split.record)}, metrics)


def text_encoder(spec: EncoderSpec, device: torch.device, encoder_of: EncoderOf | None) -> TextEncoder:
    """The encoder that a spec tunes. Raises Unsuitable."""
    encoder = None if encoder_of is None else encoder_of(spec, device)
    if not isinstance(encoder, TextEncoder):
        raise Unsuitable("only encoders of texts are tuned: leave `tuning` out")
    return encoder


def encoded(
    data: LabelledData,
    encoder: TextEncoder,
    weights: Mapping[str, Tensor],
    before: Callable[[], None] = lambda: None,
) -> LabelledData:
    """The data with features in place of tokens, where those are; `before` is called before each pass."""
    features = _features(data.inputs, encoder, weights, before)
    names = None if data.names is None else _features(data.names, encoder, weights, before)
    return replace(data, inputs=features, keys=data.contents, names=names)


def _features(
    tokens: Tensor,
    encoder: TextEncoder,
    weights: Mapping[str, Tensor],
    before: Callable[[], None] = lambda: None,
) -> Tensor:
    """Features [E, F] of tokens [E, L]."""
    found = []
    for piece in torch.split(tokens, _PASS_TEXTS):
        before()
        with torch.no_grad():
            found.append(encoder.features(piece, weights))
    return torch.cat(found)
