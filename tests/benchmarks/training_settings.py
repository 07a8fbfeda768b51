"""What is meta-trained beside others, and how many times faster than each of them ours has to be."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from models.spec import Conv4Spec, LabelledSpec, LearnerSpec, MamlSpec, MlpSpec, SinusoidSpec
from models.tasks.labelled_data import LabelledData
from models.training.config import MetaTrainingConfig, TrainingSpec
from tests.benchmarks.maml_peers import Loss, conv4, mlp

ENDLESS = 10_000_000


@dataclass(frozen=True)
class Setting:
    """What is trained, by how many threads, and how many times faster than each peer ours has to be."""

    name: str
    config: MetaTrainingConfig
    data: LabelledData | None
    module: Callable[..., torch.nn.Module]
    loss: Loss
    threads: int
    seconds: float  # of a turn
    gates: dict[str, float]


def sinusoid() -> Setting:
    return Setting(
        name="sinusoid MAML, second order, 1-40-40-1, K = 10, 1 inner step",
        config=MetaTrainingConfig(
            learner=LearnerSpec(
                algorithm=MamlSpec(inner_steps=1, inner_lr=0.01), network=MlpSpec(hidden=(40, 40))
            ),
            tasks=SinusoidSpec(n_shot=10, n_query=10),
            training=TrainingSpec(iterations=ENDLESS),
        ),
        data=None,
        module=mlp,
        loss=functional.mse_loss,
        threads=1,
        seconds=2.0,
        gates={"torchopt": 20.0, "higher": 40.0},
    )


def omniglot(path: Path | None, threads: int) -> Setting:
    return Setting(
        name=f"{'Omniglot' if path else 'noise in its shape'}: conv4 MAML, second order, 5-way 1-shot, 1 step",
        config=MetaTrainingConfig(
            learner=LearnerSpec(algorithm=MamlSpec(inner_steps=1, inner_lr=0.4), network=Conv4Spec()),
            tasks=LabelledSpec(dataset="omniglot", n_way=5, n_shot=1, n_query=5),
            training=TrainingSpec(iterations=ENDLESS),
        ),
        data=images(path),
        module=conv4,
        loss=functional.cross_entropy,
        threads=threads,
        seconds=10.0,
        gates={"torchopt": 1.0, "higher": 1.0},
    )


def images(path: Path | None) -> LabelledData:
    """Omniglot's images from an npz with `images` and `labels`; noise of that shape without one."""
    if path is not None:
        with np.load(path) as archive:
            return LabelledData.from_arrays(archive["images"], archive["labels"])
    labels = np.arange(100).repeat(20)
    noise = np.random.default_rng(0).integers(0, 256, (len(labels), 28, 28), dtype=np.uint8)
    return LabelledData.from_arrays(noise, labels)
