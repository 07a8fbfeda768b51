"""What labels allow on CLINC150: the episodes of `clinc` answered with nearly every label of their intents.

An estimate of what is left for a few-shot learner on the frozen encoder. Needs `--data FOLDER` with
`text/clinc150.parquet`, and the extra `bench`.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.benchmarks.clinc import (
    SETTINGS,
    Task,
    episodes,
    features_of,
    logistic_regression,
    read_intents,
    sentence_encoder,
)
from tests.benchmarks.figures import Figure, Report
from tests.benchmarks.options import Options

_FOLDS = 10
_PENALTY = 10.0
_POINT = 1.0


def informed_scores(features: Tensor, labels: np.ndarray[Any, Any], seed: int) -> np.ndarray[Any, Any]:
    """Scores [n, classes] of each text, by a logistic regression on the nine tenths of all texts without it."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    model = LogisticRegression(C=_PENALTY, max_iter=200)
    found = cross_val_predict(model, features.numpy(), labels, cv=folds, method="decision_function")
    return np.asarray(found)


def informed_accuracy(scores: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], task: Task) -> float:
    """Of the largest score among the episode's own classes, in per cent."""
    _, first = np.unique(task.support_slots.numpy(), return_index=True)
    columns = np.searchsorted(np.unique(labels), labels[task.support.numpy()[first]])
    answers = scores[task.query.numpy()][:, columns].argmax(1)
    return 100 * float((answers == task.query_slots.numpy()).mean())


def measure(options: Options) -> Report:
    if options.data is None:
        raise SystemExit("clinc_labels needs --data FOLDER with text/clinc150.parquet")
    torch.set_num_threads(1)
    intents = read_intents(options.data / "text" / "clinc150.parquet")
    domains = np.random.default_rng(options.seed).permutation(np.unique(intents.domains))
    held_out = ~np.isin(intents.domains, domains[: len(domains) // 2])
    labels = intents.labels[held_out]
    texts = [text for text, kept in zip(intents.texts, held_out, strict=True) if kept]
    features = features_of(sentence_encoder(), texts)
    scores = informed_scores(features, labels, options.seed)
    figures, series = [], {}
    for way, shot, count in SETTINGS:
        tasks = list(episodes(labels, way, shot, count, options.seed))
        informed = np.array([informed_accuracy(scores, labels, task) for task in tasks])
        few = float(np.mean([logistic_regression(features, task, 1.0) for task in tasks]))
        interval = 1.96 * informed.std() / np.sqrt(count)
        series[f"{way}-way {shot}-shot"] = {"informed": float(informed.mean()), "from the shots": few}
        figures.append(
            Figure(
                what=f"{way}-way {shot}-shot, the queries answered with nearly every label",
                value=round(float(informed.mean()), 2),
                unit=" %",
                beside=f"± {interval:.2f}; logistic regression on the shots {few:.2f} %, one point above it "
                f"{few + _POINT:.2f} %",
            )
        )
    return Report(
        suite="clinc_labels",
        title="Intents of unseen domains, and what their labels allow",
        how=(
            "The episodes of the suite above, on MiniLM's frozen features, answered by a logistic regression "
            f"(C = {_PENALTY:g}) that was fitted to nine tenths of all texts of the 75 intents, about 135 of each "
            "intent, a query never among them: what is left is in the labels or in the features, and few shots "
            "do not make up for it."
        ),
        seed=options.seed,
        scale={"episodes": [count for _, _, count in SETTINGS], "folds": _FOLDS},
        figures=figures,
        series=series,
    )
