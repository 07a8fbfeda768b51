"""Configurations of jobs in a line each, traits of datasets for them, and their check."""

from typing import Any

import msgspec

from models.spec import Signature
from models.training.config import MetaTrainingConfig
from services.jobs import suitability
from services.jobs.suitability import Traits

IMAGES = Traits(example_shape=(28, 28, 1), n_classes=100, n_tasks=10)
VECTORS = Traits(example_shape=(16,), n_classes=100, n_tasks=0)
MAX_STEP_BYTES = 64 << 30
SERIES = Traits(example_shape=(61, 40), n_classes=100, n_tasks=0)
CONV4, MLP = {"name": "conv4"}, {"name": "mlp"}
RESNET12, CONV1D, TRANSFORMER = ({"name": name} for name in ("resnet12", "conv1d", "series_transformer"))


def check(configured: MetaTrainingConfig, traits: Traits | None, prefix: str = "") -> Signature:
    return suitability.check(configured, traits, MAX_STEP_BYTES, prefix)


def sized(*class_sizes: tuple[int, int], n_tasks: int = 0) -> Traits:
    return Traits((16,), sum(count for _, count in class_sizes), n_tasks, class_sizes)


def config(
    network: dict[str, Any], tasks: dict[str, Any], algorithm: str = "protonet", **training: Any
) -> MetaTrainingConfig:
    plain = {
        "learner": {"algorithm": {"name": algorithm}, "network": network},
        "tasks": tasks,
        "training": training,
    }
    return msgspec.convert(plain, MetaTrainingConfig)


def labelled(**tasks: Any) -> dict[str, Any]:
    return {"family": "labelled", "dataset": "ds_1", **tasks}
