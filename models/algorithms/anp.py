"""Attentive neural processes. Knows its networks as pure functions; nothing of task families or training."""

import math

import torch
from torch import Generator, Tensor

from models.algorithms.neural_process import NeuralProcess
from models.algorithms.places import order_of, placed
from models.functional import Network, Params
from models.spec import AnpSpec

_UNUSED = -1e30  # finite, so that a support set of no examples attends to places of zeros alike


class Anp(NeuralProcess):
    """A query attends to the encoded examples by several heads, and is decoded beside them (Kim et al. 2019).

    The paper's deterministic path alone, without self-attention between examples. Without its latent path one
    answer's deviation is right and the answers to several queries are independent: functions are not sampled whole.
    Keys are made of an example's features, values of features and targets, before they are kept.
    """

    def __init__(self, spec: AnpSpec, backbone: Network, encoder: Network, decoder: Network) -> None:
        super().__init__(backbone, encoder, decoder)
        self.spec = spec

    def init(self, generator: Generator) -> dict[str, Tensor]:
        params = super().init(generator)
        inputs, width = self.backbone.width, self.spec.representation
        for name in ("attention.key", "attention.query"):
            params[name] = torch.randn(width, inputs, generator=generator) / math.sqrt(inputs)
        for name in ("attention.value", "attention.output"):
            params[name] = torch.randn(width, width, generator=generator) / math.sqrt(width)
        return params

    def read(self, meta_params: Params, features: Tensor, values: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """`keys` and `values` [K, R], and `used` [K], 1 where a place holds an example.

        K is `max_support`; of more real examples the first K would be kept.
        """
        places = self.spec.max_support
        order = order_of(mask, places)
        return {
            "keys": placed(features @ meta_params["attention.key"].T, mask, order, places),
            "values": placed(values @ meta_params["attention.value"].T, mask, order, places),
            "used": placed(torch.ones_like(mask), mask, order, places),
        }

    def told(self, meta_params: Params, adapted_params: Params, features: Tensor) -> Tensor:
        heads, width = self.spec.heads, self.spec.representation // self.spec.heads
        queries_HQW, keys_HKW, values_HKW = (
            rows.reshape(len(rows), heads, width).transpose(0, 1)
            for rows in (
                features @ meta_params["attention.query"].T,
                adapted_params["keys"],
                adapted_params["values"],
            )
        )
        scores_HQK = queries_HQW @ keys_HKW.transpose(-1, -2) / math.sqrt(width)
        attention_HQK = torch.softmax(scores_HQK.masked_fill(adapted_params["used"] == 0, _UNUSED), dim=-1)
        told_QR = (attention_HQK @ values_HKW).transpose(0, 1).reshape(len(features), heads * width)
        return told_QR @ meta_params["attention.output"].T
