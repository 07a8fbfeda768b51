"""What neural processes have in common, a decoder to normal distributions. Knows its networks as pure functions."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Generator, Tensor
from torch.nn.functional import softplus

from models.episode import Episode, SupportSet
from models.functional import Network, Params, answer_loss, masked_mean, squared_error
from models.spec import Task

# Keeps the distribution proper however well meta-training comes to predict.
SMALLEST_STD = 1e-3


class NeuralProcess(ABC):
    """Regression by a network that reads the support set: adapting is a forward pass, and so is answering.

    `backbone` goes from [E, X] to [E, F]; `encoder` from an example's features and targets [E, F + T] to [E, R];
    `decoder` from a query's features and what it is told of the support set [E, F + R] to [E, 2 T], a mean and a
    raw deviation. Meta-training fits all three by the predictive density of the query set.
    """

    task: Task = "regression"
    max_ways = None

    def __init__(self, backbone: Network, encoder: Network, decoder: Network) -> None:
        self.backbone = backbone
        self.encoder = encoder
        self.decoder = decoder

    @abstractmethod
    def read(self, meta_params: Params, features: Tensor, values: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Adapted parameters of features [S, F] and encoded examples [S, R]."""

    @abstractmethod
    def told(self, meta_params: Params, adapted_params: Params, features: Tensor) -> Tensor:
        """What queries of features [Q, F] are told of the support set, [Q, R]."""

    def init(self, generator: Generator) -> dict[str, Tensor]:
        return {
            name: value
            for network in (self.backbone, self.encoder, self.decoder)
            for name, value in network.init(generator).items()
        }

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """See `read`; raises ValueError for a `start`."""
        if start is not None:
            raise ValueError("neural processes adapt from a support set alone")
        features_SF = self.backbone(meta_params, support.inputs)
        values_SR = self.encoder(meta_params, torch.cat([features_SF, support.targets], dim=-1))
        return self.read(meta_params, features_SF, values_SR, support.mask)

    def predict(self, meta_params: Params, adapted_params: Params, query_inputs: Tensor) -> dict[str, Tensor]:
        """`mean` and `std` [Q, T]."""
        features_QF = self.backbone(meta_params, query_inputs)
        told_QR = self.told(meta_params, adapted_params, features_QF)
        decoded = self.decoder(meta_params, torch.cat([features_QF, told_QR], dim=-1))
        mean_QT, raw_QT = decoded.chunk(2, dim=-1)
        return {"mean": mean_QT, "std": SMALLEST_STD + softplus(raw_QT)}

    def support_loss(self, meta_params: Params, adapted_params: Params, support: SupportSet) -> Tensor:
        answer = self.predict(meta_params, adapted_params, support.inputs)
        return answer_loss(answer, support.targets, support.mask)

    def meta_loss(self, meta_params: Params, episode: Episode) -> tuple[Tensor, dict[str, Tensor]]:
        """The query's mean negative log predictive density, in nats an example; `loss` is its squared error."""
        query = episode.query
        adapted = self.adapt(meta_params, episode.support)
        outputs = self.predict(meta_params, adapted, query.inputs)
        distance_QT = (query.targets - outputs["mean"]) / outputs["std"]
        log_density_QT = -0.5 * (distance_QT.square() + math.log(2 * math.pi)) - outputs["std"].log()
        nll = -masked_mean(log_density_QT.sum(-1), query.mask)
        loss = squared_error(outputs["mean"].detach(), query.targets, query.mask)
        return nll, {"loss": loss, "nll": nll.detach()}
