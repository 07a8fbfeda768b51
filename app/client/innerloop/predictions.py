"""Predictions as a sequence, one a query example, with the columns that callers ask for."""

from collections.abc import Sequence
from typing import Any, overload

from .schemas.adaptations import Escalation, Label, VersionReference
from .schemas.predictions import (
    ActionPrediction,
    ClassPrediction,
    Prediction,
    PredictionsResponse,
    RegressionPrediction,
)


class Predictions(Sequence[Prediction]):
    """What the service predicts for N query examples, in their order.

    >>> predictions = adaptation.predict([5, 6])                    # doctest: +SKIP
    >>> predictions[0].value, predictions[0].std                    # doctest: +SKIP
    (9.98, 0.11)
    >>> predictions.values                                          # doctest: +SKIP
    [9.98, 11.97]
    """

    def __init__(self, response: PredictionsResponse) -> None:
        self._rows = response.predictions
        self.adaptation: str | None = response.adaptation
        """The adaptation that answered; None where nothing was stored."""
        self.revision: int | None = response.revision
        self.model: VersionReference = response.model
        self.escalation: Escalation | None = response.escalation
        """Of both in one call: whether an encoder was tuned to the examples; `str` says it in words."""

    @property
    def values(self) -> list[Any]:
        """Regression: N numbers, or N lists of T numbers where the model has T > 1 output columns."""
        return [row.value for row in self._regressions("values")]

    @property
    def stds(self) -> list[Any]:
        """Regression: standard deviations in the values' unit and form; None where the learner gives none."""
        return [row.std for row in self._regressions("stds")]

    @property
    def labels(self) -> list[Label]:
        """Classification: the likeliest class of each example, as the type its label was given in."""
        return [row.label for row in self._classes("labels")]

    @property
    def probabilities(self) -> list[dict[str, float]]:
        """Classification: every class's probability; the keys are the labels as text."""
        return [row.probabilities for row in self._classes("probabilities")]

    @property
    def actions(self) -> list[int] | list[list[float]]:
        """A policy's action for each observation, as it was drawn: a box's may lie beyond its bounds."""
        return [row.action for row in self._actions("actions")]  # type: ignore[return-value]

    @property
    def log_probs(self) -> list[float]:
        """The log-probability (density) of each action, to go back with it in an episode."""
        return [row.log_prob for row in self._actions("log_probs")]

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Prediction]: ...
    def __getitem__(self, index: int | slice) -> Prediction | Sequence[Prediction]:
        return self._rows[index]

    def __repr__(self) -> str:
        return f"Predictions({self._rows!r}, model={str(self.model)!r})"

    def _regressions(self, wanted: str) -> list[RegressionPrediction]:
        rows = [row for row in self._rows if isinstance(row, RegressionPrediction)]
        if len(rows) != len(self._rows):
            raise TypeError(f"{wanted} belongs to regression; these are classes: use labels or probabilities")
        return rows

    def _actions(self, wanted: str) -> list[ActionPrediction]:
        rows = [row for row in self._rows if isinstance(row, ActionPrediction)]
        if len(rows) != len(self._rows):
            raise TypeError(f"{wanted} belongs to policies, and this model is none")
        return rows

    def _classes(self, wanted: str) -> list[ClassPrediction]:
        rows = [row for row in self._rows if isinstance(row, ClassPrediction)]
        if len(rows) != len(self._rows):
            raise TypeError(f"{wanted} belongs to classification; these are numbers: use values or stds")
        return rows
