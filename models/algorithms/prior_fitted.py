"""A transformer fitted to a prior over tables, that adapts to one in a pass. Knows tokens, not families."""

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import gelu, linear

from models.algorithms import bars
from models.algorithms.kept_rows import chosen_rows
from models.algorithms.table_columns import FEATURES, Columns, describe, features, standardise
from models.episode import Episode, SupportSet
from models.functional import (
    Kept,
    Params,
    TableNetwork,
    accuracy,
    answer_loss,
    cross_entropy,
    masked_mean,
    one_hot,
)
from models.spec import Task

# Numbers that tell columns apart; which column has which is of no account.
_CODE = 16


class PriorFitted:
    """In-context learning on tables (TabPFN: Mueller et al. 2022, Hollmann et al. 2023 and 2025).

    Trained once on tables of a prior, the network approximates the posterior predictive of that prior: adapting is
    one forward pass over the labelled rows, and what it keeps is keys and values for the rows to come. A column
    that is constant among the labelled rows says nothing and is left out; so a table of fewer columns than D is
    given with zeros behind, and a missing value is NaN. Classification has exactly `max_ways` class slots.
    Regression has one target, and bars for its distribution.
    """

    def __init__(self, task: Task, network: TableNetwork, rows: int, max_ways: int | None) -> None:
        """`rows` is the most labelled rows whose target tokens are kept; `max_ways` None for regression."""
        self.task: Task = task
        self.max_ways = max_ways
        self.network = network
        self.rows = rows

    def init(self, generator: Generator) -> dict[str, Tensor]:
        width = self.network.width
        outputs = self.max_ways or bars.COUNT
        params = self.network.init(generator)

        def draw(out: int, fan_in: int, gain: float = 1.0) -> Tensor:
            return torch.randn(out, fan_in, generator=generator) * (gain / math.sqrt(fan_in))

        params["cell.value"] = draw(width, FEATURES, 2.0)
        params["cell.column"] = draw(width, _CODE, 0.5)
        known = self.max_ways or FEATURES
        params["target.known"] = draw(width, known, math.sqrt(known) if self.max_ways else 2.0)
        params["target.unknown"] = torch.randn(width, generator=generator)
        params["head.up"] = draw(2 * width, width)
        params["head.up_bias"] = torch.zeros(2 * width)
        params["head.down"] = draw(outputs, 2 * width, 0.1)
        params["head.down_bias"] = torch.zeros(outputs)
        return params

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """What a forward pass over the labelled rows keeps. Raises ValueError for a `start`.

        `columns.*` what the labelled rows say of each column, `target.*` of a regression's target; `cells`
        [L, D, R, K] and `targets` [L, C, K] keys and values of L layers, `rows` [C] 1 for a real row among the
        C = `rows` that are kept, `class_mask` for classification.
        """
        if start is not None:
            raise ValueError("a prior-fitted network adapts from a support set alone")
        columns, target = self._described(support)
        chosen = self._chosen(support)
        tokens = self._labelled(meta_params, support, columns, target)
        kept = self.network.encode(meta_params, tokens, columns.present, support.mask, chosen)
        adapted = {
            **columns.by_name("columns."),
            "cells": torch.stack([layer.cells for layer in kept]),
            "targets": torch.stack([layer.targets for layer in kept]),
            "rows": chosen[1],
        }
        if target is None:
            return {**adapted, "class_mask": support.class_mask}
        return {**adapted, **target.by_name("target.")}

    def predict(self, meta_params: Params, adapted_params: Params, query_inputs: Tensor) -> dict[str, Tensor]:
        """`logits` float32 [Q, N]; or `mean` and `std` [Q, 1]."""
        columns = Columns.named(adapted_params, "columns.")
        layers = zip(adapted_params["cells"].unbind(0), adapted_params["targets"].unbind(0), strict=True)
        kept = [Kept(*layer) for layer in layers]
        logits = self._answer(meta_params, columns, kept, adapted_params["rows"], query_inputs)
        if self.task == "classification":
            return {"logits": _only(logits, adapted_params["class_mask"])}
        return _in_units(logits, Columns.named(adapted_params, "target."))

    def support_loss(self, meta_params: Params, adapted_params: Params, support: SupportSet) -> Tensor:
        answer = self.predict(meta_params, adapted_params, support.inputs)
        return answer_loss(answer, support.targets, support.mask)

    def meta_loss(self, meta_params: Params, episode: Episode) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy, or the negative log density in deviations of the labelled targets, on the query.

        `loss` of a regression is its squared error in those deviations: tables have any units. Leading dimensions
        beyond the protocol's are means over as many tasks.
        """
        support, query = episode
        columns, target = self._described(support)
        tokens = self._labelled(meta_params, support, columns, target)
        kept = self.network.encode(meta_params, tokens, columns.present, support.mask)
        logits = self._answer(meta_params, columns, kept, support.mask, query.inputs)
        if target is None:
            logits = _only(logits, support.class_mask)
            loss = cross_entropy(logits, query.targets, query.mask)
            return loss, {
                "loss": loss.detach(),
                "accuracy": accuracy(logits.detach(), query.targets, query.mask),
            }
        truth = standardise(query.targets, target).squeeze(-1)
        nll = -masked_mean(bars.log_density(logits, truth), query.mask)
        mean, _ = bars.mean_and_std(logits.detach())
        return nll, {"loss": masked_mean((mean - truth).square(), query.mask), "nll": nll.detach()}

    def _described(self, support: SupportSet) -> tuple[Columns, Columns | None]:
        columns = describe(support.inputs, support.mask)
        regression = self.task == "regression"
        return columns, describe(support.targets, support.mask) if regression else None

    def _labelled(
        self, meta_params: Params, support: SupportSet, columns: Columns, target: Columns | None
    ) -> Tensor:
        """Tokens [S, 1 + D, W] of labelled rows."""
        if target is None:
            classes = self.max_ways or 0
            labels = one_hot(support.targets, support.mask, classes)
        else:
            labels = features(standardise(support.targets, target), target).squeeze(-2)
        return self._tokens(meta_params, columns, support.inputs, linear(labels, meta_params["target.known"]))

    def _answer(
        self, meta_params: Params, columns: Columns, kept: list[Kept], rows: Tensor, query_inputs: Tensor
    ) -> Tensor:
        """Logits [Q, N], or of bars [Q, COUNT]."""
        unknown = meta_params["target.unknown"].expand(*query_inputs.shape[:-1], -1)
        tokens = self._tokens(meta_params, columns, query_inputs, unknown)
        last = self.network.decode(meta_params, tokens, columns.present, rows, kept)
        hidden = gelu(linear(last, meta_params["head.up"], meta_params["head.up_bias"]))
        return linear(hidden, meta_params["head.down"], meta_params["head.down_bias"]).float()

    def _tokens(self, meta_params: Params, columns: Columns, inputs: Tensor, targets: Tensor) -> Tensor:
        cells = linear(features(standardise(inputs, columns), columns), meta_params["cell.value"])
        codes = linear(column_codes(inputs.shape[-1], inputs.device), meta_params["cell.column"])
        return torch.cat([targets.unsqueeze(-2).float(), (cells + codes).float()], dim=-2)

    def _chosen(self, support: SupportSet) -> tuple[Tensor, Tensor]:
        """Which labelled rows are kept, and which of those are real, both [C]."""
        return chosen_rows(support, self.rows, self.max_ways)


def column_codes(columns: int, device: torch.device) -> Tensor:
    """Float32 [D, _CODE], the same for column j whatever D: waves of j whose lengths have no common multiple."""
    numbers = torch.arange(1, columns + 1, device=device, dtype=torch.float64)
    lengths = torch.arange(2, _CODE + 2, device=device, dtype=torch.float64).add(0.5).sqrt()
    return (torch.cos(numbers.unsqueeze(-1) * lengths * 2.0) * math.sqrt(2)).float()


def _only(logits: Tensor, class_mask: Tensor) -> Tensor:
    return logits.masked_fill(class_mask.unsqueeze(-2) == 0, float("-inf"))


def _in_units(logits: Tensor, target: Columns) -> dict[str, Tensor]:
    """`mean` and `std` [Q, 1] in the labelled targets' own units."""
    mean, std = bars.mean_and_std(logits)
    centre, scale = target.centre.unsqueeze(-2), target.scale.unsqueeze(-2)
    return {"mean": centre + scale * mean.unsqueeze(-1), "std": scale * std.unsqueeze(-1)}
