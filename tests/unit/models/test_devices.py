"""What learns and what is learned from lie on one device: no operation meets tensors of a device and of the CPU.

On a pretended device, so that it is found out without a GPU. The CPU computes, so answers are the CPU's own.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from models.algorithms.batched import adapt_batch, predict_batch
from models.build import build_family, build_learner
from models.episode import Episode, QuerySet, SupportSet
from models.functional import Params
from models.networks.kernels import Kernels
from models.spec import (
    AugmentSpec,
    CnpSpec,
    Conv4Spec,
    FunctionsSpec,
    LabelledSpec,
    LearnerSpec,
    LocalMatchingSpec,
    MlpSpec,
    ProtoNetSpec,
    ResNetMapsSpec,
    RidgeSpec,
    SinusoidSpec,
    TaskFamilySpec,
    max_ways_of,
    signature_of,
)
from models.tasks.examples import Pooled
from models.tasks.labelled_data import LabelledData
from models.tasks.whole import Whole
from models.training.checkpoint import decode_checkpoint, encode_checkpoint
from models.training.config import PretrainSpec, TrainingSpec
from models.training.examination import Examination
from models.training.meta_trainer import MetaTrainer
from models.training.outer_step import Layout, flatten, unflatten
from models.training.pretraining import pretrainer
from tests.every_learner import CASES, QUERIES, TASKS, drawn, learner_of
from tests.pretended_device import pretended_device

CPU = torch.device("cpu")


@pytest.mark.parametrize("case", CASES)
def test_a_learner_adapts_predicts_and_is_learned_where_its_tasks_are(case: str) -> None:
    learner, signature = learner_of(case)
    params = learner.init(torch.Generator().manual_seed(1))
    supports, queries = drawn(signature)
    layout = Layout(params)

    def found(device: torch.device) -> Params:
        support = SupportSet(*(part.to(device) for part in supports))
        here = {name: value.to(device) for name, value in params.items()}
        query = queries.to(device)
        adapted = adapt_batch(learner, here, support)
        outputs = predict_batch(learner, here, adapted, query)
        targets = support.targets[:, :QUERIES]
        batch = Episode(support, QuerySet(query, targets, torch.ones(TASKS, QUERIES, device=device)))
        vector = layout.pack(params).to(device).requires_grad_()

        def loss(*parts: torch.Tensor) -> torch.Tensor:
            return learner.meta_loss(layout.unpack(vector), unflatten(parts))[0]

        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(torch.vmap(loss)(*flatten(batch)).mean(), vector)
        everything = {**adapted, **outputs, "gradient": gradient}
        assert {value.device for value in everything.values()} == {here[next(iter(here))].device}
        return {name: value.cpu() for name, value in everything.items()}

    with pretended_device() as device:
        there = found(device)
    torch.testing.assert_close(there, found(CPU), rtol=1e-4, atol=1e-4)


def _pictures() -> LabelledData:
    pictures = np.random.default_rng(0).integers(0, 255, (60, 16, 16), dtype=np.uint8)
    return LabelledData.from_arrays(pictures, np.arange(10).repeat(6), np.arange(60) // 30)


def _vectors() -> LabelledData:
    vectors = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    return LabelledData.from_arrays(vectors, np.arange(10).repeat(6))


def _named() -> LabelledData:
    names = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
    return replace(_vectors(), names=names, named=(torch.arange(10) != 2).float())


WARPS = AugmentSpec(shift=0.1, rotate=20.0, scale=0.2, shear=0.2, elastic=0.05, stroke=0.5, flip=True)
DATA: dict[str, tuple[dict[str, Any], Callable[[], LabelledData]]] = {
    "pictures": ({}, _pictures),
    "warped": ({"augment": WARPS, "task_augment": WARPS}, _pictures),
    "turned": ({"rotations": True, "turns_apart": True, "within_task": True, "n_way": 2}, _pictures),
    "invented": ({"invented": 0.9}, _pictures),
    "of many ways": ({"train_ways": 5}, _pictures),
    "varied": ({"min_way": 2, "max_way": 4, "min_shot": 1, "max_shot": 3}, _vectors),
    "dropout": ({"dropout": 0.5}, _vectors),
    "named classes": ({"class_names": True, "dropout": 0.5}, _named),
    "named classes, varied": ({"class_names": True, "max_way": 4, "max_shot": 3}, _named),
}


@pytest.mark.parametrize("case", DATA)
def test_episodes_are_made_where_the_data_are(case: str) -> None:
    fields, data_of = DATA[case]
    plain = {"dataset": "some", "n_way": 3, "n_shot": 2, "n_query": 2, "test_fraction": 0.5}
    spec, data = LabelledSpec(**{**plain, **fields}), data_of()

    def found(device: torch.device) -> list[torch.Tensor]:
        there = data.to(device)
        family, whole = build_family(spec, there), Whole(spec, there)
        generator = torch.Generator().manual_seed(0)
        pooled = Pooled(family, 8, lambda episode: episode)
        batches = [
            family.sample(generator, 3, "train"),
            family.sample(generator, 3, "test"),
            whole.sample(generator, 3, "test"),
            pooled.sample(generator, 2),
        ]
        parts = [part for batch in batches for part in flatten(batch)]
        assert {part.device for part in parts} == {there.inputs.device}
        return [part.cpu() for part in parts]

    with pretended_device() as device:
        there = found(device)
    torch.testing.assert_close(there, found(CPU), rtol=1e-4, atol=1e-4)


FEATURES = MlpSpec(hidden=(8,))
TRAININGS: dict[str, tuple[LearnerSpec, TaskFamilySpec, TrainingSpec]] = {
    "sinusoids": (
        LearnerSpec(algorithm=RidgeSpec(), network=FEATURES, normalise=True),
        SinusoidSpec(n_shot=4, n_query=4),
        TrainingSpec(iterations=3, meta_batch_size=2, optimizer="muon", schedule="cosine"),
    ),
    "functions": (
        LearnerSpec(algorithm=CnpSpec(representation=4), network=FEATURES),
        FunctionsSpec(max_shot=4, n_query=4),
        TrainingSpec(iterations=3, meta_batch_size=2, pretrain=PretrainSpec(iterations=1)),
    ),
    "pictures": (
        LearnerSpec(algorithm=ProtoNetSpec(), network=Conv4Spec(hidden=4)),
        LabelledSpec(dataset="some", n_way=3, n_query=2, test_fraction=0.5, augment=WARPS),
        TrainingSpec(iterations=3, meta_batch_size=2, pretrain=PretrainSpec(iterations=1)),
    ),
    "pictures in bfloat16": (
        LearnerSpec(
            algorithm=LocalMatchingSpec(max_support=3), network=ResNetMapsSpec(width=8, centred=True), turns=2
        ),
        LabelledSpec(dataset="some", n_way=3, n_query=2, test_fraction=0.5, invented=0.5),
        TrainingSpec(iterations=3, meta_batch_size=2, precision="bfloat16"),
    ),
}


@pytest.mark.parametrize("case", TRAININGS)
def test_a_run_is_trained_stopped_resumed_and_tested_on_a_device(case: str) -> None:
    spec, tasks, training = TRAININGS[case]
    data = _pictures() if isinstance(tasks, LabelledSpec) else None
    signature = signature_of(tasks, data.wire_shape if data else None)
    max_ways = max_ways_of(spec, tasks)
    kernels = Kernels(backbone=training.precision)

    def scores(device: torch.device) -> dict[str, float]:
        family = build_family(tasks, data.to(device) if data else None)
        learner = build_learner(spec, signature, max_ways, kernels)
        runs = [MetaTrainer(training, family, learner, device) for _ in range(2)]
        if training.pretrain is not None:
            before = pretrainer(training, spec, signature, learner, family, device)
            assert before is not None
            before.run(1)
            assert runs[0].start_from(before.meta_params)
        runs[0].run(2)
        runs[1].restore(decode_checkpoint(encode_checkpoint(runs[0].state())))
        told = runs[1].run(1)
        params = runs[1].meta_params
        assert {value.device for value in params.values()} == {CPU}
        examination = Examination(
            spec, signature, max_ways, params, family, episodes=3, seed=0, shots=(1,), device=device
        )
        while not examination.finished:
            examination.advance(lambda _: None)
        return {**told, "loss at last": examination.report()["loss"]}

    with pretended_device() as device:
        there = scores(device)
    assert there == pytest.approx(scores(CPU), rel=1e-2)
