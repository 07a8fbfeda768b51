"""A distribution over a number as the heights of bars. Knows logits; nothing of where they come from."""

import torch
from torch import Tensor

COUNT = 100

# Of the outermost borders, in deviations of the labelled targets, and how much narrower bars are in the middle.
_REACH = 10.0
_BEND = 2.5


def borders(device: torch.device) -> Tensor:
    """Float32 [COUNT + 1], rising: narrow bars in the middle, wide ones outside."""
    places = torch.linspace(-_BEND, _BEND, COUNT + 1, device=device, dtype=torch.float64)
    return (_REACH * torch.sinh(places) / torch.sinh(places[-1])).float()


def log_density(logits: Tensor, values: Tensor) -> Tensor:
    """Of values [...] under bars of logits [..., COUNT] (Mueller et al. 2022), in nats."""
    edges = borders(logits.device)
    bar = (torch.bucketize(values.contiguous(), edges) - 1).clamp(0, COUNT - 1)
    log_heights = torch.log_softmax(logits.float(), dim=-1) - edges.diff().log()
    return log_heights.gather(-1, bar.unsqueeze(-1)).squeeze(-1)


def mean_and_std(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Both [...], of bars of logits [..., COUNT]."""
    edges = borders(logits.device)
    widths, middles = edges.diff(), (edges[:-1] + edges[1:]) / 2
    shares = torch.softmax(logits.float(), dim=-1)
    mean = (shares * middles).sum(-1)
    apart = middles - mean.unsqueeze(-1)
    return mean, (shares * (apart.square() + widths.square() / 12)).sum(-1).sqrt()
