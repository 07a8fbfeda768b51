"""scikit-learn's models for small tables, with their usual settings, and how answers are scored. Knows no file."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from tests.benchmarks.small_tables import Array, Draw, draws_of, tables_in

Scores = dict[str, dict[str, float]]
"""By contender and metric."""

# A probability of nothing would make a log loss infinite.
_LEAST = 1e-4


def neighbours(size: int) -> dict[str, Any]:
    return {"n_neighbors": min(5, size), "weights": "distance"}


CLASSIFIERS: dict[str, Callable[[int], Any]] = {
    "logistic regression": lambda _: make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
    "random forest": lambda _: RandomForestClassifier(random_state=0),
    "gradient boosting": lambda _: GradientBoostingClassifier(random_state=0),
    "k nearest neighbours": lambda size: make_pipeline(
        StandardScaler(), KNeighborsClassifier(**neighbours(size))
    ),
}
REGRESSORS: dict[str, Callable[[int], Any]] = {
    "ridge regression": lambda _: make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 3, 11))),
    "random forest": lambda _: RandomForestRegressor(random_state=0),
    "gradient boosting": lambda _: GradientBoostingRegressor(random_state=0),
    "k nearest neighbours": lambda size: make_pipeline(
        StandardScaler(), KNeighborsRegressor(**neighbours(size))
    ),
}


def scores_of(folder: Path, name: str, size: int, draws: int, seed: int) -> list[Scores]:
    """Every contender's scores on each episode of one table and size; for a process of its own."""
    (table,) = (one for one in tables_in(folder) if one.name == name)
    with threadpool_limits(1):
        return [_scores(draw) for draw in draws_of(table, size, draws, seed)]


def _scores(draw: Draw) -> Scores:
    makers = CLASSIFIERS if draw.classes else REGRESSORS
    found = {}
    for name, make in makers.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = make(draw.size).fit(draw.support_x, draw.support_y)
            answer = model.predict_proba(draw.query_x) if draw.classes else model.predict(draw.query_x)
        found[name] = score(draw, answer)
    return found


def score(draw: Draw, answer: Array) -> dict[str, float]:
    """Accuracy, log loss and area under the curve of probabilities [Q, N]; or of
    numbers [Q] the root of their mean squared error, in deviations of the truth.
    """
    truth = draw.query_y
    if not draw.classes:
        return {"error": float(np.sqrt(np.mean((truth - answer) ** 2) / np.var(truth)))}
    ways, floored = answer.shape[1], np.clip(answer, _LEAST, 1)
    floored /= floored.sum(1, keepdims=True)
    found = {
        "accuracy": float(np.mean(answer.argmax(1) == truth)),
        "log_loss": float(-np.mean(np.log(floored[np.arange(len(truth)), truth]))),
    }
    aucs = [
        roc_auc_score(truth == slot, answer[:, slot])
        for slot in range(ways)
        if 0 < np.count_nonzero(truth == slot) < len(truth)
    ]
    return {**found, "auc": float(np.mean(aucs))}
