"""A learner behind the encoding of a table's columns. Knows the learner by its protocol; no algorithm, no data."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Generator, Tensor

from models.algorithms.learner import MetaLearner
from models.episode import Episode, SupportSet
from models.functional import Params, squared_error
from models.spec import ColumnSpec, Signature, Task


class Encoded:
    """Clients send rows as their table has them; the learner sees standardised numbers and one-hot categories.

    Regression targets are standardised for the learner, and its answers are in their units again. What
    `meta_loss` reports is in the targets' standard deviations.
    """

    def __init__(self, learner: MetaLearner, signature: Signature) -> None:
        """`learner` is one for `signature.encoded`."""
        self.learner = learner
        self.task: Task = learner.task
        self.max_ways = learner.max_ways
        self._columns = ColumnEncoding(signature.columns)
        self._targets = ColumnEncoding(signature.target_columns)

    def init(self, generator: Generator) -> dict[str, Tensor]:
        return self.learner.init(generator)

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        return self.learner.adapt(meta_params, self._support(support), start)

    def predict(self, meta_params: Params, adapted_params: Params, query_inputs: Tensor) -> dict[str, Tensor]:
        answer = self.learner.predict(meta_params, adapted_params, self._columns.encode(query_inputs))
        if "mean" in answer:
            answer["mean"] = self._targets.decode(answer["mean"])
        if "std" in answer:
            answer["std"] = self._targets.stretch(answer["std"])
        return answer

    def support_loss(self, meta_params: Params, adapted_params: Params, support: SupportSet) -> Tensor:
        """In the targets' own units."""
        if self.task == "classification":
            return self.learner.support_loss(meta_params, adapted_params, self._support(support))
        answer = self.predict(meta_params, adapted_params, support.inputs)
        return squared_error(answer["mean"], support.targets, support.mask)

    def meta_loss(self, meta_params: Params, episode: Episode) -> tuple[Tensor, dict[str, Tensor]]:
        return self.learner.meta_loss(meta_params, self._episode(episode))

    def encode(self, episode: Episode) -> Episode:
        """The episode as the network sees it."""
        return encoding_of(self.learner)(self._episode(episode))

    def _episode(self, episode: Episode) -> Episode:
        query = episode.query
        inputs, targets = self._columns.encode(query.inputs), self._encoded_targets(query.targets)
        return Episode(self._support(episode.support), query._replace(inputs=inputs, targets=targets))

    def _support(self, support: SupportSet) -> SupportSet:
        inputs, targets = self._columns.encode(support.inputs), self._encoded_targets(support.targets)
        return support._replace(inputs=inputs, targets=targets)

    def _encoded_targets(self, targets: Tensor) -> Tensor:
        return self._targets.encode(targets) if self.task == "regression" else targets


@runtime_checkable
class Encoding(Protocol):
    """A learner whose network sees something else than the episode."""

    def encode(self, episode: Episode) -> Episode:
        """The episode as the network sees it."""
        ...


def encoding_of(learner: MetaLearner) -> Callable[[Episode], Episode]:
    """What the learner makes of an episode before its network sees it."""
    return learner.encode if isinstance(learner, Encoding) else _as_it_is


def _as_it_is(episode: Episode) -> Episode:
    return episode


class _Numbers(NamedTuple):
    """Of each of the columns of numbers: its place, int64; and float32, where `rate` is 1 / scale, or 0."""

    places: Tensor
    mean: Tensor
    scale: Tensor
    rate: Tensor


class ColumnEncoding:
    """Numbers first, in the order of the columns, then the categories of each column that has some."""

    def __init__(self, columns: Sequence[ColumnSpec]) -> None:
        places = [place for place, column in enumerate(columns) if not column.categories]
        scales = [columns[place].scale for place in places]
        numbers = _Numbers(
            torch.tensor(places, dtype=torch.int64),
            torch.tensor([columns[place].mean for place in places]),
            torch.tensor(scales),
            torch.tensor([1 / scale if scale else 0.0 for scale in scales]),
        )
        self._by_device = {torch.device("cpu"): numbers}
        self._categories = [
            (place, len(column.categories)) for place, column in enumerate(columns) if column.categories
        ]
        self._changes = bool(columns)

    def encode(self, values: Tensor) -> Tensor:
        """Float32 [..., D] to [..., encoded width]; as it is where there are no columns."""
        if not self._changes:
            return values
        known = self._on(values.device)
        numbers = values.index_select(-1, known.places) if self._categories else values
        parts = [(numbers - known.mean) * known.rate]
        for place, count in self._categories:
            kinds = torch.arange(count, device=values.device)
            parts.append((values[..., place : place + 1] == kinds).to(values.dtype))
        return torch.cat(parts, dim=-1) if self._categories else parts[0]

    def decode(self, values: Tensor) -> Tensor:
        """Standardised [..., T] in their own units; columns of numbers alone."""
        return self.stretch(values) + self._on(values.device).mean if self._changes else values

    def stretch(self, deviations: Tensor) -> Tensor:
        """Standard deviations [..., T] in the targets' units."""
        return deviations * self._on(deviations.device).scale if self._changes else deviations

    def _on(self, device: torch.device) -> _Numbers:
        """Copied to a device once: what a GPU records may not copy from the CPU's memory."""
        if device not in self._by_device:
            known = self._by_device[torch.device("cpu")]
            self._by_device[device] = _Numbers(*(values.to(device) for values in known))
        return self._by_device[device]
