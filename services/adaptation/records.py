"""What the adaptation service takes and tells. Plain values; no row, no wire type, no tensor library."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import numpy as np

Array = np.ndarray[Any, Any]
Label = str | int
Classes = list[Label]
"""A classifier's labels in slot order."""

Inputs = Array | list[bytes] | list[str]
"""Examples as a caller gave them: numbers (uint8, or float32), encoded image files, or texts."""


@dataclass(frozen=True)
class SupportInput:
    """Labelled examples as a caller gave them; whether integers are labels or values, the model decides.

    `classes` are labels beside those of the targets, of which there may be no example; None where none were given.
    """

    inputs: Inputs
    targets: Array | list[str] | list[int]
    classes: Array | list[str] | list[int] | None = None

    @property
    def size(self) -> int:
        """Examples that go through the network."""
        return len(self.inputs)


@dataclass(frozen=True)
class EpisodeInput:
    """One run in an environment as a caller gave it: an observation, an action and a reward for each step.

    `log_probs` are those of the actions as they were sampled, where they are known.
    """

    observations: Inputs
    actions: Array | list[str] | list[int]
    rewards: Inputs
    terminated: bool = False
    log_probs: Inputs | None = None


@dataclass(frozen=True)
class EpisodesInput:
    """What a policy is adapted from."""

    episodes: list[EpisodeInput]

    @property
    def size(self) -> int:
        """Steps that go through the network: all episodes are padded to the longest."""
        longest = max((len(episode.observations) for episode in self.episodes), default=0)
        return len(self.episodes) * longest


AnySupportInput = SupportInput | EpisodesInput


class Adaptation(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one act of adapting. `classes` are the caller's own labels in slot order; None for regression.

    `support_loss` is the mean squared error, or cross-entropy in nats, on the support set after adapting; of a
    policy, what a further step would decrease. `n_columns` is how many its table has, where the model takes
    fewer than its signature's; None for other models. `warnings` are for whoever adapts, and are not kept;
    `escalation` is whether an encoder was tuned to the support set, and by which scores or why not.
    """

    id: str
    model: str
    version: int
    task: str
    classes: Classes | None
    n_support: int
    support_loss: float
    revision: int
    options: dict[str, Any]
    metadata: dict[str, Any]
    created_at: datetime
    expires_at: datetime | None
    n_columns: int | None = None
    warnings: tuple[str, ...] = ()
    escalation: dict[str, Any] | None = None


class LiveAdaptation(msgspec.Struct, frozen=True, kw_only=True):
    """What querying an adaptation, and going on from it, need of it; `digest` names its parameters."""

    id: str
    model: str
    version: int
    digest: str
    classes: Classes | None
    revision: int
    expires_at: datetime | None
    n_columns: int | None = None


class StoredAdaptation(msgspec.Struct, frozen=True):
    """An adaptation, and the digest of the parameters that it stands for."""

    adaptation: Adaptation
    digest: str


class PredictionBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Answers for Q inputs, in order. `adaptation` and `revision` are None where nothing was stored.

    Regression: `values` float32 [Q, T], `stds` the same shape or None. Classification: `probabilities` float32
    [Q, N] in the order of `classes`. A policy: `actions` float64 [Q, A] or int64 [Q] with `log_probs` float64 [Q],
    drawn from `values` and `stds`, or from `probabilities`. `escalation` as in `Adaptation`, of one made for this.
    """

    adaptation: str | None
    revision: int | None
    model: str
    version: int
    task: str
    classes: Classes | None
    target_width: int
    values: Array | None = None
    stds: Array | None = None
    probabilities: Array | None = None
    actions: Array | None = None
    log_probs: Array | None = None
    escalation: dict[str, Any] | None = None
