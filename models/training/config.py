"""A meta-training job's whole configuration: plain data, stored with the job and with what it makes. No torch."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from models.spec import LearnerSpec, OuterSpec, TaskFamilySpec

OptimizerName = Literal["adam", "muon"]
PrecisionName = Literal["float32", "bfloat16"]


class PretrainSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Supervised training before the outer loop: one network on all classes, or on all tasks, together.

    Adam at the rate `lr` on batches of `batch_size` examples of the meta-training side; those of tasks whose
    episodes are drawn whole are rounded to whole episodes.
    """

    iterations: Annotated[int, Meta(ge=1, le=10_000_000)] = 1000
    batch_size: Annotated[int, Meta(ge=1, le=65_536)] = 64
    lr: Annotated[float, Meta(gt=0.0, le=1.0)] = 1e-3


class TrainingSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The outer loop. `meta_lr` is the optimizer's rate; `schedule` says how it runs over the iterations.

    By `muon` networks' weights move by orthogonal matrices (Jordan et al. 2024), everything else by Adam as ever;
    policies, prior-fitted networks and encoders know Adam alone. `precision` is what a network of images is rounded
    to while it is meta-trained by an algorithm that takes no gradient steps; parameters, their updates and every
    answer are float32.

    `clip_norm` bounds the norm of the meta-gradient; `test_episodes` is the size of the meta-test, in tasks for
    policies. `outer` is how a policy takes its outer steps (None: PPO); nothing else has a choice. With `pretrain`
    there are three phases: initialise, pretrain, meta-train; each is scored on the meta-test's episodes.
    """

    iterations: Annotated[int, Meta(ge=1, le=10_000_000)] = 10_000
    meta_batch_size: Annotated[int, Meta(ge=1, le=4096)] = 25
    meta_lr: Annotated[float, Meta(gt=0.0, le=1.0)] = 1e-3
    schedule: Literal["constant", "cosine"] = "constant"
    optimizer: OptimizerName = "adam"
    precision: PrecisionName = "float32"
    clip_norm: Annotated[float, Meta(gt=0.0, le=1e6)] = 10.0
    seed: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    test_episodes: Annotated[int, Meta(ge=1, le=10_000)] = 600
    outer: OuterSpec | None = None
    pretrain: PretrainSpec | None = None

    @property
    def all_iterations(self) -> int:
        """Those of every phase."""
        return self.iterations + (self.pretrain.iterations if self.pretrain else 0)


class MetaTrainingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to learn (`learner`), from which tasks (`tasks`), and how (`training`)."""

    learner: LearnerSpec
    tasks: TaskFamilySpec
    training: TrainingSpec = TrainingSpec()
