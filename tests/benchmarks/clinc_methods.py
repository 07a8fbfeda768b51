"""How CLINC150's episodes are answered: by what recipes meta-train, with the names of classes or without.

Also by logistic regression. Knows intents and their features; no figure.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

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
    words_of,
)
from models.tasks.class_names import with_names
from models.tasks.episode_sampler import EpisodeSampler
from models.tasks.labelled import Labelled
from models.tasks.labelled_data import LabelledData
from models.training.config import TrainingSpec
from models.training.meta_trainer import MetaTrainer
from models.training.recipes import RECIPES
from services.jobs.encoded import TOKENS_SHARE
from tests.benchmarks.intents import Intents, Task, features_of
from tests.benchmarks.progress import say

_TEXTS = Signature(
    inputs=TensorSpec(datatype="BYTES", shape=(-1,)), targets=TensorSpec(datatype="BYTES", shape=(-1,))
)
_NAMED = msgspec.structs.replace(_TEXTS, class_names=True)
OURS, HEAD, PLAIN = "meta-trained encoder", "meta-trained head", "the default head as it is"
LOGISTIC, LOOSE = "logistic regression, C = 1", "C = 100"
METHODS = (OURS, HEAD, PLAIN, LOGISTIC, LOOSE)


class Method(NamedTuple):
    """A learner as meta-trained, and the held-out texts and names of their classes as it sees them."""

    learner: MetaLearner
    params: Params
    features: Tensor
    names: Tensor | None  # of each label, in their order; None where names are no examples


def recipe_of(
    name: str, width: int, *, named: bool = False
) -> tuple[LearnerSpec, LabelledSpec, TrainingSpec]:
    """A recipe's learner, its encoder looked up, its tasks, with names of classes or without, and its training."""
    (config,) = (recipe.config for recipe in RECIPES if recipe.name == name)
    assert isinstance(config.learner.network, EncoderSpec)
    assert isinstance(config.tasks, LabelledSpec)
    network = msgspec.structs.replace(config.learner.network, width=width)
    tasks = msgspec.structs.replace(config.tasks, class_names=named)
    return msgspec.structs.replace(config.learner, network=network), tasks, config.training


def words_in(labels: np.ndarray[Any, Any]) -> list[str]:
    """Of every label, in their order."""
    return [words_of(str(label)) for label in np.unique(labels)]


def names_of(task: Task, labels: np.ndarray[Any, Any], names: Tensor) -> Tensor:
    """The episode's own [N, F] of the features [n, F] of all labels' names."""
    _, first = np.unique(task.query_slots.numpy(), return_index=True)
    return names[np.searchsorted(np.unique(labels), labels[task.query.numpy()[first]])]


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


def data_of(inputs: Tensor, labels: np.ndarray[Any, Any]) -> LabelledData:
    """Features or tokens of texts, and behind them those of every label's name."""
    data = LabelledData.from_arrays(inputs[: len(labels)].numpy(), labels)
    names = inputs[len(labels) :]
    return replace(data, names=names, named=torch.ones(len(names)))


def tuned(
    encoder: TextEncoder, texts: list[str], labels: np.ndarray[Any, Any], mean: Tensor, *, named: bool
) -> tuple[TextEncoder, MetaLearner, Params, float]:
    """The encoder with what a job of `clinc-minilm-lora` learns, the learner on its features, and seconds of
    processor time."""
    spec, tasks, training = recipe_of("clinc-minilm-lora", encoder.width, named=named)
    assert isinstance(spec.network, EncoderSpec)
    data = data_of(encoder.tokens_of([*texts, *(words_in(labels) if named else ())], TOKENS_SHARE), labels)
    signature = _NAMED if named else _TEXTS
    learner = build_learner(spec, signature, mean=mean, encoder=encoder)
    began = time.process_time()
    params = trained(learner, tasks, data, training)
    seconds = time.process_time() - began
    differences = tuned_params(params)
    rest = {name: value for name, value in params.items() if name not in differences}
    weights = Tuning(encoder.module, spec.network).weights(differences)
    return encoder.tuned(weights), build_learner(spec, signature), rest, seconds


def methods_of(
    encoder: TextEncoder,
    intents: Intents,
    features: Tensor,
    seen: np.ndarray[Any, Any],
    names: Tensor | None,
    seed: int,
) -> tuple[dict[str, Method], Tensor, dict[str, float]]:
    """What is meta-trained on the intents that are `seen`, and the head that is not; the others' frozen features;
    and seconds of processor time by recipe. With `names` of the others' labels, all by the names of classes too.
    """
    named, mean, signature = names is not None, features[seen].mean(0), _TEXTS if names is None else _NAMED
    labels = intents.labels[seen]
    spec, tasks, training = recipe_of("clinc-minilm", encoder.width, named=named)
    head = build_learner(spec, signature, mean=mean)
    known = encoder.encode(words_in(labels)) if named else features[:0]
    began = time.process_time()
    head_params = trained(head, tasks, data_of(torch.cat([features[seen], known]), labels), training)
    seconds = {"clinc-minilm": time.process_time() - began}
    plain = build_learner(LearnerSpec(algorithm=AutoSpec(), network=_without_map(spec)), signature, mean=mean)
    plain_params = plain.init(torch.Generator().manual_seed(seed))
    texts = np.array(intents.texts, dtype=object)
    better, ours, our_params, seconds["clinc-minilm-lora"] = tuned(
        encoder, texts[seen].tolist(), labels, mean, named=named
    )
    held_out, our_held_out = features[~seen], features_of(better, texts[~seen].tolist())
    our_names = better.encode(words_in(intents.labels[~seen])) if named else None
    methods = {
        OURS: Method(ours, our_params, our_held_out, our_names),
        HEAD: Method(head, head_params, held_out, names),
        PLAIN: Method(plain, plain_params, held_out, names),
    }
    return methods, held_out, seconds


def _without_map(spec: LearnerSpec) -> EncoderSpec:
    assert isinstance(spec.network, EncoderSpec)
    return msgspec.structs.replace(spec.network, projection=0)


def answers_of(
    learner: MetaLearner, params: Params, features: Tensor, task: Task, names: Tensor | None = None
) -> Tensor:
    """The queries' slots [Q], by one adaptation; to `names` [N, F] of the classes too, for a learner of these."""
    ways = int(task.query_slots.max()) + 1
    support = SupportSet(
        features[task.support].unsqueeze(0),
        task.support_slots.unsqueeze(0),
        torch.ones(1, len(task.support)),
        torch.ones(1, ways),
    )
    if names is not None:
        support = with_names(support, names.unsqueeze(0), torch.ones(1, ways))
    adapted = adapt_batch(learner, params, support)
    logits = predict_batch(learner, params, adapted, features[task.query].unsqueeze(0))["logits"][0]
    return logits.argmax(-1)


def logistic_regression(features: Tensor, task: Task, penalty: float, names: Tensor | None = None) -> float:
    """scikit-learn's on the frozen features as they are, and on `names` [N, F] of the classes, in per cent."""
    from sklearn.linear_model import LogisticRegression

    given, slots = features[task.support], task.support_slots
    if names is not None:
        given, slots = torch.cat([names, given]), torch.cat([torch.arange(len(names)), slots])
    model = LogisticRegression(C=penalty, max_iter=1000)
    model.fit(given.numpy(), slots.numpy())
    answers = model.predict(features[task.query].numpy())
    return 100 * float((answers == task.query_slots.numpy()).mean())


def accuracy_of(answers: Tensor, task: Task) -> float:
    """In per cent."""
    return 100 * float((answers == task.query_slots).double().mean())


def compared(
    methods: dict[str, Method],
    frozen: Tensor,
    names: Tensor | None,
    labels: np.ndarray[Any, Any],
    tasks: list[Task],
    show: Callable[[Tensor, Task], None] = lambda _answers, _task: None,
) -> dict[str, list[float]]:
    """Every method's accuracy on each of the tasks, in per cent; all by the classes' `names`, if there are any.

    `frozen` features, and `names`, are what logistic regression is fitted to. `show` is called with our answers.
    """
    scores: dict[str, list[float]] = {name: [] for name in METHODS}
    for task in tasks:
        for name, method in methods.items():
            known = None if method.names is None else names_of(task, labels, method.names)
            answers = answers_of(method.learner, method.params, method.features, task, known)
            scores[name].append(accuracy_of(answers, task))
            if name == OURS:
                show(answers, task)
        known = None if names is None else names_of(task, labels, names)
        scores[LOGISTIC].append(logistic_regression(frozen, task, 1.0, known))
        scores[LOOSE].append(logistic_regression(frozen, task, 100.0, known))
    return scores
