"""How much each column counts for each closed-form head, learned. Knows what columns tell; no rows.

Written for any leading dimensions. D columns, G heads.
"""

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import gelu, linear

from models.algorithms.table_heads import HEADS
from models.algorithms.table_relevance import COUNT
from models.functional import Params

CONTEXT = 32
"""The numbers that a table's columns say together."""

# Of a logarithm: no column counts e^4 times as much as another by itself.
_BOUND = 4.0


def init_weights(generator: Generator) -> dict[str, Tensor]:
    """Parameters by which at first all columns count about the same, and heads are as `HEADS` describes them."""
    shapes = {
        "column.each": (CONTEXT, COUNT, 1.0),
        "column.mixed": (CONTEXT, 2 * CONTEXT, 1.0),
        "column.weight": (len(HEADS), CONTEXT, 0.05),
        "column.table": (2 * len(HEADS), CONTEXT, 0.05),
    }
    params = {
        name: torch.randn(out, fan_in, generator=generator) * (gain / math.sqrt(fan_in))
        for name, (out, fan_in, gain) in shapes.items()
    }
    params["column.each_bias"] = torch.zeros(CONTEXT)
    params["column.mixed_bias"] = torch.zeros(CONTEXT)
    params["head.scale"] = torch.tensor([math.log(head.scale) for head in HEADS])
    params["head.ridge"] = torch.tensor([math.log(head.ridge) for head in HEADS])
    return params


def column_weights(params: Params, of_columns: Tensor, present: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How much columns count [..., G, D]; ridges [..., G]; and what the columns say together [..., CONTEXT]."""
    known = present.unsqueeze(-1)
    width = known.sum(-2).clamp(min=1.0)
    each = gelu(linear(of_columns, params["column.each"], params["column.each_bias"]))
    mean = ((each * known).sum(-2) / width).unsqueeze(-2).expand_as(each)
    mixed = gelu(linear(torch.cat([each, mean], -1), params["column.mixed"], params["column.mixed_bias"]))
    context = (mixed * known).sum(-2) / width
    scale, ridge = linear(context, params["column.table"]).chunk(2, dim=-1)
    counts = linear(mixed, params["column.weight"]).clamp(-_BOUND, _BOUND).exp() * known
    weights = (
        counts / width.unsqueeze(-1) * (params["head.scale"] + scale).clamp(-6.0, 6.0).exp().unsqueeze(-2)
    )
    return weights.transpose(-1, -2), (params["head.ridge"] + ridge).clamp(-6.0, 4.0).exp(), context
