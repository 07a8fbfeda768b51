"""The registry: named models, their immutable versions, and the aliases that move between them.

Knows rows and artifact files. Whether a file's learner can be rebuilt is the engine's to say, before `publish`.
"""

from datetime import datetime

import msgspec
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.clock import Clock
from services.errors import Conflict, Invalid, NotFound, PreconditionFailed
from services.registry import repository
from services.registry.names import CHAMPION, check_alias, check_model_name, parse_reference
from services.registry.records import Alias, Model, ModelVersion, StagedVersion
from services.storage.artifacts import ArtifactStore
from services.storage.database import Database
from services.storage.manifest import Manifest, decode_artifact
from services.storage.paging import DEFAULT_LIMIT, Page
from services.storage.references import keep, release
from services.storage.tables import AdaptationRow, AliasRow, ModelRow, ModelVersionRow

_MOST_COUNTED = (
    1001  # adaptations, for a message: counting a million takes longer than saying that they are many
)


class RegistryService:
    """Every method is one transaction, except `publish_in`, which joins the caller's."""

    def __init__(self, database: Database, artifacts: ArtifactStore, clock: Clock) -> None:
        self._database = database
        self._artifacts = artifacts
        self._clock = clock

    def models(self, limit: int = DEFAULT_LIMIT, after: str | None = None) -> Page[Model]:
        """Models, newest first."""
        with self._database.read() as session:
            return repository.page_of_models(session, limit, after)

    def model(self, name: str) -> Model:
        """One model. Raises NotFound."""
        with self._database.read() as session:
            return repository.model_records(session, [repository.model_row(session, name)])[0]

    def versions(
        self, model: str, limit: int = DEFAULT_LIMIT, after: str | None = None
    ) -> Page[ModelVersion]:
        """A model's versions, newest first. Raises NotFound."""
        with self._database.read() as session:
            return repository.page_of_versions(session, model, limit, after)

    def version(self, model: str, version: int) -> ModelVersion:
        """One version. Raises NotFound."""
        with self._database.read() as session:
            return repository.version_record(session, repository.version_row(session, model, version))

    def resolve(self, reference: str) -> ModelVersion:
        """The version that a reference means now: `name` (champion, else newest), `name@alias`, `name@3`.

        Raises NotFound, also for text that is no reference.
        """
        model, alias, version = parse_reference(reference)
        with self._database.read() as session:
            if alias is not None:
                version = repository.alias_row(session, model, alias).version
            elif version is None:
                champion = repository.find_alias_row(session, model, CHAMPION)
                version = champion.version if champion is not None else None
            if version is None:
                row = repository.newest_version_row(session, model)
            else:
                row = repository.version_row(session, model, version)
            return repository.version_record(session, row)

    def artifact(self, model: str, version: int) -> bytes:
        """The version as one safetensors file. Raises NotFound."""
        return self._artifacts.read(self.version(model, version).artifact_sha256)

    def stage(self, artifact: bytes) -> StagedVersion:
        """Store a file that is not published yet, for the engine to try. Raises Invalid."""
        manifest, _ = decode_artifact(artifact)
        return StagedVersion(
            artifact_sha256=self._artifacts.put(artifact),
            signature=manifest.signature,
            learner=manifest.learner,
            max_ways=manifest.max_ways,
        )

    def discard(self, sha256: str) -> None:
        """Drop a staged file that will not be published; a file in use stays."""
        release(self._database, self._artifacts, sha256)

    def publish(
        self, model: str, artifact: bytes, alias: str | None = None, token: str | None = None
    ) -> ModelVersion:
        """Register the file as the model's next version, and move the alias to it. Raises Invalid.

        A version has no random id, so `token` is kept with it: publishing again with the same one answers with
        the version that is there.
        """
        manifest = self._checked(model, artifact, alias)
        # Written out here, so that the transaction only finds it there.
        stored = self._artifacts.put(artifact)
        with self._database.write() as session:
            made = repository.find_by_token(session, token) if token is not None else None
            if made is not None:
                return repository.version_record(session, made)
            return self._publish(session, model, artifact, manifest, alias, stored, token)

    def publish_in(
        self, session: Session, model: str, artifact: bytes, alias: str | None = None
    ) -> ModelVersion:
        """The same within the caller's write transaction: it becomes true together with what else is in it."""
        manifest = self._checked(model, artifact, alias)
        return self._publish(session, model, artifact, manifest, alias)

    def set_alias(
        self,
        model: str,
        alias: str,
        version: int,
        if_match: int | None = None,
        if_none_match: bool = False,
    ) -> Alias:
        """Point the alias at a version, making it where it is new; pointing it where it points changes nothing.

        `if_match` is the revision that the caller saw; `if_none_match` demands that the alias is new.
        Raises PreconditionFailed, NotFound (no such model), Invalid (no such version, or a bad name).
        """
        check_alias(alias)
        with self._database.write() as session:
            repository.model_row(session, model, lock=True)
            row = repository.find_alias_row(session, model, alias)
            if if_none_match and row is not None:
                raise PreconditionFailed(f"alias {alias!r} of model {model!r} is already set")
            _check_revision(row, if_match)
            try:
                repository.version_row(session, model, version)
            except NotFound as error:
                raise Invalid.at("/version", error.detail) from error
            return repository.alias_record(self._point(session, model, alias, version, self._clock.now()))

    def alias(self, model: str, alias: str) -> Alias:
        """One alias. Raises NotFound."""
        with self._database.read() as session:
            return repository.alias_record(repository.alias_row(session, model, alias))

    def delete_alias(self, model: str, alias: str, if_match: int | None = None) -> None:
        """Remove the alias; its version stays. Raises NotFound, PreconditionFailed."""
        with self._database.write() as session:
            named = repository.model_row(session, model, lock=True)
            row = repository.alias_row(session, model, alias)
            _check_revision(row, if_match)
            named.retired_revisions += row.revision
            session.delete(row)

    def delete_version(self, model: str, version: int) -> None:
        """Remove a version and its file. Raises NotFound; Conflict while anything living points at it."""
        with self._database.write() as session:
            repository.model_row(session, model, lock=True)
            row = repository.version_row(session, model, version, lock=True)
            if aliases := repository.aliases_of(session, model, version):
                raise Conflict(f"{model}@{version} is in use: {', '.join(aliases)} points at it")
            now = self._clock.now()
            if live := repository.count_live_adaptations(session, model, version, now, _MOST_COUNTED):
                many = f"{live}" if live < _MOST_COUNTED else f"more than {live - 1:,}"
                raise Conflict(f"{model}@{version} is in use: {many} live adaptations were made of it")
            expired = (AdaptationRow.model == model, AdaptationRow.version == version)
            session.execute(delete(AdaptationRow).where(*expired))
            session.delete(row)
        release(self._database, self._artifacts, row.artifact_sha256)

    @staticmethod
    def _checked(model: str, artifact: bytes, alias: str | None) -> Manifest:
        check_model_name(model)
        if alias is not None:
            check_alias(alias)
        manifest, _ = decode_artifact(artifact)
        return manifest

    def _publish(
        self,
        session: Session,
        model: str,
        artifact: bytes,
        manifest: Manifest,
        alias: str | None,
        stored: str | None = None,
        token: str | None = None,
    ) -> ModelVersion:
        now = self._clock.now()
        named = _locked_model_row(session, model, now)
        named.last_version += 1
        row = ModelVersionRow(
            model=model,
            version=named.last_version,
            artifact_sha256=keep(session, self._artifacts, artifact, stored),
            artifact_bytes=len(artifact),
            manifest=msgspec.to_builtins(manifest),
            created_at=now,
            token=token,
        )
        session.add(row)
        session.flush()
        if alias is not None:
            self._point(session, model, alias, row.version, now)
        return repository.version_record(session, row)

    @staticmethod
    def _point(session: Session, model: str, alias: str, version: int, now: datetime) -> AliasRow:
        row = repository.find_alias_row(session, model, alias)
        if row is None:
            row = AliasRow(
                model=model,
                alias=alias,
                version=version,
                revision=1 + repository.model_row(session, model).retired_revisions,
                created_at=now,
                updated_at=now,
            )
            session.add(row)
        elif row.version != version:
            row.version, row.revision, row.updated_at = version, row.revision + 1, now
        session.flush()
        return row


def _locked_model_row(session: Session, name: str, now: datetime) -> ModelRow:
    """The model's row, made where it is new; other publishers of this model wait until the transaction ends."""
    row = session.get(ModelRow, name, with_for_update=True)
    if row is not None:
        return row
    try:
        with session.begin_nested():
            session.add(ModelRow(name=name, created_at=now, last_version=0))
    except IntegrityError:
        pass  # another publisher made it between the two statements
    return repository.model_row(session, name, lock=True)


def _check_revision(row: AliasRow | None, if_match: int | None) -> None:
    if if_match is None:
        return
    if row is None or row.revision != if_match:
        present = "is not set" if row is None else f"is at revision {row.revision}"
        raise PreconditionFailed(f"the alias {present}, not at revision {if_match}")
