"""What labels allow on CLINC150: the episodes of `clinc` answered with nearly every label of their intents.

An estimate of what is left for a few-shot learner, on the frozen encoder and on one that is fitted to those labels
itself. Needs `--data FOLDER` with `text/clinc150.parquet`, and the extra `bench`.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.encoders.text import TextEncoder
from tests.benchmarks.clinc import SETTINGS
from tests.benchmarks.clinc_methods import logistic_regression
from tests.benchmarks.figures import Figure, Report
from tests.benchmarks.intents import Task, episodes, features_of, halves_of, sentence_encoder
from tests.benchmarks.options import Options
from tests.benchmarks.supervised_encoder import fitted_scores

_FOLDS = 10
_PENALTY = 10.0
_POINT = 1.0
_QUARTERS, _LAYERS, _EPOCHS = 4, 3, 4


def informed_scores(features: Tensor, labels: np.ndarray[Any, Any], seed: int) -> np.ndarray[Any, Any]:
    """Scores [n, classes] of each text, by a logistic regression on the nine tenths of all texts without it."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    model = LogisticRegression(C=_PENALTY, max_iter=200)
    found = cross_val_predict(model, features.numpy(), labels, cv=folds, method="decision_function")
    return np.asarray(found)


def informed_answers(
    scores: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], task: Task
) -> np.ndarray[Any, Any]:
    """Bool [Q]: whether the largest score among the episode's own classes is the query's."""
    _, first = np.unique(task.support_slots.numpy(), return_index=True)
    columns = np.searchsorted(np.unique(labels), labels[task.support.numpy()[first]])
    answers = scores[task.query.numpy()][:, columns].argmax(1)
    return np.asarray(answers == task.query_slots.numpy())


def informed_accuracy(scores: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], task: Task) -> float:
    """In per cent."""
    return 100 * float(informed_answers(scores, labels, task).mean())


def quarter_scores(
    encoder: TextEncoder, texts: list[str], features: Tensor, labels: np.ndarray[Any, Any], seed: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Scores [n, classes] from three quarters of the texts, by the frozen encoder's logistic regression and by the
    encoder that is fitted on from there; and which texts [n] are of the last quarter."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    quarters = StratifiedKFold(_QUARTERS, shuffle=True, random_state=seed)
    rows, _ = next(iter(quarters.split(features, labels)))
    known = np.zeros(len(labels), dtype=bool)
    known[rows] = True
    model = LogisticRegression(C=_PENALTY, max_iter=200).fit(features[known].numpy(), labels[known])
    frozen = model.decision_function(features.numpy())
    start = (torch.from_numpy(model.coef_).float(), torch.from_numpy(model.intercept_).float())
    classes = torch.from_numpy(np.searchsorted(model.classes_, labels))
    fitted = fitted_scores(
        encoder, texts, classes, torch.from_numpy(known), start, layers=_LAYERS, epochs=_EPOCHS, seed=seed
    )
    return np.asarray(frozen), fitted.numpy(), ~known


def answered(
    scores: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], tasks: list[Task], asked: np.ndarray[Any, Any]
) -> tuple[float, int]:
    """Of the queries among the texts `asked` [n], all episodes together: per cent, and how many."""
    found = [informed_answers(scores, labels, task)[asked[task.query.numpy()]] for task in tasks]
    together = np.concatenate(found)
    return 100 * float(together.mean()), len(together)


def measure(options: Options) -> Report:
    torch.set_num_threads(1)
    intents, _, seen = halves_of("clinc_labels", options)
    held_out = ~seen
    labels = intents.labels[held_out]
    texts = [text for text, kept in zip(intents.texts, held_out, strict=True) if kept]
    encoder = sentence_encoder()
    features = features_of(encoder, texts)
    scores = informed_scores(features, labels, options.seed)
    frozen, fitted, asked = quarter_scores(encoder, texts, features, labels, options.seed)
    figures, series = [], {}
    for way, shot, count in SETTINGS:
        tasks = list(episodes(labels, way, shot, count, options.seed))
        informed = np.array([informed_accuracy(scores, labels, task) for task in tasks])
        few = float(np.mean([logistic_regression(features, task, 1.0) for task in tasks]))
        interval = 1.96 * informed.std() / np.sqrt(count)
        still, queries = answered(frozen, labels, tasks, asked)
        better, _ = answered(fitted, labels, tasks, asked)
        series[f"{way}-way {shot}-shot"] = {
            "informed": float(informed.mean()),
            "from the shots": few,
            "a quarter, frozen": still,
            "a quarter, fitted": better,
        }
        figures.append(
            Figure(
                what=f"{way}-way {shot}-shot, the encoder fitted to three quarters of the texts too",
                value=round(better, 2),
                unit=" %",
                beside=f"{queries} queries of the last quarter; the frozen encoder's {still:.2f} %",
            )
        )
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
            "do not make up for it. To three quarters of the texts the encoder was fitted too, all weights of its "
            f"top {_LAYERS} layers ({_EPOCHS} epochs), and answers the queries of the last quarter."
        ),
        seed=options.seed,
        scale={"episodes": [count for _, _, count in SETTINGS], "folds": _FOLDS, "epochs": _EPOCHS},
        figures=figures,
        series=series,
    )
