"""Every table of the service, once. Rows never leave `services`: repositories turn them into records."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """A timezone-aware moment; SQLite forgets the zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Digest(TypeDecorator[str]):
    """A sha256 as its 32 bytes; 64 hexadecimal digits everywhere else."""

    impl = LargeBinary(32)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        return None if value is None else bytes.fromhex(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else value.hex()


class Row(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        datetime: UtcDateTime,
        dict[str, Any]: JSON(none_as_null=True),
        list[Any]: JSON(none_as_null=True),
    }


_EXPIRES = text("expires_at IS NOT NULL")


def table_of(kind: type[Row]) -> Table:
    """The table behind a mapped class, for statements that go around the mapping."""
    assert isinstance(kind.__table__, Table)
    return kind.__table__


class ModelRow(Row):
    """A name under which versions are registered."""

    __tablename__ = "models"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    created_at: Mapped[datetime]
    last_version: Mapped[int]  # versions count upwards and are never reused, not even after a delete
    # Moves of the aliases that were deleted: one that is made anew counts on from them, so that no ETag returns.
    retired_revisions: Mapped[int] = mapped_column(default=0, server_default="0")


class ModelVersionRow(Row):
    """One immutable set of weights. `manifest` is the file's own: learner, signature, training, metrics."""

    __tablename__ = "model_versions"

    model: Mapped[str] = mapped_column(ForeignKey("models.name", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    artifact_sha256: Mapped[str] = mapped_column(String(64), index=True)
    artifact_bytes: Mapped[int] = mapped_column(BigInteger)
    manifest: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    token: Mapped[str | None] = mapped_column(String(26), unique=True)  # of the request that imported it


class AliasRow(Row):
    """A movable name for a version; `revision` counts its moves and is its ETag."""

    __tablename__ = "aliases"
    __table_args__ = (
        ForeignKeyConstraint(["model", "version"], ["model_versions.model", "model_versions.version"]),
    )

    model: Mapped[str] = mapped_column(String(128), primary_key=True)
    alias: Mapped[str] = mapped_column(String(128), primary_key=True)
    version: Mapped[int]
    revision: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ParamsHeaderRow(Row):
    """Names and shapes of adapted parameters: the first bytes of their files, equal for all of one base.

    Found by their sha256, for they may be longer than what an index takes.
    """

    __tablename__ = "params_headers"

    id: Mapped[int] = mapped_column(primary_key=True)
    header: Mapped[bytes]
    digest: Mapped[str] = mapped_column(Digest, unique=True)


class AdaptedParamsRow(Row):
    """Adapted parameters by the sha256 of their bytes (safetensors): equal adaptations are stored once.

    There may be millions, so a digest is its bytes here, and not their digits.
    """

    __tablename__ = "adapted_params"

    digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    header_id: Mapped[int] = mapped_column(ForeignKey("params_headers.id"))
    numbers: Mapped[bytes]


class AdaptationRow(Row):
    """The record of one act of adapting; `classes` holds the caller's own labels, in slot order.

    `n_columns` is how many its table has, null for models that leave no choice.

    Ids sort by the time they were made, so they are the order of lists: an index on a moment would say it twice.
    """

    __tablename__ = "adaptations"
    __table_args__ = (
        ForeignKeyConstraint(["model", "version"], ["model_versions.model", "model_versions.version"]),
        Index(None, "model", "id"),
        # Most never expire.
        Index(None, "expires_at", sqlite_where=_EXPIRES, postgresql_where=_EXPIRES),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    model: Mapped[str] = mapped_column(String(128))
    version: Mapped[int]
    digest: Mapped[str] = mapped_column(Digest, ForeignKey("adapted_params.digest"), index=True)
    task: Mapped[str] = mapped_column(String(32))
    classes: Mapped[list[Any] | None]
    n_support: Mapped[int]
    n_columns: Mapped[int | None]
    support_loss: Mapped[float]
    options: Mapped[dict[str, Any]]
    caller_metadata: Mapped[dict[str, Any]]
    revision: Mapped[int]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    escalation: Mapped[dict[str, Any] | None]


class DatasetRow(Row):
    """An uploaded dataset; `artifact_sha256` names the normalised npz, `source_sha256` the bytes as uploaded.

    `source_key` is the digest of those bytes with their media type and column names: what makes two uploads equal.
    """

    __tablename__ = "datasets"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    source_sha256: Mapped[str] = mapped_column(String(64))
    source_key: Mapped[str] = mapped_column(String(64), unique=True)
    source_bytes: Mapped[int] = mapped_column(BigInteger)
    artifact_sha256: Mapped[str] = mapped_column(String(64))
    summary: Mapped[dict[str, Any]]  # kind, n_examples, n_classes, n_tasks, signature
    created_at: Mapped[datetime]


class JobRow(Row):
    """Background work as its caller sees it. The job engine carries it; this row is what is true."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    type: Mapped[str] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(16), index=True)
    model: Mapped[str] = mapped_column(String(128))
    config: Mapped[dict[str, Any]]
    publish: Mapped[dict[str, Any]]
    progress: Mapped[dict[str, Any]]
    metrics: Mapped[dict[str, Any]]
    result: Mapped[dict[str, Any] | None]
    error: Mapped[dict[str, Any] | None]
    attempts: Mapped[int]
    worker: Mapped[str | None] = mapped_column(
        String(128), index=True
    )  # who runs it now; no one else may write
    turn: Mapped[int]  # how often it was put into the queue; names the workflow that carries it
    losses: Mapped[int]  # how many workers died while running it, since its last checkpoint
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class JobEventRow(Row):
    """One event of a job; `sequence` rises by one within the job and never changes."""

    __tablename__ = "job_events"

    job: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    type: Mapped[str] = mapped_column(String(16))
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class CheckpointRow(Row):
    """Resumable training state at an iteration; the file is an artifact. Never served as a model."""

    __tablename__ = "checkpoints"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    iteration: Mapped[int]
    artifact_sha256: Mapped[str] = mapped_column(String(64))
    artifact_bytes: Mapped[int] = mapped_column(BigInteger)
    metrics: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]

    __table_args__ = (Index(None, "job", "iteration", unique=True),)


class WorkerRow(Row):
    """A worker process's sign of life, so that jobs of a dead one can go on elsewhere."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    started_at: Mapped[datetime]
    beat_at: Mapped[datetime] = mapped_column(index=True)


class ApiKeyRow(Row):
    """A key's sha256; the key itself is shown once and never stored."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    key_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class IdempotencyKeyRow(Row):
    """One use of an Idempotency-Key.

    `resource_token` becomes the random part of the id of whatever the request makes, so that a repeat after a
    crash between the work and the answer finds the thing instead of making another. `status` is null while the
    first request is still under way; `leased_until` frees the key where that request died.
    """

    __tablename__ = "idempotency_keys"

    principal: Mapped[str] = mapped_column(String(128), primary_key=True)
    method: Mapped[str] = mapped_column(String(8), primary_key=True)
    path: Mapped[str] = mapped_column(String(512), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    resource_token: Mapped[str] = mapped_column(String(26))
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(index=True)
    leased_until: Mapped[datetime]
