"""Descriptions: what is read back, what is refused, and which options a caller may set."""

import subprocess
import sys

import msgspec
import pytest

from models.spec import (
    AlgorithmSpec,
    CaviaSpec,
    ImamlSpec,
    InvalidOption,
    LearnerSpec,
    MamlSpec,
    ProtoNetSpec,
    RidgeSpec,
    TaskFamilySpec,
    with_options,
)
from models.training.config import MetaTrainingConfig

WHOLE = b"""
{"learner": {"algorithm": {"name": "protonet"}, "network": {"name": "conv4", "hidden": 64}},
 "tasks": {"family": "labelled", "dataset": "ds_1", "n_way": 20, "n_shot": 1, "n_query": 5},
 "training": {"iterations": 2000, "meta_batch_size": 4, "meta_lr": 0.001, "seed": 0}}
"""


def test_a_configuration_survives_the_round_trip() -> None:
    config = msgspec.json.decode(WHOLE, type=MetaTrainingConfig)
    assert msgspec.json.decode(msgspec.json.encode(config), type=MetaTrainingConfig) == config
    assert config.training.clip_norm == 10


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (LearnerSpec, b'{"algorithm": {"name": "maml", "steps": 3}, "network": {"name": "mlp"}}'),
        (LearnerSpec, b'{"algorithm": {"name": "ridge", "components": 0}, "network": {"name": "mlp"}}'),
        (LearnerSpec, b'{"algorithm": {"name": "protonet"}, "network": {"name": "conv4", "hidden": 12}}'),
        (TaskFamilySpec, b'{"family": "functions", "kinds": []}'),
        (TaskFamilySpec, b'{"family": "functions", "kinds": ["circle"]}'),
    ],
)
def test_what_means_nothing_is_refused(kind: type, text: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=kind)


def test_options_take_the_place_of_the_trained_values() -> None:
    assert with_options(MamlSpec(), {"inner_steps": 5, "inner_lr": 0.1}) == MamlSpec(
        inner_steps=5, inner_lr=0.1
    )
    assert with_options(ImamlSpec(), {"proximity": 0.5}) == ImamlSpec(proximity=0.5)
    assert with_options(RidgeSpec(components=3), {}) == RidgeSpec(components=3)


@pytest.mark.parametrize(
    ("algorithm", "options", "option"),
    [
        (MamlSpec(), {"first_order": True}, "first_order"),
        (MamlSpec(), {"inner_steps": -1}, "inner_steps"),
        (MamlSpec(), {"inner_steps": 2.5}, "inner_steps"),
        (MamlSpec(), {"inner_lr": "fast"}, "inner_lr"),
        (MamlSpec(), {"learned_rates": "per_step"}, "learned_rates"),
        (ImamlSpec(), {"proximity": 0.0}, "proximity"),
        (CaviaSpec(), {"context": 3}, "context"),
        (ProtoNetSpec(), {"inner_steps": 1}, "inner_steps"),
        (RidgeSpec(), {"components": 2}, "components"),
    ],
)
def test_other_options_are_refused_by_name(
    algorithm: AlgorithmSpec, options: dict[str, object], option: str
) -> None:
    with pytest.raises(InvalidOption) as caught:
        with_options(algorithm, options)
    assert caught.value.option == option


def test_descriptions_and_recipes_need_no_torch() -> None:
    modules = "models.spec, models.training.config, models.training.recipes"
    probe = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0
