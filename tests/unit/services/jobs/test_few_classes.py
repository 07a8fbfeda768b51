"""A dataset of too few classes is refused with what would fit it."""

from typing import Any

import msgspec
import pytest

from models.training.config import MetaTrainingConfig
from services.errors import Invalid
from services.jobs.suitability import Traits, check


def refusal(classes: int, **tasks: Any) -> tuple[str, str]:
    plain = {
        "learner": {"algorithm": {"name": "protonet"}, "network": {"name": "conv4"}},
        "tasks": {"family": "labelled", "dataset": "ds_1", **tasks},
    }
    config = msgspec.convert(plain, MetaTrainingConfig)
    with pytest.raises(Invalid) as caught:
        check(config, Traits(example_shape=(28, 28, 1), n_classes=classes, n_tasks=0), 1 << 36)
    (fault,) = caught.value.faults
    return fault.pointer, fault.detail


@pytest.mark.parametrize(
    ("classes", "tasks", "pointer", "advice"),
    [
        (20, {"n_way": 20}, "/tasks/n_way", "has 20: set n_way to 10 at most"),
        (9, {"n_way": 5}, "/tasks/n_way", "has 9: set n_way to 4 at most"),
        (5, {"n_way": 5, "rotations": True}, "/tasks/n_way", "has 5: set n_way to 4 at most"),
        (10, {"n_way": 5, "train_ways": 60}, "/tasks/train_ways", "lower train_ways, or set it to null"),
        (8, {"n_way": 5, "train_ways": 60}, "/tasks/n_way", "set n_way to 4 at most and train_ways to null"),
        (8, {"min_way": 5, "max_way": 9}, "/tasks/min_way", "has 8: set min_way to 4 at most"),
        (2, {"n_way": 5}, "/tasks/dataset", "the family is grouped"),
    ],
)
def test_what_would_fit_is_said(classes: int, tasks: dict[str, Any], pointer: str, advice: str) -> None:
    place, detail = refusal(classes, **tasks)
    assert place == pointer
    assert advice in detail


def test_what_is_advised_is_taken() -> None:
    plain = {
        "learner": {"algorithm": {"name": "protonet"}, "network": {"name": "conv4"}},
        "tasks": {"family": "labelled", "dataset": "ds_1", "n_way": 4, "rotations": True},
    }
    traits = Traits(example_shape=(28, 28, 1), n_classes=5, n_tasks=0)
    assert check(msgspec.convert(plain, MetaTrainingConfig), traits, 1 << 36).is_image
