"""The episodes of `clinc` where everybody is given the name of each class, as one more example of it.

By both recipes, the default head as it is, and logistic regression; also by names alone, without any example. Needs
`--data FOLDER` with `text/clinc150.parquet`, and the extra `bench`.
"""

from typing import Any

import numpy as np
import torch

from tests.benchmarks.clinc import SETTINGS
from tests.benchmarks.clinc_methods import HEAD, LOGISTIC, LOOSE, OURS, PLAIN, compared, methods_of, words_in
from tests.benchmarks.figures import Figure, Report
from tests.benchmarks.intents import episodes, features_of, halves_of, sentence_encoder
from tests.benchmarks.options import Options
from tests.benchmarks.progress import say

_SETTINGS = ((5, 0, 400), *SETTINGS)


def figures_of(setting: str, scores: dict[str, list[float]]) -> list[Figure]:
    """Of the encoder and of the head, each beside logistic regression that is given the names too."""
    means = {name: float(np.mean(found)) for name, found in scores.items()}
    others = ", ".join(f"{name} {means[name]:.2f} %" for name in (PLAIN, LOGISTIC, LOOSE))
    figures = []
    for name in (OURS, HEAD):
        gains = np.array(scores[name]) - np.array(scores[LOGISTIC])
        interval = 1.96 * gains.std() / np.sqrt(len(gains))
        figures.append(
            Figure(
                what=f"{setting}, accuracy of the {name}",
                value=round(means[name], 2),
                unit=" %",
                beside=f"{gains.mean():+.2f} ± {interval:.2f} points on logistic regression; {others}",
            )
        )
    return figures


def measure(options: Options) -> Report:
    torch.set_num_threads(1)
    intents, _, seen = halves_of("clinc_names", options)
    encoder = sentence_encoder()
    features = features_of(encoder, intents.texts)
    labels = intents.labels[~seen]
    names = encoder.encode(words_in(labels))
    methods, frozen, seconds = methods_of(encoder, intents, features, seen, names, options.seed)
    figures: list[Figure] = []
    series: dict[str, Any] = {}
    for way, shot, count in _SETTINGS:
        tasks = list(episodes(labels, way, shot, count, options.seed))
        scores = compared(methods, frozen, names, labels, tasks)
        setting = f"{way}-way {shot}-shot" if shot else f"{way}-way by names alone"
        series[setting] = {name: float(np.mean(found)) for name, found in scores.items()}
        say(f"{setting}: {series[setting]}")
        figures += figures_of(setting, scores)
    figures += [
        Figure(what=f"`{name}`: processor time of its training", value=value, unit=" s")
        for name, value in seconds.items()
    ]
    return Report(
        suite="clinc_names",
        title="Intents of unseen domains, and what they are called",
        how=(
            "The episodes of the suite `clinc`, where the name of each class, as in `lost luggage`, is one more "
            "example of it: in meta-training, and for everybody that is compared, logistic regression included. "
            "The recipes learn on the same five domains, and nothing else of theirs is changed. With names alone "
            "there is no example at all."
        ),
        seed=options.seed,
        scale={"episodes": [count for _, _, count in _SETTINGS]},
        figures=figures,
        series=series,
    )
