"""A small transformer encoder for series. Knows nothing of tasks."""

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

from models.functional import Params


class SeriesTransformer:
    """Patches of a series (Nie et al. 2023) through a pre-norm transformer encoder (Vaswani et al. 2017), averaged.

    Attention is written out: torch's fused kernels have no second derivative, which MAML needs. Places are told by
    sines, so that nothing is learned for a length. Each layer normalises one place of one example.
    """

    def __init__(
        self, series_shape: tuple[int, ...], hidden: int = 64, layers: int = 2, heads: int = 4, patch: int = 4
    ) -> None:
        """`series_shape` is T, C; `patch` the steps of one place, the last filled up with zeros."""
        self.steps, self.channels = series_shape
        self.width = hidden
        self.layers = layers
        self.heads = heads
        self.patch = patch

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """Xavier-normal weights; the last product of each half layer is smaller, the deeper the network."""
        hidden = self.width
        deep = 1 / math.sqrt(2 * self.layers)
        shapes = {"embed": (hidden, self.patch * self.channels, 1.0)}
        for layer in range(self.layers):
            shapes |= {
                f"{layer}.attend": (3 * hidden, hidden, 1.0),
                f"{layer}.gather": (hidden, hidden, deep),
                f"{layer}.widen": (4 * hidden, hidden, 1.0),
                f"{layer}.narrow": (hidden, 4 * hidden, deep),
            }
        params = {}
        for name, (fan_out, fan_in, gain) in shapes.items():
            spread = gain * math.sqrt(2 / (fan_in + fan_out))
            weight = torch.randn(fan_out, fan_in, generator=generator) * spread
            params[f"backbone.{name}.weight"] = weight
            params[f"backbone.{name}.bias"] = torch.zeros(fan_out)
        norms = [f"{layer}.{part}" for layer in range(self.layers) for part in ("attend", "widen")]
        for name in (*norms, "last"):
            params[f"backbone.{name}.scale"] = torch.ones(hidden)
            params[f"backbone.{name}.shift"] = torch.zeros(hidden)
        return params

    def __call__(self, params: Params, inputs: Tensor) -> Tensor:
        places = self._patches(inputs)
        tokens = self._linear(params, "embed", places) + self._sines(places)
        for layer in range(self.layers):
            tokens = tokens + self._attention(params, f"{layer}", tokens)
            widened = functional.gelu(self._linear(params, f"{layer}.widen", tokens, normalised=True))
            tokens = tokens + self._linear(params, f"{layer}.narrow", widened)
        return self._norm(params, "last", tokens).mean(-2)

    def _patches(self, inputs: Tensor) -> Tensor:
        """[E, T, C] to [E, places, patch * C]."""
        missing = -self.steps % self.patch
        padded = functional.pad(inputs, (0, 0, 0, missing))
        return padded.reshape(len(inputs), -1, self.patch * self.channels)

    def _attention(self, params: Params, name: str, tokens: Tensor) -> Tensor:
        mixed = self._linear(params, f"{name}.attend", tokens, normalised=True)
        parts = mixed.reshape(*mixed.shape[:2], 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        gathered = (scores.softmax(-1) @ value).transpose(-3, -2).flatten(-2)
        return self._linear(params, f"{name}.gather", gathered)

    def _linear(self, params: Params, name: str, values: Tensor, *, normalised: bool = False) -> Tensor:
        if normalised:
            values = self._norm(params, name, values)
        weight, bias = params[f"backbone.{name}.weight"], params[f"backbone.{name}.bias"]
        return functional.linear(values, weight, bias)

    def _norm(self, params: Params, name: str, values: Tensor) -> Tensor:
        scale, shift = params[f"backbone.{name}.scale"], params[f"backbone.{name}.shift"]
        return functional.layer_norm(values, (self.width,), scale, shift)

    def _sines(self, places: Tensor) -> Tensor:
        """[places, F]: sine and cosine of each place at F / 2 wavelengths."""
        place = torch.arange(places.shape[-2], device=places.device, dtype=places.dtype)
        octaves = torch.arange(self.width // 2, device=places.device, dtype=places.dtype)
        angles = place[:, None] * torch.exp(-math.log(10_000.0) * 2 * octaves / self.width)
        return torch.cat([angles.sin(), angles.cos()], dim=-1)
