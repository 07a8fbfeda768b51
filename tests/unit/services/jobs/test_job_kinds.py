"""Jobs of every kind of task become versions: letters in alphabets, policies, lifetimes."""

import io
import sys
from typing import Any

import numpy as np
import pytest
import torch

from models.build import build_policy_learner
from models.spec import BoxSpace
from services.jobs.states import JobState
from services.storage.manifest import decode_artifact
from tests.unit.services.jobs.conftest import Hand


def test_letters_in_alphabets_become_a_classifier(hand: Hand) -> None:
    file = io.BytesIO()
    targets = np.arange(8).repeat(3)
    images = np.random.default_rng(0).integers(0, 256, (len(targets), 16, 16), dtype=np.uint8)
    np.savez(file, inputs=images, targets=targets, tasks=np.array(["greek", "latin"])[targets % 2])
    dataset, _ = hand.bench.datasets.create("letters", "application/x-npz", file.getvalue())
    tasks = {"dataset": dataset.id, "n_way": 3, "n_query": 1, "within_task": True, "test_tasks": ["latin"]}
    ended = hand.carry(
        hand.bench.jobs.submit(
            {
                "model": "letters",
                "learner": {"algorithm": {"name": "protonet"}, "network": {"name": "conv4", "hidden": 8}},
                "tasks": tasks,
                "training": {"iterations": 2, "meta_batch_size": 2, "test_episodes": 3},
            }
        )
    )
    assert ended.status is JobState.SUCCEEDED, ended.error
    version = hand.bench.registry.resolve("letters")
    assert version.task == "classification"
    assert version.signature.inputs.example_shape == (16, 16, 1)
    assert 0.0 <= version.metrics["meta_test"]["accuracy"] <= 1.0


POLICY: dict[str, Any] = {
    "model": "walker",
    "learner": {"algorithm": {"name": "maml_policy"}, "network": {"name": "mlp", "hidden": [8]}},
    "tasks": {"family": "navigation", "n_trajectories": 2, "horizon": 5},
    "training": {"iterations": 3, "meta_batch_size": 2, "test_episodes": 2},
}


def test_a_policy_is_trained_saved_tested_and_published_like_everything_else(hand: Hand) -> None:
    ended = hand.carry(hand.bench.jobs.submit(POLICY))
    assert ended.status is JobState.SUCCEEDED, ended.error
    assert {"meta_loss", "return_step_0", "return_step_1"} <= ended.metrics.keys()
    assert hand.bench.jobs.checkpoints(ended.id)
    version = hand.bench.registry.resolve("walker")
    assert version.task == "policy"
    assert version.signature.actions == BoxSpace(shape=(2,), low=-0.1, high=0.1)
    assert {f"return_step_{n}" for n in range(4)} <= version.metrics["meta_test"].keys()
    manifest, params = decode_artifact(hand.bench.artifacts.read(version.artifact_sha256))
    learner = build_policy_learner(manifest.learner, manifest.signature)
    assert params.keys() == learner.init(torch.Generator()).keys()


def test_a_lifetime_is_a_job_as_well(hand: Hand) -> None:
    training = {"iterations": 4, "meta_batch_size": 1, "test_episodes": 2, "outer": {"name": "lifetime"}}
    ended = hand.carry(hand.bench.jobs.submit(POLICY | {"training": training}))
    assert ended.status is JobState.SUCCEEDED, ended.error
    assert {"return_step_0", "discount", "gae_lambda", "inner_lr"} <= ended.metrics.keys()
    assert hand.bench.registry.resolve("walker").task == "policy"


def test_an_environment_without_its_packages_is_told(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    monkeypatch.setitem(sys.modules, "gymnasium.vector", None)
    draft = {
        **POLICY,
        "tasks": {"family": "cheetah", "goal": "velocity", "n_trajectories": 2, "horizon": 200},
    }
    failed = hand.carry(hand.bench.jobs.submit(draft))
    assert failed.error is not None
    assert failed.error.code == "invalid_configuration"
    assert "install the extra `rl`" in failed.error.message
