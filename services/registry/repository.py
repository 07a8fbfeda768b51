"""The registry's rows, read and turned into records within a caller's session. Decides nothing."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

import msgspec
from sqlalchemy import Select, bindparam, func, or_, select
from sqlalchemy.orm import Session

from services.errors import NotFound
from services.registry.names import CHAMPION, Reference
from services.registry.records import Alias, Model, ModelVersion
from services.storage.manifest import Manifest
from services.storage.paging import Page, mapped, paginate
from services.storage.tables import AdaptationRow, AliasRow, ModelRow, ModelVersionRow

_OF_ALIAS = select(AliasRow.version).where(
    AliasRow.model == bindparam("model"), AliasRow.alias == bindparam("alias")
)
_NUMBERED = select(ModelVersionRow.version).where(
    ModelVersionRow.model == bindparam("model"), ModelVersionRow.version == bindparam("version")
)
_CURRENT = select(
    func.coalesce(
        select(AliasRow.version)
        .where(AliasRow.model == bindparam("model"), AliasRow.alias == CHAMPION)
        .scalar_subquery(),
        select(func.max(ModelVersionRow.version))
        .where(ModelVersionRow.model == bindparam("model"))
        .scalar_subquery(),
    )
)


def model_row(session: Session, name: str, *, lock: bool = False) -> ModelRow:
    """The model's row; `lock` keeps other writers of this model waiting. Raises NotFound."""
    row = session.get(ModelRow, name, with_for_update=lock)
    if row is None:
        raise NotFound(f"no model {name!r}")
    return row


def version_row(session: Session, model: str, version: int, *, lock: bool = False) -> ModelVersionRow:
    """The version's row; `lock` also keeps adaptations from being made of it. Raises NotFound."""
    row = session.get(ModelVersionRow, (model, version), with_for_update=lock)
    if row is None:
        model_row(session, model)
        raise NotFound(f"model {model!r} has no version {version}")
    return row


def meant_version(reference: Reference) -> Select[int]:
    """What to look up with the reference's parts: the number of the version that it means now, if there is one."""
    if reference.alias is not None:
        return _OF_ALIAS
    return _CURRENT if reference.version is None else _NUMBERED


def find_by_token(session: Session, token: str) -> ModelVersionRow | None:
    """The version that the request with this token made, if it did."""
    return session.scalars(select(ModelVersionRow).where(ModelVersionRow.token == token)).one_or_none()


def newest_version_row(session: Session, model: str) -> ModelVersionRow:
    """The version with the highest number. Raises NotFound."""
    newest = select(ModelVersionRow).where(ModelVersionRow.model == model)
    row = session.scalars(newest.order_by(ModelVersionRow.version.desc()).limit(1)).first()
    if row is None:
        model_row(session, model)
        raise NotFound(f"model {model!r} has no versions")
    return row


def find_alias_row(session: Session, model: str, alias: str, *, lock: bool = False) -> AliasRow | None:
    """The alias's row, where it is set."""
    return session.get(AliasRow, (model, alias), with_for_update=lock)


def alias_row(session: Session, model: str, alias: str, *, lock: bool = False) -> AliasRow:
    """The alias's row. Raises NotFound."""
    row = find_alias_row(session, model, alias, lock=lock)
    if row is None:
        model_row(session, model)
        raise NotFound(f"model {model!r} has no alias {alias!r}")
    return row


def page_of_models(session: Session, limit: int, after: str | None) -> Page[Model]:
    """Models, newest first."""
    page = paginate(session, select(ModelRow), (ModelRow.created_at, ModelRow.name), limit, after)
    return Page(model_records(session, page.data), page.next)


def page_of_versions(session: Session, model: str, limit: int, after: str | None) -> Page[ModelVersion]:
    """A model's versions, newest first. Raises NotFound."""
    model_row(session, model)
    rows = select(ModelVersionRow).where(ModelVersionRow.model == model)
    page = paginate(session, rows, (ModelVersionRow.created_at, ModelVersionRow.version), limit, after)
    aliases = _aliases_by_version(session, model)
    return mapped(page, lambda row: _version_record(row, aliases[row.version]))


def model_records(session: Session, rows: Iterable[ModelRow]) -> list[Model]:
    """Each row with its aliases and newest version, in two queries however many rows."""
    rows = list(rows)
    names = [row.name for row in rows]
    numbers = select(ModelVersionRow.model, func.max(ModelVersionRow.version))
    newest_of_each = numbers.where(ModelVersionRow.model.in_(names)).group_by(ModelVersionRow.model)
    newest = dict(session.execute(newest_of_each).all())
    aliases: dict[str, dict[str, int]] = defaultdict(dict)
    found = select(AliasRow).where(AliasRow.model.in_(names)).order_by(AliasRow.alias)
    for alias in session.scalars(found):
        aliases[alias.model][alias.alias] = alias.version
    return [
        Model(
            name=row.name,
            latest_version=newest.get(row.name),
            aliases=aliases[row.name],
            created_at=row.created_at,
        )
        for row in rows
    ]


def version_record(session: Session, row: ModelVersionRow) -> ModelVersion:
    """The row with its aliases."""
    return _version_record(row, _aliases_by_version(session, row.model)[row.version])


def alias_record(row: AliasRow) -> Alias:
    """The row as a record."""
    return Alias(
        model=row.model,
        alias=row.alias,
        version=row.version,
        revision=row.revision,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def aliases_of(session: Session, model: str, version: int) -> tuple[str, ...]:
    """The aliases that point at a version."""
    return tuple(_aliases_by_version(session, model)[version])


def count_live_adaptations(session: Session, model: str, version: int, now: datetime, up_to: int) -> int:
    """How many unexpired adaptations were made of this version; counting ends at `up_to`."""
    of_version = select(AdaptationRow.id).where(
        AdaptationRow.model == model, AdaptationRow.version == version
    )
    unexpired = or_(AdaptationRow.expires_at.is_(None), AdaptationRow.expires_at > now)
    found = of_version.where(unexpired).limit(up_to).subquery()
    return session.scalar(select(func.count()).select_from(found)) or 0


def _aliases_by_version(session: Session, model: str) -> dict[int, list[str]]:
    aliases: dict[int, list[str]] = defaultdict(list)
    for row in session.scalars(select(AliasRow).where(AliasRow.model == model).order_by(AliasRow.alias)):
        aliases[row.version].append(row.alias)
    return aliases


def _version_record(row: ModelVersionRow, aliases: Iterable[str]) -> ModelVersion:
    manifest = msgspec.convert(row.manifest, Manifest)
    return ModelVersion(
        model=row.model,
        version=row.version,
        aliases=tuple(aliases),
        signature=manifest.signature,
        learner=manifest.learner,
        max_ways=manifest.max_ways,
        training=manifest.training,
        metrics=manifest.metrics,
        artifact_sha256=row.artifact_sha256,
        artifact_bytes=row.artifact_bytes,
        created_at=row.created_at,
    )
