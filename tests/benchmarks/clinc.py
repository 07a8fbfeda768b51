"""Intents that nobody saw before: MiniLM meta-trained by LoRA, and a head on it frozen, beside logistic regression.

CLINC150 (Larson et al. 2019): meta-trained on the 75 intents of five of its domains, tested on those of the other
five, on the very same episodes. Needs `--data FOLDER` with `text/clinc150.parquet`, and the extra `bench`.
"""

import time
from collections import Counter
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor

from models.algorithms.batched import adapt_batch, predict_batch
from models.algorithms.learner import MetaLearner
from models.build import build_learner
from models.encoders.text import TextEncoder
from models.encoders.tuning import Tuning, tuned_params
from models.episode import SupportSet
from models.functional import Params
from models.spec import (
    AutoSpec,
    EncoderSpec,
    LabelledSpec,
    LearnerSpec,
    Signature,
    TensorSpec,
)
from models.tasks.episode_sampler import EpisodeSampler
from models.tasks.labelled import Labelled
from models.tasks.labelled_data import LabelledData
from models.training.config import TrainingSpec
from models.training.meta_trainer import MetaTrainer
from models.training.recipes import RECIPES
from tests.benchmarks.figures import Figure, Report
from tests.benchmarks.intents import Task, episodes, features_of, read_intents, sentence_encoder
from tests.benchmarks.options import Options
from tests.benchmarks.progress import say

# Way, shot, episodes; `intents.QUERIES` queries a class.
SETTINGS = ((5, 1, 400), (5, 5, 400), (75, 5, 10))
_POINT = 1.0
_WORST = 5
_TEXTS = Signature(
    inputs=TensorSpec(datatype="BYTES", shape=(-1,)), targets=TensorSpec(datatype="BYTES", shape=(-1,))
)
_OURS, _HEAD, _PLAIN = "meta-trained encoder", "meta-trained head", "the default head as it is"
_LOGISTIC, _LOOSE = "logistic regression, C = 1", "C = 100"


def recipe_of(name: str, width: int) -> tuple[LearnerSpec, LabelledSpec, TrainingSpec]:
    """A recipe's learner, its encoder looked up, its tasks and its training."""
    (config,) = (recipe.config for recipe in RECIPES if recipe.name == name)
    assert isinstance(config.learner.network, EncoderSpec)
    assert isinstance(config.tasks, LabelledSpec)
    network = msgspec.structs.replace(config.learner.network, width=width)
    return msgspec.structs.replace(config.learner, network=network), config.tasks, config.training


def trained(learner: MetaLearner, tasks: LabelledSpec, data: LabelledData, training: TrainingSpec) -> Params:
    """Meta-trained on episodes of all classes of the data: the test is on another half."""
    # Its own split would leave fewer classes than a step has; it is not used.
    family = Labelled(msgspec.structs.replace(tasks, train_ways=None), data)
    rows = [(data.labels == label).nonzero().flatten() for label in range(int(data.labels.max()) + 1)]
    family.samplers["train"] = EpisodeSampler(
        rows, torch.zeros(len(rows), dtype=torch.int64), tasks.most_ways
    )
    trainer = MetaTrainer(training, family, learner)
    while not trainer.finished:
        metrics = trainer.run(25)
        say(f"iteration {trainer.iteration}: {metrics['meta_loss']:.3f}, {metrics['accuracy']:.3f} right")
    return trainer.meta_params


def tuned(
    encoder: TextEncoder, texts: list[str], labels: np.ndarray[Any, Any], mean: Tensor
) -> tuple[TextEncoder, MetaLearner, Params, float]:
    """The encoder with what a job of `clinc-minilm-lora` learns, the learner on its features, and seconds of
    processor time."""
    spec, tasks, training = recipe_of("clinc-minilm-lora", encoder.width)
    assert isinstance(spec.network, EncoderSpec)
    data = LabelledData.from_arrays(encoder.tokens_of(texts, 0.98).numpy(), labels)
    learner = build_learner(spec, _TEXTS, mean=mean, encoder=encoder)
    began = time.process_time()
    params = trained(learner, tasks, data, training)
    seconds = time.process_time() - began
    differences = tuned_params(params)
    rest = {name: value for name, value in params.items() if name not in differences}
    weights = Tuning(encoder.module, spec.network).weights(differences)
    return encoder.tuned(weights), build_learner(spec, _TEXTS), rest, seconds


def answers_of(learner: MetaLearner, params: Params, features: Tensor, task: Task) -> Tensor:
    """The queries' slots [Q], by one adaptation."""
    ways = int(task.support_slots.max()) + 1
    support = SupportSet(
        features[task.support].unsqueeze(0),
        task.support_slots.unsqueeze(0),
        torch.ones(1, len(task.support)),
        torch.ones(1, ways),
    )
    adapted = adapt_batch(learner, params, support)
    logits = predict_batch(learner, params, adapted, features[task.query].unsqueeze(0))["logits"][0]
    return logits.argmax(-1)


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


def logistic_regression(features: Tensor, task: Task, penalty: float) -> float:
    """scikit-learn's on the frozen features as they are, in per cent."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=penalty, max_iter=1000)
    model.fit(features[task.support].numpy(), task.support_slots.numpy())
    answers = model.predict(features[task.query].numpy())
    return 100 * float((answers == task.query_slots.numpy()).mean())


def figure_of(
    setting: str, means: dict[str, float], gain: float, interval: float, wrong: Counter[str]
) -> Figure:
    """Our accuracy beside the others', all in per cent; the gain in points with half its 95 % interval, and which
    pairs of intents our wrong answers are on."""
    others = ", ".join(f"{name} {value:.2f} %" for name, value in means.items() if name != _OURS)
    worst = ", ".join(f"{pair} {count}" for pair, count in wrong.most_common(_WORST))
    return Figure(
        what=f"{setting}, accuracy of the {_OURS}",
        value=round(means[_OURS], 2),
        unit=" %",
        at_least=round(means[_LOGISTIC] + _POINT, 2),
        beside=f"{gain:+.2f} ± {interval:.2f} points on logistic regression; {others}; {wrong.total()} wrong "
        f"answers on {len(wrong)} pairs of intents, most on {worst}",
    )


def _without_map(spec: LearnerSpec) -> EncoderSpec:
    assert isinstance(spec.network, EncoderSpec)
    return msgspec.structs.replace(spec.network, projection=0)


def measure(options: Options) -> Report:
    if options.data is None:
        raise SystemExit("clinc needs --data FOLDER with text/clinc150.parquet")
    torch.set_num_threads(1)
    intents = read_intents(options.data / "text" / "clinc150.parquet")
    encoder = sentence_encoder()
    features = features_of(encoder, intents.texts)
    domains = np.random.default_rng(options.seed).permutation(np.unique(intents.domains))
    seen = np.isin(intents.domains, domains[: len(domains) // 2])
    mean = features[seen].mean(0)
    spec, tasks, training = recipe_of("clinc-minilm", encoder.width)
    head = build_learner(spec, _TEXTS, mean=mean)
    data = LabelledData.from_arrays(features[seen].numpy(), intents.labels[seen])
    head_params = trained(head, tasks, data, training)
    plain = build_learner(LearnerSpec(algorithm=AutoSpec(), network=_without_map(spec)), _TEXTS, mean=mean)
    plain_params = plain.init(torch.Generator().manual_seed(options.seed))
    texts = np.array(intents.texts, dtype=object)
    better, ours, our_params, seconds = tuned(encoder, texts[seen].tolist(), intents.labels[seen], mean)
    held_out, labels = features[~seen], intents.labels[~seen]
    our_held_out = features_of(better, texts[~seen].tolist())
    figures: list[Figure] = []
    series: dict[str, Any] = {"meta_trained_on": domains[: len(domains) // 2].tolist()}
    for way, shot, count in SETTINGS:
        scores: dict[str, list[float]] = {name: [] for name in (_OURS, _HEAD, _PLAIN, _LOGISTIC, _LOOSE)}
        wrong: Counter[str] = Counter()
        for task in episodes(labels, way, shot, count, options.seed):
            answers = answers_of(ours, our_params, our_held_out, task)
            wrong += confused(answers, task, labels)
            scores[_OURS].append(accuracy_of(answers, task))
            scores[_HEAD].append(accuracy_of(answers_of(head, head_params, held_out, task), task))
            scores[_PLAIN].append(accuracy_of(answers_of(plain, plain_params, held_out, task), task))
            scores[_LOGISTIC].append(logistic_regression(held_out, task, 1.0))
            scores[_LOOSE].append(logistic_regression(held_out, task, 100.0))
        setting = f"{way}-way {shot}-shot"
        means = {name: float(np.mean(found)) for name, found in scores.items()}
        gains = np.array(scores[_OURS]) - np.array(scores[_LOGISTIC])
        series[setting] = means
        say(f"{setting}: {means}")
        interval = 1.96 * gains.std() / np.sqrt(len(gains))
        figures.append(figure_of(setting, means, float(gains.mean()), float(interval), wrong))
    figures.append(
        Figure(what="`clinc-minilm-lora`: processor time of its training", value=seconds, unit=" s")
    )
    return Report(
        suite="clinc",
        title="Intents of unseen domains, from MiniLM's features",
        how=(
            "CLINC150: meta-trained on the intents of five domains, tested on those of the other five: the encoder "
            "by `clinc-minilm-lora`, a head on the frozen encoder by `clinc-minilm`. Logistic regression is "
            "scikit-learn's on the frozen features (C = 1 is its default), in the same episodes; the gate is one "
            "point above it; at 5-way 5-shot that is more than what nearly every label allows (the suite below)."
        ),
        seed=options.seed,
        scale={"episodes": [count for _, _, count in SETTINGS]},
        figures=figures,
        series=series,
    )
