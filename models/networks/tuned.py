"""A pretrained encoder as a network whose top is learned, for meta-training. Knows features; nothing of tasks.

What is trained is served otherwise: the engine encodes with the tuned weights, and the learner sees features.
"""

from torch import Generator, Tensor

from models.encoders.encoder import Encoder
from models.encoders.tuning import Tuning
from models.functional import Params
from models.networks.features import Features


class Tuned:
    """Tokens of texts, or images, through the encoder with its tuned weights, then what `features` is.

    A pure function, as every network: the encoder's own weights are constants.
    """

    def __init__(self, encoder: Encoder, tuning: Tuning, features: Features) -> None:
        self._encoder = encoder
        self._tuning = tuning
        self._features = features

    @property
    def width(self) -> int:
        return self._features.width

    def init(self, generator: Generator) -> dict[str, Tensor]:
        return self._features.init(generator) | self._tuning.init(generator)

    def __call__(self, params: Params, inputs: Tensor) -> Tensor:
        encoded = self._encoder.features(inputs, self._tuning.weights(params))
        return self._features(params, encoded)
