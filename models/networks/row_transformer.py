"""Attention over a table's rows, a token each. Knows tokens and likenesses; not where they come from or go.

Written for any leading dimensions and by plain matrix products, which every transform of torch.func takes. Shapes
here: E rows, S labelled rows, W the width of a token, G kinds of likeness between rows.
"""

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import gelu, layer_norm, linear

from models.functional import Params
from models.spec import RowTransformerSpec

# A score that no softmax sees; finite, so that rows of nothing but padding stay finite too.
_NOTHING = -1e9


class RowTransformer:
    """Rows attend to labelled rows (Mueller et al. 2022), by what tokens say and by how alike the rows are."""

    def __init__(self, spec: RowTransformerSpec, likenesses: int) -> None:
        """`likenesses` is G."""
        self._width = spec.width
        self.layers = spec.layers
        self._heads = spec.heads
        self.likenesses = likenesses

    @property
    def width(self) -> int:
        return self._width

    @property
    def heads(self) -> int:
        return self._heads

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """Weights from N(0, 1/fan in); what is added to a token starts small."""
        width, calm = self.width, 1 / math.sqrt(2 * self.layers)
        shapes = {
            "query": (width, width, 1.0),
            "kept": (2 * width, width, 1.0),
            "alike": (self.heads, self.likenesses, 2.0),
            "out": (width, width, calm),
            "up": (2 * width, width, 1.0),
            "down": (width, 2 * width, calm),
        }
        params = {}
        for layer in range(self.layers):
            for name, (out, fan_in, gain) in shapes.items():
                weight = torch.randn(out, fan_in, generator=generator) * (gain / math.sqrt(fan_in))
                params[f"layer.{layer}.{name}"] = weight
            for norm in ("attend", "mix"):
                params[f"layer.{layer}.norm.{norm}"] = torch.ones(width)
        params["norm.out"] = torch.ones(width)
        return params

    def encode(self, params: Params, tokens: Tensor, alike: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Labelled rows' tokens [..., S, W] at last, and keys and values [..., L, S, 2 W] of the layers.

        `alike` [..., G, S, S] from -1 to 1; `mask` [..., S] is 1 for a real row.
        """
        kept = []
        for layer in range(self.layers):
            kept.append(linear(self._normed(params, layer, "attend", tokens), params[f"layer.{layer}.kept"]))
            tokens = self._layer(params, layer, tokens, alike, mask, kept[-1])
        return self._last(params, tokens), torch.stack(kept, dim=-3)

    def decode(self, params: Params, tokens: Tensor, alike: Tensor, mask: Tensor, kept: Tensor) -> Tensor:
        """Tokens [..., Q, W] at last of rows to predict, `alike` [..., G, Q, S]; row q depends on row q alone."""
        for layer in range(self.layers):
            tokens = self._layer(params, layer, tokens, alike, mask, kept[..., layer, :, :])
        return self._last(params, tokens)

    def _layer(
        self, params: Params, layer: int, tokens: Tensor, alike: Tensor, mask: Tensor, kept: Tensor
    ) -> Tensor:
        own = f"layer.{layer}."
        queries = linear(self._normed(params, layer, "attend", tokens), params[own + "query"])
        keys, values = kept.chunk(2, dim=-1)
        shares = self.shares(queries, keys, alike, mask, params[own + "alike"])
        read = (shares @ self._split(values)).transpose(-3, -2).flatten(-2)
        tokens = tokens + linear(read, params[own + "out"])
        hidden = gelu(linear(self._normed(params, layer, "mix", tokens), params[own + "up"]))
        return tokens + linear(hidden, params[own + "down"])

    def shares(self, queries: Tensor, keys: Tensor, alike: Tensor, mask: Tensor, weights: Tensor) -> Tensor:
        """How much each head of queries [..., E, W] attends to rows of keys [..., S, W]: [..., heads, E, S].

        `weights` [heads, G] say how much each kind of likeness [..., G, E, S] counts.
        """
        split, theirs = self._split(queries), self._split(keys)
        scores = split @ theirs.transpose(-1, -2) / math.sqrt(split.shape[-1])
        rows, others = alike.shape[-2:]
        near = weights @ alike.flatten(-2)
        scores = scores + near.reshape(*near.shape[:-1], rows, others)
        return torch.softmax(scores.masked_fill(mask[..., None, None, :] == 0, _NOTHING), dim=-1)

    def _normed(self, params: Params, layer: int, norm: str, tokens: Tensor) -> Tensor:
        return layer_norm(tokens, (self.width,), params[f"layer.{layer}.norm.{norm}"])

    def _last(self, params: Params, tokens: Tensor) -> Tensor:
        return layer_norm(tokens, (self.width,), params["norm.out"])

    def _split(self, joined: Tensor) -> Tensor:
        """[..., E, heads x width] to [..., heads, E, width]."""
        return joined.reshape(*joined.shape[:-1], self.heads, -1).transpose(-3, -2)
