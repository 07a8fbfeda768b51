"""What a step is made of, and the plan that a configuration so declares: the same wherever it is asked."""

import msgspec
import pytest
import torch

from models.build import build_family, build_learner
from models.spec import (
    Conv4Spec,
    LabelledSpec,
    LearnerSpec,
    MamlSpec,
    ProtoNetSpec,
    signature_of,
)
from models.tasks.labelled_data import LabelledData
from models.training.checkpoint import encode_checkpoint
from models.training.config import TrainingSpec
from models.training.meta_trainer import MetaTrainer
from models.training.plan_policy import Work, declared
from models.training.recipes import RECIPES
from models.training.weighing import weigh
from tests.unit.models.training.conftest import MakeTrainer

CONFIGS = {recipe.name: recipe.config for recipe in RECIPES}


PAIRS = TrainingSpec(meta_batch_size=2)


def images(algorithm: MamlSpec | ProtoNetSpec, training: TrainingSpec = PAIRS) -> MetaTrainer:
    inputs = torch.randint(256, (40, 16, 16), generator=torch.Generator().manual_seed(0)).byte()
    data = LabelledData.from_arrays(inputs.numpy(), torch.arange(10).repeat_interleave(4).numpy())
    tasks = LabelledSpec(dataset="", n_way=3, n_query=2)
    spec = LearnerSpec(algorithm=algorithm, network=Conv4Spec(hidden=4))
    learner = build_learner(spec, signature_of(tasks, data.wire_shape), 3)
    return MetaTrainer(training, build_family(tasks, data), learner)


def test_a_step_is_counted_and_changes_nothing(make_trainer: MakeTrainer) -> None:
    trainer, never_weighed = make_trainer(), make_trainer()
    work = weigh(trainer)
    assert work == weigh(make_trainer())
    assert not work.grouped
    assert min(work[:3]) > 0
    trainer.run(3)
    never_weighed.run(3)
    assert encode_checkpoint(trainer.state()) == encode_checkpoint(never_weighed.state())
    larger = weigh(make_trainer(msgspec.structs.replace(trainer.training, meta_batch_size=8)))
    assert larger.kernels == work.kernels
    assert larger.multiply_adds > 1.5 * work.multiply_adds


@pytest.mark.parametrize(("algorithm", "plan"), [(MamlSpec(), "loop"), (ProtoNetSpec(), "vmap")])
def test_convolutions_of_their_own_for_every_task_go_one_by_one(
    algorithm: MamlSpec | ProtoNetSpec, plan: str
) -> None:
    assert declared(weigh(images(algorithm)), 100) == plan


@pytest.mark.parametrize(
    ("name", "plan"),
    [("sinusoid-maml", "vmap"), ("sinusoid-maml-paper", "compiled"), ("sinusoid-ridge", "vmap")],
)
def test_long_trainings_are_compiled_and_short_ones_are_not(name: str, plan: str) -> None:
    config = CONFIGS[name]
    learner = build_learner(config.learner, signature_of(config.tasks))
    trainer = MetaTrainer(config.training, build_family(config.tasks), learner)
    assert declared(weigh(trainer), config.training.iterations) == plan


def test_a_step_by_muon_is_weighed_with_its_own_products() -> None:
    adam, muon = (
        weigh(images(ProtoNetSpec(), TrainingSpec(meta_batch_size=2, optimizer=name)))
        for name in ("adam", "muon")
    )
    assert muon.kernels > adam.kernels
    assert muon.multiply_adds > adam.multiply_adds


def test_arithmetic_is_not_compiled_away() -> None:
    calls = Work(kernels=400, multiply_adds=1000, numbers=1000, grouped=False)
    assert declared(calls, 1_000_000) == "compiled"
    assert declared(calls._replace(multiply_adds=10**10), 1_000_000) == "vmap"
    assert declared(calls._replace(kernels=6000), 1_000_000) == "vmap"
