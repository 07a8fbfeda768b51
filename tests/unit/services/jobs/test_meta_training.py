"""What a configuration says of optimizer and rounding reaches the training, and no further."""

from pathlib import Path

import pytest
import torch

from models.build import build_family
from models.networks.kernels import InBfloat16
from models.programs.folder import ProgramFolder
from models.spec import (
    Conv4Spec,
    LabelledSpec,
    LearnerSpec,
    LocalMatchingSpec,
    ProtoNetSpec,
    ResNetMapsSpec,
    signature_of,
)
from models.tasks.labelled_data import LabelledData
from models.training.config import MetaTrainingConfig, TrainingSpec
from services.jobs.meta_training import MetaTraining


def test_a_run_by_muon_begins_and_goes_on_from_its_checkpoint_to_the_same_bytes(tmp_path: Path) -> None:
    images = torch.rand(60, 16, 16, 1, generator=torch.Generator().manual_seed(0))
    data = LabelledData.from_arrays(images.numpy(), (torch.arange(60) % 12).numpy(), None)
    tasks = LabelledSpec(dataset="", n_way=2, n_query=2, test_fraction=0.5)
    config = MetaTrainingConfig(
        learner=LearnerSpec(
            algorithm=LocalMatchingSpec(max_support=4), network=ResNetMapsSpec(width=4), turns=4
        ),
        tasks=tasks,
        training=TrainingSpec(
            iterations=12, meta_batch_size=1, schedule="cosine", optimizer="muon", precision="bfloat16"
        ),
    )

    def begun() -> MetaTraining:
        signature, programs = signature_of(tasks, data.wire_shape), ProgramFolder(tmp_path, "none")
        return MetaTraining(config, signature, build_family(tasks, data), torch.device("cpu"), programs)

    whole, cut, resumed = begun(), begun(), begun()
    assert whole.ready()
    whole.run(12)
    cut.run(5)
    resumed.restore(cut.checkpoint())
    resumed.run(7)
    assert resumed.finished
    assert resumed.checkpoint() == whole.checkpoint()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_network_is_rounded_while_it_is_trained_and_scored_as_it_is(precision: str) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(60, 16, 16, 1, generator=generator)
    data = LabelledData.from_arrays(images.numpy(), (torch.arange(60) % 12).numpy(), None)
    tasks = LabelledSpec(dataset="", n_way=2, n_query=2, test_fraction=0.5)
    config = MetaTrainingConfig(
        learner=LearnerSpec(algorithm=ProtoNetSpec(), network=Conv4Spec(hidden=4)),
        tasks=tasks,
        training=TrainingSpec(iterations=2, meta_batch_size=2, test_episodes=4, precision=precision),
    )
    signature = signature_of(tasks, data.wire_shape)
    training = MetaTraining(config, signature, build_family(tasks, data), torch.device("cpu"))
    learner = training.phases.trainer.learner
    assert isinstance(learner.backbone, InBfloat16) == (precision == "bfloat16")
    training.run(2)
    params = training.phases.meta_params
    assert all(value.dtype == torch.float32 for value in params.values())
    scores = training.meta_test(lambda: None)["meta_test"]
    exact = MetaTraining(
        MetaTrainingConfig(learner=config.learner, tasks=tasks, training=TrainingSpec(test_episodes=4)),
        signature,
        build_family(tasks, data),
        torch.device("cpu"),
    )
    exact.phases.trainer.start_from(params)
    assert exact.meta_test(lambda: None)["meta_test"] == scores
