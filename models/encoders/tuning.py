"""Which of a pretrained transformer's weights are learned, and as what. Knows modules by name; nothing of texts.

The weights themselves never change: what is learned is kept apart, as differences, and every version on an encoder
shares the one that was loaded.
"""

import re
from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn

from models.encoders.folder import EncoderError
from models.spec import EncoderSpec

PREFIX = "pretrained."
"""Before the names of learned differences, among a version's parameters; no network has names of this kind."""

# BERT's `encoder.layer.5.attention.self.query`, DistilBERT's `transformer.layer.5.attention.q_lin`, and their like.
_LAYER = re.compile(r"\.(\d+)\.")
_ATTENTION = re.compile(r"\.(attention|attn|self_attn)\.")


def tuned_params(params: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those of a version's parameters that are an encoder's differences."""
    return {name: value for name, value in params.items() if name.startswith(PREFIX)}


class Tuning:
    """Low-rank differences of the attention's projections in the top layers (Hu et al. 2021, LoRA), or differences
    of the layer norms there (Frankle et al. 2020).

    Both are none at first: of LoRA's two factors the outer one starts at zero.
    """

    def __init__(
        self, module: nn.Module, spec: EncoderSpec, tuned: Mapping[str, Tensor] | None = None
    ) -> None:
        """Of the module's weights, or of those that `tuned` has in place of some. Raises EncoderError where the
        module has no weights to tune."""
        self._tuned = tuned or {}
        self._spec = spec
        kind = nn.Linear if spec.tuning == "lora" else nn.LayerNorm
        found = {
            name: layer
            for name, part in module.named_modules()
            if isinstance(part, kind) and (layer := _layer_of(name, kind)) is not None
        }
        top = sorted(set(found.values()))[-spec.layers :]
        self._weights: dict[str, Tensor] = {
            f"{name}.{field}": self._tuned.get(f"{name}.{field}", value.detach())
            for name, layer in found.items()
            if layer in top
            for field, value in module.get_submodule(name).named_parameters()
            if spec.tuning == "layer_norm" or field == "weight"
        }
        if not self._weights:
            raise EncoderError(f"encoder {spec.encoder!r} has no layers that {spec.tuning} could tune")

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """Differences of nothing, by name."""
        params: dict[str, Tensor] = {}
        for name, weight in self._weights.items():
            if self._spec.tuning == "layer_norm":
                params[PREFIX + name] = torch.zeros(weight.shape)
                continue
            outputs, inputs = weight.shape
            drawn = torch.randn(self._spec.rank, inputs, generator=generator)
            params[f"{PREFIX}{name}.lora_a"] = drawn / inputs**0.5
            params[f"{PREFIX}{name}.lora_b"] = torch.zeros(outputs, self._spec.rank)
        return params

    def weights(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tuned weights by their names in the module: differentiable in `params`."""
        if self._spec.tuning == "layer_norm":
            return {name: weight + params[PREFIX + name] for name, weight in self._weights.items()}
        return dict(self._tuned) | {
            name: weight + params[f"{PREFIX}{name}.lora_b"] @ params[f"{PREFIX}{name}.lora_a"]
            for name, weight in self._weights.items()
        }

    def check(self, params: Mapping[str, Tensor]) -> None:
        """Raises ValueError unless names and shapes are those of this tuning's differences."""
        expected = {name: value.shape for name, value in self.init(Generator()).items()}
        if expected != {name: value.shape for name, value in params.items()}:
            raise ValueError("the encoder's tuned parameters are not those of its description")


def _layer_of(name: str, kind: type[nn.Module]) -> int | None:
    """The number of the layer that a module is in, counted from below; None for one that is not tuned."""
    layer = _LAYER.search(f".{name}.")
    if layer is None or (kind is nn.Linear and _ATTENTION.search(f".{name}.") is None):
        return None
    return int(layer.group(1))
