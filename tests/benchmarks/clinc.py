"""Intents that nobody saw before: MiniLM meta-trained by LoRA, and a head on it frozen, beside logistic regression.

CLINC150 (Larson et al. 2019): meta-trained on the 75 intents of five of its domains, tested on those of the other
five, on the very same episodes. Needs `--data FOLDER` with `text/clinc150.parquet`, and the extra `bench`.
"""

from collections import Counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.benchmarks.clinc_methods import (
    HEAD,
    OURS,
    PLAIN,
    Method,
    answers_of,
    logistic_regression,
    methods_of,
    names_of,
    words_in,
)
from tests.benchmarks.figures import Figure, Report
from tests.benchmarks.intents import Task, episodes, features_of, read_intents, sentence_encoder
from tests.benchmarks.options import Options
from tests.benchmarks.progress import say

# Way, shot, episodes; `intents.QUERIES` queries a class.
SETTINGS = ((5, 1, 400), (5, 5, 400), (75, 5, 10))
_POINT = 1.0
_WORST = 5
_LOGISTIC, _LOOSE = "logistic regression, C = 1", "C = 100"
_METHODS = (OURS, HEAD, PLAIN, _LOGISTIC, _LOOSE)


def accuracy_of(answers: Tensor, task: Task) -> float:
    """In per cent."""
    return 100 * float((answers == task.query_slots).double().mean())


def confused(answers: Tensor, task: Task, labels: np.ndarray[Any, Any]) -> Counter[str]:
    """Which two intents each wrong answer takes for one another, in either direction."""
    _, first = np.unique(task.support_slots.numpy(), return_index=True)
    intents = labels[task.support.numpy()[first]]
    wrong = (answers != task.query_slots).nonzero().flatten()
    pairs = zip(task.query_slots[wrong].tolist(), answers[wrong].tolist(), strict=True)
    return Counter(" / ".join(sorted((str(intents[one]), str(intents[other])))) for one, other in pairs)


def compared(
    methods: dict[str, Method],
    frozen: Tensor,
    names: Tensor | None,
    labels: np.ndarray[Any, Any],
    tasks: list[Task],
) -> tuple[dict[str, list[float]], Counter[str]]:
    """Every method's accuracy on each of the tasks, and what ours confuses; all by the classes' `names`, if any.

    `frozen` features, and `names`, are what logistic regression is fitted to.
    """
    scores: dict[str, list[float]] = {name: [] for name in _METHODS}
    wrong: Counter[str] = Counter()
    for task in tasks:
        for name, method in methods.items():
            known = None if method.names is None else names_of(task, labels, method.names)
            answers = answers_of(method.learner, method.params, method.features, task, known)
            scores[name].append(accuracy_of(answers, task))
            wrong += confused(answers, task, labels) if name == OURS else Counter()
        known = None if names is None else names_of(task, labels, names)
        scores[_LOGISTIC].append(logistic_regression(frozen, task, 1.0, known))
        scores[_LOOSE].append(logistic_regression(frozen, task, 100.0, known))
    return scores, wrong


def named_figures(setting: str, scores: dict[str, list[float]], plain: dict[str, float]) -> list[Figure]:
    """Of the encoder and of the head where a class's name is one more example, beside the others given it too."""
    means = {name: float(np.mean(found)) for name, found in scores.items()}
    others = ", ".join(f"{name} {means[name]:.2f} %" for name in (PLAIN, _LOGISTIC, _LOOSE))
    figures = []
    for name in (OURS, HEAD):
        gains = np.array(scores[name]) - np.array(scores[_LOGISTIC])
        interval = 1.96 * gains.std() / np.sqrt(len(gains))
        figures.append(
            Figure(
                what=f"{setting} and the classes' names, accuracy of the {name}",
                value=round(means[name], 2),
                unit=" %",
                beside=f"without names {plain[name]:.2f} %; {gains.mean():+.2f} ± {interval:.2f} points on "
                f"logistic regression with names; with names {others}",
            )
        )
    return figures


def figure_of(
    setting: str, means: dict[str, float], gain: float, interval: float, wrong: Counter[str]
) -> Figure:
    """Our accuracy beside the others', all in per cent; the gain in points with half its 95 % interval, and which
    pairs of intents our wrong answers are on."""
    others = ", ".join(f"{name} {value:.2f} %" for name, value in means.items() if name != OURS)
    worst = ", ".join(f"{pair} {count}" for pair, count in wrong.most_common(_WORST))
    return Figure(
        what=f"{setting}, accuracy of the {OURS}",
        value=round(means[OURS], 2),
        unit=" %",
        at_least=round(means[_LOGISTIC] + _POINT, 2),
        beside=f"{gain:+.2f} ± {interval:.2f} points on logistic regression; {others}; {wrong.total()} wrong "
        f"answers on {len(wrong)} pairs of intents, most on {worst}",
    )


def measure(options: Options) -> Report:
    if options.data is None:
        raise SystemExit("clinc needs --data FOLDER with text/clinc150.parquet")
    torch.set_num_threads(1)
    intents = read_intents(options.data / "text" / "clinc150.parquet")
    encoder = sentence_encoder()
    features = features_of(encoder, intents.texts)
    domains = np.random.default_rng(options.seed).permutation(np.unique(intents.domains))
    seen = np.isin(intents.domains, domains[: len(domains) // 2])
    labels, names = intents.labels[~seen], encoder.encode(words_in(intents.labels[~seen]))
    plain, frozen, seconds = methods_of(encoder, intents, features, seen, None, options.seed)
    named, _, named_seconds = methods_of(encoder, intents, features, seen, names, options.seed)
    figures: list[Figure] = []
    further: list[Figure] = []
    series: dict[str, Any] = {"meta_trained_on": domains[: len(domains) // 2].tolist()}
    for way, shot, count in SETTINGS:
        tasks = list(episodes(labels, way, shot, count, options.seed))
        setting = f"{way}-way {shot}-shot"
        scores, wrong = compared(plain, frozen, None, labels, tasks)
        with_them, _ = compared(named, frozen, names, labels, tasks)
        means = {name: float(np.mean(found)) for name, found in scores.items()}
        gains = np.array(scores[OURS]) - np.array(scores[_LOGISTIC])
        series[setting] = means
        series[f"{setting}, with names"] = {name: float(np.mean(found)) for name, found in with_them.items()}
        say(f"{setting}: {means}; with names {series[f'{setting}, with names']}")
        interval = 1.96 * gains.std() / np.sqrt(len(gains))
        figures.append(figure_of(setting, means, float(gains.mean()), float(interval), wrong))
        further += named_figures(setting, with_them, means)
    for name, without in seconds.items():
        figures.append(
            Figure(
                what=f"`{name}`: processor time of its training",
                value=without,
                unit=" s",
                beside=f"with names of classes {named_seconds[name]:.0f} s",
            )
        )
    return Report(
        suite="clinc",
        title="Intents of unseen domains, from MiniLM's features",
        how=(
            "CLINC150: meta-trained on the intents of five domains, tested on those of the other five: the encoder "
            "by `clinc-minilm-lora`, a head on the frozen encoder by `clinc-minilm`. Logistic regression is "
            "scikit-learn's on the frozen features (C = 1 is its default), in the same episodes; the gate is one "
            "point above it; at 5-way 5-shot that is more than what nearly every label allows (the suite below). "
            "The gates' rows are of texts alone. In the rows with names everybody is given each class's own name, "
            "`lost luggage`, as one more example: the recipes in meta-training too, and logistic regression."
        ),
        seed=options.seed,
        scale={"episodes": [count for _, _, count in SETTINGS]},
        figures=[*figures, *further],
        series=series,
    )
