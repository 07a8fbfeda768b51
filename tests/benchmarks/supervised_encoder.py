"""A text encoder's top layers and a linear layer, fitted to labels, many of each class. Knows no episodes."""

import re

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from models.encoders.text import TextEncoder
from tests.benchmarks.progress import say

_BATCH = 64
_RATE, _LINEAR_RATE, _DECAY = 1e-4, 3e-3, 0.01
_WARM_UP = 50
_SMOOTHING = 0.05
_LAYER = re.compile(r"\.layer\.(\d+)\.")


def fitted_scores(
    encoder: TextEncoder,
    texts: list[str],
    labels: Tensor,
    known: Tensor,
    start: tuple[Tensor, Tensor],
    layers: int,
    epochs: int,
    seed: int,
) -> Tensor:
    """Float32 [n, classes] of every text, from those `known` [n]; all weights of the top `layers` move.

    `labels` int64 [n]; `start` are a linear layer's weights [classes, F] and intercepts [classes]. By AdamW
    (Loshchilov & Hutter 2019), its rate rising at first and then falling to nothing.
    """
    generator = np.random.default_rng(seed)
    found = {
        name: layer for name in dict(encoder.module.named_parameters()) if (layer := _layer_of(name)) >= 0
    }
    top = sorted(set(found.values()))[-layers:]
    weights = {
        name: encoder.module.get_parameter(name).detach().clone().requires_grad_()
        for name, layer in found.items()
        if layer in top
    }
    linear = [part.clone().requires_grad_() for part in start]
    groups = [{"params": list(weights.values()), "lr": _RATE}, {"params": linear, "lr": _LINEAR_RATE}]
    optimiser = torch.optim.AdamW(groups, weight_decay=_DECAY)
    rows = known.nonzero().flatten().numpy()
    rounds = len(rows) // _BATCH
    steps = epochs * rounds
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (step + 1) / _WARM_UP) * (1 - step / steps)
    )
    tokens = encoder.tokens_of(texts, 1.0)
    for epoch in range(epochs):
        losses = []
        for drawn in torch.from_numpy(generator.permutation(rows)[: rounds * _BATCH]).split(_BATCH):
            longest = int((tokens[drawn] >= 0).sum(1).max())
            logits = encoder.features(tokens[drawn, :longest], weights) @ linear[0].T + linear[1]
            loss = cross_entropy(logits, labels[drawn], label_smoothing=_SMOOTHING)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        say(f"epoch {epoch + 1} of {epochs}: loss {np.mean(losses):.3f}")
    settled = {name: weight.detach() for name, weight in weights.items()}
    return encoder.tuned(settled).encode(texts) @ linear[0].detach().T + linear[1].detach()


def _layer_of(name: str) -> int:
    """Counted from below; -1 for what is in none."""
    layer = _LAYER.search(f".{name}")
    return int(layer.group(1)) if layer else -1
