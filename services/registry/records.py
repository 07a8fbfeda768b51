"""What the registry tells: models, their versions, their aliases. Plain values; no row, no wire type."""

from datetime import datetime
from typing import Any

import msgspec

from models.spec import LearnerSpec, Signature, Task


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable set of weights. `max_ways` is the most classes of one task, None where unbounded."""

    model: str
    version: int
    aliases: tuple[str, ...]
    signature: Signature
    learner: LearnerSpec
    max_ways: int | None
    training: dict[str, Any]
    metrics: dict[str, Any]
    artifact_sha256: str
    artifact_bytes: int
    created_at: datetime

    @property
    def task(self) -> Task:
        return self.signature.task


class StagedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was read and stored, and that no version names yet."""

    artifact_sha256: str
    signature: Signature
    learner: LearnerSpec
    max_ways: int | None


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A name; `latest_version` is None once every version was deleted; `aliases` maps each to its version."""

    name: str
    latest_version: int | None
    aliases: dict[str, int]
    created_at: datetime


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """A movable name for a version. `revision` counts its moves, never comes twice, and is what If-Match means."""

    model: str
    alias: str
    version: int
    revision: int
    created_at: datetime
    updated_at: datetime
