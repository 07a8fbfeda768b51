"""Adaptations and their parameters as rows, within a caller's session. Decides nothing.

Equal parameters are stored once and shared. Whoever adds a row that names them, and whoever removes parameters
that no row names, locks the parameters' row first: so none is removed while it is being named.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, delete, exists, or_, select
from sqlalchemy.orm import Session

from services.adaptation.records import Adaptation, LiveAdaptation, StoredAdaptation
from services.errors import NotFound
from services.storage import params
from services.storage.compiled import Insertion, Values, insert_rows
from services.storage.paging import Page, mapped, paginate
from services.storage.tables import AdaptationRow, AdaptedParamsRow, table_of

# Tables and not mapped classes where thousands a second go through.
_ADAPTATIONS = table_of(AdaptationRow)
_BY_ID = select(_ADAPTATIONS).where(_ADAPTATIONS.c.id == bindparam("id"))
LIVE_BY_ID = select(*(_ADAPTATIONS.c[name] for name in LiveAdaptation.__struct_fields__)).where(
    _ADAPTATIONS.c.id == bindparam("id")
)
"""What a query needs of the adaptation `id`, expired or not."""
_INSERT = _ADAPTATIONS.insert().values(
    {column.name: bindparam(column.name) for column in _ADAPTATIONS.columns}
)


def insert(session: Session, adapted: Sequence[tuple[StoredAdaptation, bytes]]) -> None:
    """Add adaptations, and the parameters of each where they are not there yet.

    Raises sqlalchemy's IntegrityError where an id is taken or a model's version is gone.
    """
    connection = session.connection()
    insert_rows(connection, insertions(adapted, connection.dialect.name))


def insertions(adapted: Sequence[tuple[StoredAdaptation, bytes]], dialect: str = "sqlite") -> list[Insertion]:
    """What `insert` inserts."""
    files = {stored.digest: file for stored, file in adapted}
    rows = [_row(stored) for stored, _ in adapted]
    return [*params.insertions(files, dialect), Insertion(_INSERT, rows)]


def find(session: Session, adaptation_id: str) -> StoredAdaptation | None:
    """The adaptation, expired or not, if there is one."""
    row = session.execute(_BY_ID, {"id": adaptation_id}).one_or_none()
    return None if row is None else StoredAdaptation(_record(row), row.digest)


def get(session: Session, adaptation_id: str, now: datetime) -> StoredAdaptation:
    """The adaptation. Raises NotFound, also once it has expired."""
    found = find(session, adaptation_id)
    if found is None:
        raise gone(adaptation_id)
    check_live(adaptation_id, found.adaptation.expires_at, now)
    return found


def live_record(row: Values) -> LiveAdaptation:
    """The record of a row of `LIVE_BY_ID`."""
    return LiveAdaptation(**dict(zip(LiveAdaptation.__struct_fields__, row, strict=True)))


def check_live(adaptation_id: str, expires_at: datetime | None, now: datetime) -> None:
    """Raises NotFound once an adaptation has expired."""
    if expires_at is not None and expires_at <= now:
        raise gone(adaptation_id)


def gone(adaptation_id: str) -> NotFound:
    """What is said of an adaptation that is not there."""
    return NotFound(f"no adaptation {adaptation_id!r}: it was never made, was deleted, or has expired")


def page(
    session: Session, model: str | None, version: int | None, now: datetime, limit: int, after: str | None
) -> Page[Adaptation]:
    """Live adaptations, newest first; of one model, or one version of it, where named."""
    rows = select(AdaptationRow).where(_live(now))
    if model is not None:
        rows = rows.where(AdaptationRow.model == model)
    if version is not None:
        rows = rows.where(AdaptationRow.version == version)
    return mapped(paginate(session, rows, (AdaptationRow.id,), limit, after), _record)


def remove(session: Session, adapted: StoredAdaptation) -> None:
    """Delete the adaptation, and its parameters unless another shares them."""
    session.execute(delete(AdaptationRow).where(AdaptationRow.id == adapted.adaptation.id))
    remove_unnamed(session, [adapted.digest])


def remove_expired(session: Session, now: datetime, at_most: int) -> int:
    """Delete expired adaptations with what only they named; returns how many there were."""
    expired = select(AdaptationRow.id, AdaptationRow.digest).where(AdaptationRow.expires_at <= now)
    found = session.execute(expired.limit(at_most)).all()
    session.execute(delete(AdaptationRow).where(AdaptationRow.id.in_([id_ for id_, _ in found])))
    remove_unnamed(session, {digest for _, digest in found})
    return len(found)


def unnamed_params(session: Session, at_most: int) -> list[str]:
    """Digests of parameters that no adaptation names."""
    return list(session.scalars(select(AdaptedParamsRow.digest).where(~_named()).limit(at_most)))


def remove_unnamed(session: Session, digests: Collection[str]) -> None:
    """Delete those of the parameters that no adaptation names."""
    among = AdaptedParamsRow.digest.in_(digests)
    # The lock first and the question second: asked in one statement, Postgres would answer it from before the lock.
    session.execute(select(AdaptedParamsRow.digest).where(among).with_for_update()).all()
    session.execute(
        delete(AdaptedParamsRow).where(among, ~_named()), execution_options={"synchronize_session": False}
    )


def _named() -> ColumnElement[bool]:
    return exists().where(AdaptationRow.digest == AdaptedParamsRow.digest)


def _live(now: datetime) -> ColumnElement[bool]:
    return or_(AdaptationRow.expires_at.is_(None), AdaptationRow.expires_at > now)


def _row(stored: StoredAdaptation) -> dict[str, Any]:
    made = stored.adaptation
    return {
        "id": made.id,
        "model": made.model,
        "version": made.version,
        "digest": stored.digest,
        "task": made.task,
        "classes": made.classes,
        "n_support": made.n_support,
        "n_columns": made.n_columns,
        "support_loss": made.support_loss,
        "options": made.options,
        "caller_metadata": made.metadata,
        "revision": made.revision,
        "created_at": made.created_at,
        "expires_at": made.expires_at,
        "escalation": made.escalation,
    }


def _record(row: Row[Any] | AdaptationRow) -> Adaptation:
    return Adaptation(
        id=row.id,
        model=row.model,
        version=row.version,
        task=row.task,
        classes=row.classes,
        n_support=row.n_support,
        n_columns=row.n_columns,
        support_loss=row.support_loss,
        revision=row.revision,
        options=row.options,
        metadata=row.caller_metadata,
        created_at=row.created_at,
        expires_at=row.expires_at,
        escalation=row.escalation,
    )
