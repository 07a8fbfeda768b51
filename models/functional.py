"""What a network is, and small pure functions over tensors with masks, shared by algorithms and training."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import torch
from torch import Generator, Tensor

# Parameters by name. Flat, so they serialise as they are.
Params = Mapping[str, Tensor]


class Network(Protocol):
    """A pure function of parameters and examples: no state, no batch statistics, so row e depends on row e alone.

    Its parameters live in a flat dict that may hold other names beside them. Every network can be vmapped over
    the examples alone (parameters shared by all tasks) or over parameters and examples (one set a task).
    """

    @property
    def width(self) -> int:
        """F, the number of columns that come out."""
        ...

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """Fresh parameters, float32 on the CPU."""
        ...

    def __call__(self, params: Params, inputs: Tensor) -> Tensor:
        """Inputs [E, X] to [E, F]."""
        ...


class HeadedNetwork(Network, Protocol):
    """A network that is a backbone and a last layer, so that algorithms may tell the two apart."""

    @property
    def head_names(self) -> tuple[str, ...]:
        """The names of the last layer's parameters."""
        ...

    def features(self, params: Params, inputs: Tensor) -> Tensor:
        """Inputs [E, X] to the backbone's features [E, B]."""
        ...

    def head(self, params: Params, features: Tensor) -> Tensor:
        """Features [E, B] to outputs [E, F]."""
        ...


class Kept(NamedTuple):
    """What one layer of a table network keeps of labelled rows: keys and values that any row may attend to."""

    cells: Tensor  # float32 [..., D, R, K]: a column's summaries
    targets: Tensor  # float32 [..., S, K]: the labelled rows' target tokens


class TableNetwork(Protocol):
    """A pure function of parameters and a table's tokens, of any leading dimensions: [..., E, 1 + D, W].

    Token 0 of a row is its target, the others its cells; E rows, D columns, tokens of width W.
    """

    @property
    def width(self) -> int:
        """W."""
        ...

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """Fresh parameters, float32 on the CPU."""
        ...

    def encode(
        self,
        params: Params,
        tokens: Tensor,
        columns: Tensor,
        mask: Tensor,
        chosen: tuple[Tensor, Tensor] | None = None,
    ) -> list[Kept]:
        """What every layer keeps of labelled rows."""
        ...

    def decode(
        self, params: Params, tokens: Tensor, columns: Tensor, mask: Tensor, kept: list[Kept]
    ) -> Tensor:
        """The target tokens [..., Q, W] at last of rows to predict; row q depends on row q alone."""
        ...


class RowNetwork(Protocol):
    """A pure function of parameters and a table's rows, a token each, of any leading dimensions: [..., E, W].

    Rows attend to labelled rows, by their tokens and by G kinds of likeness, [..., G, E, S] from -1 to 1; `mask`
    [..., S] is 1 for a real labelled row.
    """

    @property
    def width(self) -> int:
        """W."""
        ...

    @property
    def heads(self) -> int:
        """H, of its attention."""
        ...

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """Fresh parameters, float32 on the CPU."""
        ...

    def encode(self, params: Params, tokens: Tensor, alike: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Labelled rows' tokens [..., S, W] at last, and what layers keep of them [..., L, S, 2 W]."""
        ...

    def decode(self, params: Params, tokens: Tensor, alike: Tensor, mask: Tensor, kept: Tensor) -> Tensor:
        """Tokens [..., Q, W] at last of rows to predict; row q depends on row q alone."""
        ...

    def shares(self, queries: Tensor, keys: Tensor, alike: Tensor, mask: Tensor, weights: Tensor) -> Tensor:
        """How much each head of queries [..., E, W] attends to keys [..., S, W]: [..., H, E, S].

        `weights` [H, G] say how much each kind of likeness counts.
        """
        ...


def on_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device, which fetches it by itself: nobody waits for what the device does at the time."""
    if device.type == "cuda" and tensor.device.type == "cpu" and tensor.numel():
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of `values` [E] over the entries where `mask` [E] is 1; zero where the mask is empty."""
    return (values * mask).sum() / mask.sum().clamp(min=1.0)


def squared_error(predictions: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error of predictions [E, T] over the examples where `mask` [E] is 1; a scalar."""
    return masked_mean((predictions - targets).square().mean(-1), mask)


def cauchy_error(predictions: Tensor, targets: Tensor, mask: Tensor, scale: float) -> Tensor:
    """The mean of scale² log(1 + e² / scale²) over errors e, arguments as of `squared_error`; a scalar.

    Well below the scale it is the square; beyond, an error counts by its logarithm (Black & Anandan 1996).
    """
    squares = (predictions - targets).square() / scale**2
    return masked_mean(scale**2 * squares.log1p().mean(-1), mask)


def cross_entropy(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Mean cross-entropy in nats of logits [E, N] against class slots int64 [E], where `mask` [E] is 1."""
    log_probabilities = torch.log_softmax(logits, dim=-1)
    picked = log_probabilities.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return -masked_mean(picked.clamp(min=-1e4), mask)


def answer_loss(answer: Params, targets: Tensor, mask: Tensor) -> Tensor:
    """The mean loss of what a learner predicts, a scalar: cross-entropy of `logits`, or squared error of `mean`."""
    if "logits" in answer:
        return cross_entropy(answer["logits"], targets, mask)
    return squared_error(answer["mean"], targets, mask)


def accuracy(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Share of the examples where `mask` [E] is 1 whose largest logit [E, N] is the target's; a scalar."""
    return masked_mean((logits.argmax(-1) == targets).to(logits.dtype), mask)


def one_hot(targets: Tensor, mask: Tensor, n_slots: int) -> Tensor:
    """Rows float32 [E, N] with a 1 in the slot of int64 targets [E]; all zero where `mask` [E] is 0."""
    slots = torch.arange(n_slots, device=targets.device)
    return (targets.unsqueeze(-1) == slots).to(mask.dtype) * mask.unsqueeze(-1)


def only_real_classes(logits: Tensor, class_mask: Tensor) -> Tensor:
    """Logits [Q, N] with -inf in the slots where `class_mask` [N] is 0."""
    return logits.masked_fill(class_mask == 0, float("-inf"))
