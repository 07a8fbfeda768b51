"""Stand-ins that tests hand to services in place of the real thing."""

from datetime import UTC, datetime, timedelta

import numpy as np

from models.spec import LearnerSpec, MlpSpec, RidgeSpec, Signature, TensorSpec
from services.storage.manifest import Manifest, encode_artifact


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self.present = now

    def now(self) -> datetime:
        return self.present

    def advance(self, seconds: float) -> datetime:
        self.present += timedelta(seconds=seconds)
        return self.present


def artifact_file(weight: float = 0.5) -> bytes:
    """A model version's file as small as they come; another `weight` makes another file."""
    manifest = Manifest(
        learner=LearnerSpec(algorithm=RidgeSpec(), network=MlpSpec(hidden=(4,))),
        signature=Signature(
            inputs=TensorSpec(datatype="FP32", shape=(-1, 1)),
            targets=TensorSpec(datatype="FP32", shape=(-1, 1)),
        ),
        training={"job": "job_1", "iterations": 10},
        metrics={"meta_test": {"loss": 0.25}},
    )
    return encode_artifact({"weight": np.full(2, weight, dtype=np.float32)}, manifest)
