"""Jobs of every kind of data and encoder, from a worker's preparation to an evaluation. Knows no queue."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import torch

from models.encoders.folder import read_folder
from models.encoders.text import TextEncoder
from models.spec import (
    AutoSpec,
    Conv1dSpec,
    EncoderSpec,
    GroupedSpec,
    LabelledSpec,
    LearnerSpec,
    MlpSpec,
    PriorFittedSpec,
    ProtoNetSpec,
    RidgeSpec,
    RowTransformerSpec,
    SequencesSpec,
    SeriesTransformerSpec,
    TablesSpec,
    TaskFamilySpec,
)
from models.tasks.grouped_data import GroupedData
from models.tasks.labelled_data import LabelledData
from models.training.config import MetaTrainingConfig, TrainingSpec
from services.jobs.evaluation import prepare_evaluation
from services.jobs.evaluation_config import EvaluationConfig
from services.jobs.preparation import prepare
from services.jobs.settings import WorkerSettings
from tests.small_encoders import WIDTH, WORDS, text_encoder

SHORT = TrainingSpec(iterations=2, meta_batch_size=3, test_episodes=4)
TEXTS = [f"{word} {other}" for word in WORDS for other in WORDS]
TEXT_LABELS = np.arange(len(WORDS)).repeat(len(WORDS))
CLASSES = LabelledSpec(dataset="some", n_way=3, n_shot=2, n_query=2, test_fraction=0.4)
NAMED = msgspec.structs.replace(CLASSES, class_names=True)
Data = LabelledData | GroupedData | None


def _series(_: TextEncoder) -> Data:
    labels = np.arange(10).repeat(8)
    waves = np.sin(
        (0.1 + 0.1 * labels[:, None, None]) * np.arange(16)[None, :, None] + np.arange(80)[:, None, None]
    )
    return LabelledData.from_arrays(waves.astype(np.float32), labels)


def _groups(_: TextEncoder) -> Data:
    generator = np.random.default_rng(0)
    inputs, groups = generator.normal(size=(120, 2)), np.arange(12).repeat(10)
    return GroupedData.from_arrays(inputs, inputs @ [1.0, 2.0] + groups, groups)


def _features(encoder: TextEncoder) -> LabelledData:
    return LabelledData.from_arrays(encoder.encode(TEXTS).numpy(), TEXT_LABELS)


def _tokens(encoder: TextEncoder) -> Data:
    return LabelledData.from_arrays(encoder.tokens_of(TEXTS, 1.0).numpy(), TEXT_LABELS)


def _named_features(encoder: TextEncoder) -> Data:
    return replace(
        _features(encoder), names=encoder.encode(WORDS), named=torch.ones(len(WORDS)), encoded_shape=()
    )


def _named_tokens(encoder: TextEncoder) -> Data:
    tokens = encoder.tokens_of([*TEXTS, *WORDS], 1.0)
    data = LabelledData.from_arrays(tokens[: len(TEXTS)].numpy(), TEXT_LABELS)
    return replace(data, names=tokens[len(TEXTS) :], named=torch.ones(len(WORDS)), encoded_shape=())


def _nothing(_: TextEncoder) -> Data:
    return None


def _encoded(tuning: str) -> LearnerSpec:
    network = msgspec.convert(
        {"name": "encoder", "encoder": "some", "width": WIDTH, "projection": WIDTH, "tuning": tuning},
        EncoderSpec,
    )
    return LearnerSpec(algorithm=AutoSpec(), network=network)


CASES: dict[str, tuple[LearnerSpec, TaskFamilySpec, Callable[[TextEncoder], Data]]] = {
    "frozen encoder": (_encoded("none"), CLASSES, _features),
    "lora": (_encoded("lora"), CLASSES, _tokens),
    "layer norms": (_encoded("layer_norm"), CLASSES, _tokens),
    "frozen encoder, named classes": (_encoded("none"), NAMED, _named_features),
    "lora, named classes": (_encoded("lora"), NAMED, _named_tokens),
    "series": (
        LearnerSpec(algorithm=ProtoNetSpec(), network=Conv1dSpec(hidden=8, blocks=2)),
        CLASSES,
        _series,
    ),
    "series transformer": (
        LearnerSpec(algorithm=ProtoNetSpec(), network=SeriesTransformerSpec(hidden=16)),
        CLASSES,
        _series,
    ),
    "groups": (
        LearnerSpec(algorithm=RidgeSpec(), network=MlpSpec(hidden=(8,))),
        GroupedSpec(dataset="some", max_shot=4, n_query=4),
        _groups,
    ),
    "sequences": (
        LearnerSpec(algorithm=RidgeSpec(), network=MlpSpec(hidden=(8,))),
        SequencesSpec(dataset="some", max_shot=4, n_query=4),
        _groups,
    ),
    "tables": (
        LearnerSpec(
            algorithm=PriorFittedSpec(), network=RowTransformerSpec(width=16, layers=2, heads=2, rows=16)
        ),
        TablesSpec(columns=4, classes=3, max_shot=8, n_query=8),
        _nothing,
    ),
}


def told(case: str, device: str, folder: Path) -> dict[str, float]:
    """What a job that was stopped once, its meta-test and an evaluation of its version say.

    `folder` becomes its encoder's. On a device of any type that torch knows, also one that no setting names.
    """
    learner, tasks, data_by = CASES[case]
    encoder = TextEncoder(read_folder(text_encoder(folder)), torch.device(device))
    plain = msgspec.to_builtins(MetaTrainingConfig(learner=learner, tasks=tasks, training=SHORT))
    settings = WorkerSettings.model_construct(worker_device=device, worker_threads=1)  # type: ignore[arg-type]
    given = (partial(_given, data_by(encoder)), settings)
    first, run = (prepare(plain, *given, encoder_of=lambda *_: encoder) for _ in range(2))
    assert run.device.type == device
    first.run(1)
    run.restore(first.checkpoint())
    metrics = run.run(SHORT.iterations - 1)
    scores = run.meta_test(lambda: None)["meta_test"]
    evaluation = EvaluationConfig(
        model="some", version=1, episodes=4, seed=1, shots=(1,), whole=False, tasks=tasks
    )
    examination = prepare_evaluation(
        msgspec.to_builtins(evaluation), run.artifact({}, {}), *given, encoder_of=lambda *_: encoder
    )
    while not examination.finished:
        examination.advance(lambda _: None)
    found = {name: value for name, value in examination.report().items() if isinstance(value, float)}
    return {**metrics, **{f"test_{name}": value for name, value in scores.items()}, **found}


def _given(data: Data, *_: object) -> Data:
    return data
