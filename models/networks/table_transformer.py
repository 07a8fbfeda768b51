"""Attention over a table's cells, along its rows and its columns. Knows tokens; not where they come from or go.

Written for any leading dimensions, so that a meta-batch goes through as it is, and by plain matrix products, which
every transform of torch.func takes. Shapes here: E rows of cells, D columns, W the width of a token, R summaries
of a column, K the numbers of a key and a value together. Token 0 of a row is its target, the others its cells.
"""

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import gelu, layer_norm, linear

from models.functional import Kept, Params
from models.spec import TableTransformerSpec

# A score that no softmax sees; finite, so that rows of nothing but padding stay finite too.
_NOTHING = -1e9


class TableTransformer:
    """Layers of: cells and target of a row attend to one another; each column's cells to that column's summaries.

    Hollmann et al. 2025 (TabPFN v2), with two changes that give a task one size, however many rows it has: a
    column's labelled cells are summarised by a few learned queries before others attend to them (the induced
    attention of Lee et al. 2019), and keys and values are one head's, shared by all (Shazeer 2019). Target tokens
    attend to the labelled rows' own, so that a row can be found by its likeness.
    """

    def __init__(self, spec: TableTransformerSpec) -> None:
        self._width = spec.width
        self.layers = spec.layers
        self.heads = spec.heads
        self.summaries = spec.summaries
        self.head_width = spec.width // spec.heads

    @property
    def width(self) -> int:
        return self._width

    @property
    def kept_width(self) -> int:
        """K."""
        return 2 * self.head_width

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """Weights from N(0, 1/fan in); what is added to a token starts small, as layers are many."""
        width, kept, heads = self.width, self.kept_width, self.heads * self.head_width
        calm = 1 / math.sqrt(2 * self.layers)
        shapes = {
            "across.query": (heads, width, 1.0),
            "across.kept": (2 * heads, width, 1.0),
            "across.out": (width, heads, calm),
            "summary.kept": (kept, width, 1.0),
            "summary.out": (width, heads, 1.0),
            "summary.key_value": (kept, width, 1.0),
            "cells.query": (heads, width, 1.0),
            "cells.out": (width, heads, calm),
            "targets.query": (heads, width, 1.0),
            "targets.kept": (kept, width, 1.0),
            "targets.out": (width, heads, calm),
            "mix.up": (2 * width, width, 1.0),
            "mix.down": (width, 2 * width, calm),
        }
        params = {}
        for layer in range(self.layers):
            for name, (out, fan_in, gain) in shapes.items():
                weight = torch.randn(out, fan_in, generator=generator) * (gain / math.sqrt(fan_in))
                params[f"layer.{layer}.{name}"] = weight
            params[f"layer.{layer}.summary.query"] = torch.randn(self.summaries, heads, generator=generator)
            for norm in ("across", "along", "mix"):
                params[f"layer.{layer}.norm.{norm}"] = torch.ones(width)
        params["norm.out"] = torch.ones(width)
        return params

    def encode(
        self,
        params: Params,
        tokens: Tensor,
        columns: Tensor,
        mask: Tensor,
        chosen: tuple[Tensor, Tensor] | None = None,
    ) -> list[Kept]:
        """What every layer keeps of labelled rows, tokens [..., S, 1 + D, W].

        `columns` [..., D] is 1 for a column that counts, `mask` [..., S] for a real row. `chosen` says which
        rows' target tokens are kept, int64 [..., C], and which of those are real, [..., C]; without it all are.
        """
        kept = []
        for layer in range(self.layers):
            own = self._of(params, layer)
            tokens = self._across(own, tokens, columns)
            targets = normed(tokens[..., 0, :], own["norm.along"])
            key_value = linear(targets, own["targets.kept"])
            row_mask = mask
            if chosen is not None:
                places, row_mask = chosen
                key_value = torch.take_along_dim(key_value, places.unsqueeze(-1), dim=-2)
                key_value = key_value * row_mask.unsqueeze(-1)
            kept.append(Kept(self._summaries(own, tokens, mask), key_value))
            if layer + 1 < self.layers:
                tokens = self._mix(own, self._along(own, tokens, kept[-1], row_mask))
        return kept

    def decode(
        self, params: Params, tokens: Tensor, columns: Tensor, mask: Tensor, kept: list[Kept]
    ) -> Tensor:
        """The target tokens [..., Q, W] at last of rows to predict, tokens [..., Q, 1 + D, W].

        `mask` [..., S] is 1 for a real row among the kept target tokens. Row q depends on row q alone.
        """
        for layer in range(self.layers):
            own = self._of(params, layer)
            tokens = self._across(own, tokens, columns)
            tokens = self._mix(own, self._along(own, tokens, kept[layer], mask))
        return normed(tokens[..., 0, :], params["norm.out"])

    def _of(self, params: Params, layer: int) -> dict[str, Tensor]:
        start = f"layer.{layer}."
        return {name.removeprefix(start): value for name, value in params.items() if name.startswith(start)}

    def _across(self, own: Params, tokens: Tensor, columns: Tensor) -> Tensor:
        """Every token of a row sees the row's target and those of its cells that count."""
        seen = normed(tokens, own["norm.across"])
        queries = self._split(linear(seen, own["across.query"]))
        keys, values = (self._split(part) for part in linear(seen, own["across.kept"]).chunk(2, dim=-1))
        present = torch.cat([torch.ones_like(columns[..., :1]), columns], dim=-1)
        mixed = attend(queries, keys, values, present[..., None, None, None, :])
        return tokens + linear(mixed.transpose(-3, -2).flatten(-2), own["across.out"])

    def _summaries(self, own: Params, tokens: Tensor, mask: Tensor) -> Tensor:
        """Keys and values [..., D, R, K] that sum up the labelled cells of every column."""
        cells = normed(tokens[..., 1:, :], own["norm.along"]).transpose(-3, -2)  # [..., D, S, W]
        keys, values = linear(cells, own["summary.kept"]).chunk(2, dim=-1)
        asked = self._heads_as_rows(own["summary.query"])
        mixed = self._join(attend(asked, keys, values, mask[..., None, None, :]))
        return linear(normed(linear(mixed, own["summary.out"])), own["summary.key_value"])

    def _along(self, own: Params, tokens: Tensor, kept: Kept, mask: Tensor) -> Tensor:
        """Cells see their column's summaries, targets the labelled rows' targets."""
        seen = normed(tokens, own["norm.along"])
        cells = self._heads_as_rows(linear(seen[..., 1:, :].transpose(-3, -2), own["cells.query"]))
        keys, values = kept.cells.chunk(2, dim=-1)
        read = self._join(attend(cells, keys, values))
        from_column = linear(read, own["cells.out"]).transpose(-3, -2)
        targets = self._heads_as_rows(linear(seen[..., 0, :], own["targets.query"]))
        keys, values = kept.targets.chunk(2, dim=-1)
        found = self._join(attend(targets, keys, values, mask[..., None, :]))
        from_rows = linear(found, own["targets.out"]).unsqueeze(-2)
        return tokens + torch.cat([from_rows, from_column], dim=-2)

    def _mix(self, own: Params, tokens: Tensor) -> Tensor:
        hidden = gelu(linear(normed(tokens, own["norm.mix"]), own["mix.up"]))
        return tokens + linear(hidden, own["mix.down"])

    def _split(self, joined: Tensor) -> Tensor:
        """[..., E, heads x width] to [..., heads, E, width]."""
        return joined.reshape(*joined.shape[:-1], self.heads, self.head_width).transpose(-3, -2)

    def _heads_as_rows(self, joined: Tensor) -> Tensor:
        """[..., E, heads x width] to [..., E x heads, width]: where keys are shared, a head is one more row."""
        return joined.reshape(*joined.shape[:-2], -1, self.head_width)

    def _join(self, rows: Tensor) -> Tensor:
        """The way back from `_heads_as_rows`."""
        return rows.reshape(*rows.shape[:-2], -1, self.heads * self.head_width)


def normed(tokens: Tensor, weight: Tensor | None = None) -> Tensor:
    """Tokens [..., W] of mean 0 and variance 1, times the weight [W]."""
    return layer_norm(tokens, (tokens.shape[-1],), weight)


def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Softmax attention, [..., E, width], to keys and values [..., S, width] but those where `mask` is 0."""
    scores = (queries / math.sqrt(queries.shape[-1])) @ keys.transpose(-1, -2)
    if mask is not None:
        scores = scores.masked_fill(mask == 0, _NOTHING)
    return torch.softmax(scores, dim=-1) @ values
