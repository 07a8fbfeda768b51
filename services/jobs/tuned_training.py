"""One job's meta-training of a learner together with its encoder's top. Imports torch; knows no row.

The family's examples are tokens of texts, or images, while it trains. The meta-test is of what is served: features
by the tuned encoder, all computed once, and the learner on them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import msgspec
import torch
from torch import Tensor

from models.build import build_learner
from models.encoders.encoder import Encoder
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

# Examples of one pass, and how many tell the mean of features before anything is tuned.
_PASS = 64
_MEAN = 1024


class TunedTraining(Training):
    """A trainer of episodes of what an encoder reads. Its plan is one: another process has no such encoder."""

    def __init__(
        self,
        config: MetaTrainingConfig,
        signature: Signature,
        family: Labelled,
        encoder: Encoder,
        device: torch.device,
    ) -> None:
        """Raises Unsuitable where learner, encoder and signature do not fit."""
        assert isinstance(config.learner.network, EncoderSpec)
        max_ways = max_ways_of(config.learner, config.tasks, signature)
        self._family = family
        self._encoder = encoder
        rows = torch.unique(family.samplers["train"].rows)
        some = rows[:: max(1, len(rows) // _MEAN)]
        mean = _features((family.data.take(few) for few in torch.split(some, _PASS)), encoder, {}).mean(0)
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
            Labelled(self._family.spec.as_tested, data),
            episodes=self.config.training.test_episodes,
            seed=self.test_seed,
            device=self.device,
        )
        return {"meta_test": scores}

    def artifact(self, record: Mapping[str, Any], metrics: Mapping[str, Any]) -> bytes:
        """With what was held out."""
        return super().artifact({**record, "split": msgspec.to_builtins(self._family.split.record)}, metrics)


def tuned_encoder(spec: EncoderSpec, device: torch.device, encoder_of: EncoderOf | None) -> Encoder:
    """The encoder that a spec tunes. Raises Unsuitable."""
    if encoder_of is None:
        raise Unsuitable("this worker has no folder of encoders")
    return encoder_of(spec, device)


def encoded(
    data: LabelledData,
    encoder: Encoder,
    weights: Mapping[str, Tensor],
    before: Callable[[], None] = lambda: None,
) -> LabelledData:
    """The data with features in place of tokens or images, where those are; `before` is called before each pass."""
    rows = torch.arange(len(data.inputs))
    features = _features((data.take(few) for few in torch.split(rows, _PASS)), encoder, weights, before)
    names = (
        None if data.names is None else _features(torch.split(data.names, _PASS), encoder, weights, before)
    )
    return replace(data, inputs=features, keys=data.contents, names=names, encoded_shape=data.wire_shape)


def _features(
    pieces: Iterable[Tensor],
    encoder: Encoder,
    weights: Mapping[str, Tensor],
    before: Callable[[], None] = lambda: None,
) -> Tensor:
    """Features [E, F] of examples that come in pieces."""
    found = []
    for piece in pieces:
        before()
        with torch.no_grad():
            found.append(encoder.features(piece, weights))
    return torch.cat(found)
