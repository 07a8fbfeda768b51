"""Closed-form heads weighed by a transformer that was fitted to a prior over tables. Knows no family.

Shapes: S labelled rows of which C are kept, Q rows to predict, D columns, G heads, N channels (class slots, or the
one number), W the width of a token.
"""

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn.functional import linear

from models.algorithms.column_weights import CONTEXT, column_weights, init_weights
from models.algorithms.kept_rows import chosen_rows, only_rows
from models.algorithms.table_columns import Columns, describe, size_and_place, standardise
from models.algorithms.table_heads import HEADS, Rows, fit, kernels
from models.algorithms.table_relevance import relevance
from models.algorithms.table_tokens import GAIN, OF_HEAD, row_numbers
from models.episode import Episode, SupportSet
from models.functional import Params, RowNetwork, accuracy, answer_loss, cross_entropy, masked_mean, one_hot
from models.spec import Task

# Numbers of a table's own size.
_OF_TABLE = 4
# Of a logarithm that rows say: a sharpness, a spread.
_BOUND = 4.0
# Of Student's t, by which rows to predict are judged: an outlier does not outweigh the others.
_FREEDOM = 5.0


class State(NamedTuple):
    """What is kept of a task."""

    size: Tensor  # [..., C, D]
    place: Tensor  # [..., C, D]
    columns: Tensor  # [..., G, D] how much each column counts for each head
    weights: Tensor  # [..., G, C, N] of the heads
    table: Tensor  # [..., W] what the table as a whole adds to a token
    errors: Tensor  # [..., G] mean squared, of rows left out
    kept: Tensor  # [..., L, C, 2 W]
    keys: Tensor  # [..., C, W] of the last vote
    wrong: Tensor  # [..., C, N] by how much the weighed heads missed a row that was left out
    share: Tensor  # [..., N] of the labelled rows that are of each class
    rows: Tensor  # [..., C] 1 for a real row


class PriorFittedHeads:
    """In-context learning on tables (TabPFN: Mueller et al. 2022, Hollmann et al. 2023), on exact heads' shoulders.

    Ridge regressions under a few kernels are fitted to the labelled rows in closed form, each row left out exactly.
    What was meta-trained on a prior's tables is how much each column counts for each kernel, how strong its ridge
    is, and a transformer over the rows that weighs the heads for every row by how they did on the labelled rows
    near it, and adds what they missed there. So before any training it answers as the mean of the heads does.
    Answers do not depend on the order of rows, columns or classes. A constant column is left out; a missing value
    is NaN. Regression has one target.
    """

    def __init__(self, task: Task, network: RowNetwork, rows: int, max_ways: int | None) -> None:
        """`rows` is the most labelled rows that count; `max_ways` None for regression."""
        self.task: Task = task
        self.max_ways = max_ways
        self.network = network
        self.rows = rows

    def init(self, generator: Generator) -> dict[str, Tensor]:
        width, count = self.network.width, len(HEADS)
        params = {**self.network.init(generator), **init_weights(generator)}

        def draw(name: str, out: int, fan_in: int, gain: float = 1.0) -> None:
            params[name] = torch.randn(out, fan_in, generator=generator) * (gain / math.sqrt(fan_in))

        params["head.constant"] = torch.zeros(count)
        if self.max_ways:
            params["head.gain"] = torch.full((count,), math.log(GAIN))
        params["head.share"] = torch.zeros(count)
        draw("token.row", width, OF_HEAD * count + 1)
        draw("token.table", width, 2 * count + CONTEXT + _OF_TABLE)
        params["token.bias"] = torch.zeros(width)
        draw("vote.query", width, width)
        draw("vote.key", width, width)
        draw("vote.alike", self.network.heads, count, 2.0)
        draw("answer", count + self.network.heads + 2, width, 0.05)
        return params

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """The heads' fits and the transformer's keys and values of C rows. Raises ValueError for a `start`."""
        if start is not None:
            raise ValueError("a prior-fitted network adapts from a support set alone")
        support = only_rows(support, chosen_rows(support, self.rows, self.max_ways))
        columns, target = self._described(support)
        state = self._state(meta_params, support, columns, target)
        adapted = {**columns.by_name("columns."), **state._asdict()}
        if target is None:
            return {**adapted, "class_mask": support.class_mask}
        return {**adapted, **target.by_name("target.")}

    def predict(self, meta_params: Params, adapted_params: Params, query_inputs: Tensor) -> dict[str, Tensor]:
        """`logits` float32 [Q, N]; or `mean` and `std` [Q, 1]."""
        columns = Columns.named(adapted_params, "columns.")
        state = State(*(adapted_params[field] for field in State._fields))
        if self.task == "classification":
            class_mask = adapted_params["class_mask"]
            answer, _ = self._answer(meta_params, columns, state, class_mask, query_inputs)
            return {"logits": answer.masked_fill(class_mask.unsqueeze(-2) == 0, float("-inf"))}
        answer, spread = self._answer(meta_params, columns, state, None, query_inputs)
        target = Columns.named(adapted_params, "target.")
        centre, scale = target.centre.unsqueeze(-2), target.scale.unsqueeze(-2)
        return {
            "mean": centre + scale * answer,
            "std": scale * spread * math.sqrt(_FREEDOM / (_FREEDOM - 2)),
        }

    def support_loss(self, meta_params: Params, adapted_params: Params, support: SupportSet) -> Tensor:
        answer = self.predict(meta_params, adapted_params, support.inputs)
        return answer_loss(answer, support.targets, support.mask)

    def meta_loss(self, meta_params: Params, episode: Episode) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy; or the negative log density (Student's t) in deviations of the labelled targets, and half
        the logarithm of the mean squared error of a table, by which every table counts the same.

        `loss` of a regression is its squared error in those deviations: tables have any units. Leading dimensions
        beyond the protocol's are means over as many tasks.
        """
        support, query = episode
        columns, target = self._described(support)
        state = self._state(meta_params, support, columns, target)
        if target is None:
            answer, _ = self._answer(meta_params, columns, state, support.class_mask, query.inputs)
            logits = answer.masked_fill(support.class_mask.unsqueeze(-2) == 0, float("-inf"))
            loss = cross_entropy(logits, query.targets, query.mask)
            right = accuracy(logits.detach(), query.targets, query.mask)
            return loss, {"loss": loss.detach(), "accuracy": right}
        mean, spread = self._answer(meta_params, columns, state, None, query.inputs)
        truth = standardise(query.targets, target).clamp(-30.0, 30.0)
        squares = (truth - mean).square().squeeze(-1)
        spread = spread.squeeze(-1)
        density = spread.log() + 0.5 * (_FREEDOM + 1) * torch.log1p(squares / (_FREEDOM * spread.square()))
        nll = masked_mean(density, query.mask)
        size = (squares * query.mask).sum(-1) / query.mask.sum(-1).clamp(min=1.0)
        loss = nll + 0.5 * torch.log(size + 1e-3).mean()
        return loss, {"loss": masked_mean(squares, query.mask).detach(), "nll": nll.detach()}

    def _described(self, support: SupportSet) -> tuple[Columns, Columns | None]:
        columns = describe(support.inputs, support.mask)
        regression = self.task == "regression"
        return columns, describe(support.targets, support.mask) if regression else None

    def _state(self, params: Params, support: SupportSet, columns: Columns, target: Columns | None) -> State:
        mask = support.mask
        rows = _rows(support.inputs, columns)
        slots = support.class_mask if target is None else None
        if target is None:
            known = one_hot(support.targets, mask, self.max_ways or 0)
            share = support.class_mask / support.class_mask.sum(-1, keepdim=True).clamp(min=1.0)
            wanted = known - share.unsqueeze(-2)
        else:
            known = wanted = standardise(support.targets, target).clamp(-30.0, 30.0) * mask.unsqueeze(-1)
        of_columns = relevance(rows, columns, support.inputs.isnan().float(), known, mask)
        weights, ridges, context = column_weights(params, of_columns, columns.present)
        likeness = kernels(rows, rows, weights, params["head.constant"].exp())
        fitted = fit(likeness, ridges, wanted, mask)
        errors = (fitted.left_out - wanted.unsqueeze(-3)).square() * mask[..., None, :, None]
        real = mask.sum(-1, keepdim=True).clamp(min=1.0)
        errors = errors.sum((-2, -1)) / real
        right = (fitted.left_out * known.unsqueeze(-3)).sum((-2, -1)) / real
        ways = support.class_mask.sum(-1, keepdim=True) if target is None else torch.zeros_like(real)
        width = columns.present.sum(-1, keepdim=True).clamp(min=1.0)
        sizes = [real.log() - 3.0, width.log() - 2.0, ways / 10, (real / width).log()]
        table = linear(torch.cat([errors, right, context, *sizes], -1), params["token.table"])
        alike = likeness.tanh()
        others = 1 - torch.eye(mask.shape[-1], dtype=mask.dtype, device=mask.device)
        own = row_numbers(fitted.left_out, alike * others, slots, mask, known)
        tokens = linear(own, params["token.row"]) + table.unsqueeze(-2) + params["token.bias"]
        last, kept = self.network.encode(params, tokens, alike, mask)
        found, _ = self._weigh(params, last, fitted.left_out)
        if slots is not None:
            found = torch.softmax(found.masked_fill(slots.unsqueeze(-2) == 0, -1e9), dim=-1)
        share = known.sum(-2) / real if target is None else torch.zeros_like(known[..., 0, :])
        row_mask = mask.unsqueeze(-1)
        return State(
            size=rows.size * row_mask,
            place=rows.place * row_mask,
            columns=weights,
            weights=fitted.weights,
            table=table,
            errors=errors,
            kept=kept * row_mask.unsqueeze(-3),
            keys=linear(last, params["vote.key"]) * row_mask,
            wrong=(known - found) * row_mask,
            share=share,
            rows=mask,
        )

    def _answer(
        self, params: Params, columns: Columns, state: State, class_mask: Tensor | None, inputs: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits [..., Q, N], or means [..., Q, 1]; and spreads [..., Q, 1]."""
        rows = _rows(inputs, columns)
        labelled = Rows(state.size, state.place)
        likeness = kernels(rows, labelled, state.columns, params["head.constant"].exp())
        guesses = likeness @ state.weights
        alike = likeness.tanh()
        own = row_numbers(guesses, alike, class_mask, state.rows)
        tokens = linear(own, params["token.row"]) + state.table.unsqueeze(-2) + params["token.bias"]
        last = self.network.decode(params, tokens, alike, state.rows, state.kept)
        found, (shares, votes, spread, prior) = self._weigh(params, last, guesses)
        near = self.network.shares(
            linear(last, params["vote.query"]), state.keys, alike, state.rows, params["vote.alike"]
        )
        missed = near @ state.wrong.unsqueeze(-3)  # [..., heads, Q, N]
        found = found + (votes.transpose(-1, -2).unsqueeze(-1) * missed).sum(-3)
        if class_mask is not None:
            found = found + prior * (state.share.clamp(min=1e-3).log() * class_mask).unsqueeze(-2)
        errors = (shares * state.errors.unsqueeze(-2)).sum(-1, keepdim=True)
        return found, torch.exp(spread.clamp(-_BOUND, _BOUND)) * (errors + 1e-4).sqrt()

    def _weigh(
        self, params: Params, last: Tensor, guesses: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor, Tensor]]:
        """What each row makes of guesses [..., G, E, N], [..., E, N]; its shares, votes, spread, and prior."""
        count, heads = len(HEADS), self.network.heads
        said = linear(last, params["answer"])
        gates, votes = said[..., :count], said[..., count : count + heads]
        spread, prior = said[..., -2:-1], said[..., -1:]
        shares = torch.softmax(gates * 4 + params["head.share"], dim=-1)
        gains = shares
        if self.max_ways:
            gains = shares * torch.exp(params["head.gain"] + spread.clamp(-_BOUND, _BOUND))
        found = (gains.transpose(-1, -2).unsqueeze(-1) * guesses).sum(-3)
        return found, (shares, votes * 4, spread, prior)


def _rows(inputs: Tensor, columns: Columns) -> Rows:
    size, place = size_and_place(standardise(inputs, columns), columns)
    present = columns.present.unsqueeze(-2)
    return Rows(size * present, place * present)
