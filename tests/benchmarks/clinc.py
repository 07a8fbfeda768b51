"""Intents that nobody saw before: MiniLM meta-trained by LoRA, and a head on it frozen, beside logistic regression.

CLINC150 (Larson et al. 2019): meta-trained on the 75 intents of five of its domains, tested on those of the other
five, on the very same episodes. Needs `--data FOLDER` with `text/clinc150.parquet`, and the extra `bench`.
"""

from collections import Counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.benchmarks.clinc_methods import LOGISTIC, OURS, compared, methods_of
from tests.benchmarks.figures import Figure, Report
from tests.benchmarks.intents import Task, episodes, features_of, halves_of, sentence_encoder
from tests.benchmarks.options import Options
from tests.benchmarks.progress import say

# Way, shot, episodes; `intents.QUERIES` queries a class.
SETTINGS = ((5, 1, 400), (5, 5, 400), (75, 5, 10))
_POINT = 1.0
_WORST = 5


def confused(answers: Tensor, task: Task, labels: np.ndarray[Any, Any]) -> Counter[str]:
    """Which two intents each wrong answer takes for one another, in either direction."""
    _, first = np.unique(task.support_slots.numpy(), return_index=True)
    intents = labels[task.support.numpy()[first]]
    wrong = (answers != task.query_slots).nonzero().flatten()
    pairs = zip(task.query_slots[wrong].tolist(), answers[wrong].tolist(), strict=True)
    return Counter(" / ".join(sorted((str(intents[one]), str(intents[other])))) for one, other in pairs)


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
        at_least=round(means[LOGISTIC] + _POINT, 2),
        beside=f"{gain:+.2f} ± {interval:.2f} points on logistic regression; {others}; {wrong.total()} wrong "
        f"answers on {len(wrong)} pairs of intents, most on {worst}",
    )


def measure(options: Options) -> Report:
    torch.set_num_threads(1)
    intents, domains, seen = halves_of("clinc", options)
    encoder = sentence_encoder()
    features = features_of(encoder, intents.texts)
    labels = intents.labels[~seen]
    methods, frozen, seconds = methods_of(encoder, intents, features, seen, None, options.seed)
    figures: list[Figure] = []
    series: dict[str, Any] = {"meta_trained_on": domains}
    for way, shot, count in SETTINGS:
        wrong: Counter[str] = Counter()
        tasks = list(episodes(labels, way, shot, count, options.seed))
        scores = compared(
            methods,
            frozen,
            None,
            labels,
            tasks,
            lambda answers, task, wrong=wrong: wrong.update(confused(answers, task, labels)),
        )
        setting = f"{way}-way {shot}-shot"
        means = {name: float(np.mean(found)) for name, found in scores.items()}
        gains = np.array(scores[OURS]) - np.array(scores[LOGISTIC])
        series[setting] = means
        say(f"{setting}: {means}")
        interval = 1.96 * gains.std() / np.sqrt(len(gains))
        figures.append(figure_of(setting, means, float(gains.mean()), float(interval), wrong))
    name = "clinc-minilm-lora"
    figures.append(Figure(what=f"`{name}`: processor time of its training", value=seconds[name], unit=" s"))
    return Report(
        suite="clinc",
        title="Intents of unseen domains, from MiniLM's features",
        how=(
            "CLINC150: meta-trained on the intents of five domains, tested on those of the other five: the encoder "
            "by `clinc-minilm-lora`, a head on the frozen encoder by `clinc-minilm`. Logistic regression is "
            "scikit-learn's on the frozen features (C = 1 is its default), in the same episodes; the gate is one "
            "point above it; at 5-way 5-shot that is more than what nearly every label allows (the suite below). "
            "All by texts alone, without the names of classes, which the suite `clinc_names` gives everybody."
        ),
        seed=options.seed,
        scale={"episodes": [count for _, _, count in SETTINGS]},
        figures=figures,
        series=series,
    )
