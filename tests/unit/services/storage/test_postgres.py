"""The same storage on Postgres: migrations, transactions and races, against a real server on a unix socket."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import NullPool, bindparam, create_engine, func, select, text
from sqlalchemy.exc import InternalError

from services.errors import Conflict, Unavailable
from services.idempotency.records import Fresh, Replay
from services.idempotency.service import IdempotencyService
from services.registry.service import RegistryService
from services.storage import params
from services.storage.artifacts import MemoryArtifactStore
from services.storage.database import Database, driver_url
from services.storage.migrations import migrate, upgrade
from services.storage.references import keep, release
from services.storage.settings import StorageSettings
from services.storage.tables import AdaptationRow, ModelRow, ParamsHeaderRow, Row
from services.storage.tensor_file import encode_tensors
from tests.fakes import FakeClock, artifact_file
from tests.postgres import postgres_server

NOW = datetime(2026, 1, 1, tzinfo=UTC)
T = TypeVar("T")


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with postgres_server() as url:
        yield url


@pytest.fixture
def empty(server_url: str, tmp_path: Path) -> StorageSettings:
    """A database of its own within the one server."""
    name = f"t{abs(hash(tmp_path))}"
    admin = create_engine(driver_url(server_url), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = server_url.replace("/postgres?", f"/{name}?")
    return StorageSettings(data_dir=tmp_path, database_url=url, jobs_database_url=None)


@pytest.fixture
def settings(empty: StorageSettings) -> StorageSettings:
    migrate(empty)
    return empty


@pytest.fixture
def database(settings: StorageSettings) -> Iterator[Database]:
    database = Database(settings.tables_url)
    yield database
    database.close()


def _at_once(n: int, work: Callable[[], T]) -> list[T | Exception]:
    start = threading.Barrier(n)
    outcomes: list[T | Exception] = []

    def run() -> None:
        start.wait()
        try:
            outcomes.append(work())
        except Exception as error:  # the test looks at it
            outcomes.append(error)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_the_migrations_make_the_tables_that_the_code_declares(settings: StorageSettings) -> None:
    engine = create_engine(driver_url(settings.tables_url), poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Row.metadata) == []


def test_digests_become_bytes_and_keep_what_they_name(empty: StorageSettings) -> None:
    upgrade(empty.tables_url, "0003")
    files = {f"{number:064x}": encode_tensors({"w": np.full(3, number, np.float32)}) for number in range(2)}
    engine = create_engine(driver_url(empty.tables_url), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO models (name, created_at, last_version) VALUES ('m', now(), 1)"))
        connection.execute(
            text(
                "INSERT INTO model_versions (model, version, artifact_sha256, artifact_bytes, manifest, created_at)"
                " VALUES ('m', 1, 'sha', 10, '{}', now())"
            )
        )
        for digest, file in files.items():
            given = {"digest": digest, "file": file, "id": f"adp_{digest[-1]}"}
            connection.execute(text("INSERT INTO adapted_params VALUES (:digest, :file)"), given)
            connection.execute(
                text(
                    "INSERT INTO adaptations (id, model, version, digest, task, n_support, support_loss, options,"
                    " caller_metadata, revision, created_at)"
                    " VALUES (:id, 'm', 1, :digest, 'regression', 4, 0.5, '{}', '{}', 1, now())"
                ),
                given,
            )
    migrate(empty)
    database = Database(empty.tables_url)
    with database.read() as session:
        assert params.read(session, list(files)) == files
        rows = session.scalars(select(AdaptationRow)).all()
        named = {row.id: row.digest for row in rows}
        assert [row.n_columns for row in rows] == [None] * len(files)
        assert session.scalar(select(func.count()).select_from(ParamsHeaderRow)) == 1
    database.close()
    assert named == {f"adp_{digest[-1]}": digest for digest in files}


def test_a_header_may_be_longer_than_an_index_takes(database: Database) -> None:
    names = [np.random.default_rng(number).bytes(40).hex() for number in range(100)]
    file = encode_tensors({name: np.zeros(1, np.float32) for name in names})
    for _ in range(2):
        with database.write() as session:
            params.put(session, {"ab" * 32: file})
    with database.read() as session:
        assert params.read(session, ["ab" * 32]) == {"ab" * 32: file}


def test_migrating_at_once_and_again_is_safe(settings: StorageSettings, database: Database) -> None:
    with database.write() as session:
        for table in reversed(Row.metadata.sorted_tables):
            session.execute(text(f"DROP TABLE {table.name} CASCADE"))
        session.execute(text("DROP TABLE alembic_version"))
    assert _at_once(3, lambda: migrate(settings)) == [None] * 3
    database.ping()


def test_no_update_is_lost(database: Database) -> None:
    with database.write() as session:
        session.add(ModelRow(name="counter", created_at=NOW, last_version=0))

    def count() -> None:
        for _ in range(10):
            with database.write() as session:
                session.get_one(ModelRow, "counter", with_for_update=True).last_version += 1

    assert _at_once(4, count) == [None] * 4
    with database.read() as session:
        row = session.get_one(ModelRow, "counter")
        assert row.last_version == 40
        assert row.created_at == NOW


def test_a_look_up_sees_every_commit_before_it(database: Database) -> None:
    async def scenario() -> None:
        for number in range(2):
            with database.write() as session:
                session.add(ModelRow(name=f"m{number}", created_at=NOW, last_version=0))
            assert await database.look_up(select(func.count()).select_from(ModelRow)) == (number + 1,)
        by_name = select(ModelRow.created_at).where(ModelRow.name == bindparam("name"))
        assert await database.look_up(by_name, name="m1") == (NOW,)
        assert await database.look_up(by_name, name="m2") is None

    asyncio.run(scenario())


def test_writing_through_a_read_is_a_defect(database: Database) -> None:
    def write_while_reading() -> None:
        with database.read() as session:
            session.add(ModelRow(name="a", created_at=NOW, last_version=0))
            session.flush()

    with pytest.raises(InternalError, match="read-only"):
        write_while_reading()
    with database.write() as session:  # and the connection is a writing one again
        session.add(ModelRow(name="a", created_at=NOW, last_version=0))


def test_a_server_that_is_away_is_unavailable(tmp_path: Path) -> None:
    away = Database(f"postgresql://postgres@/postgres?host={tmp_path}")
    with pytest.raises(Unavailable):
        away.ping()
    away.close()


def test_publishing_at_once_numbers_every_version_once(database: Database) -> None:
    registry = RegistryService(database, MemoryArtifactStore(), FakeClock())
    outcomes = _at_once(6, lambda: registry.publish("m", artifact_file(), alias="champion").version)
    assert sorted(outcomes) == [1, 2, 3, 4, 5, 6]  # type: ignore[type-var]
    page = registry.versions("m", limit=4)
    assert [version.version for version in page.data] == [6, 5, 4, 3]
    assert [version.version for version in registry.versions("m", after=page.next).data] == [2, 1]
    alias = registry.alias("m", "champion")
    assert alias.revision == 6
    assert registry.resolve("m").version == alias.version


def test_a_key_used_at_once_is_fresh_once(database: Database) -> None:
    service = IdempotencyService(database, FakeClock())
    outcomes = _at_once(6, lambda: service.begin("p", "POST", "/v1/jobs", "k", "f" * 64))
    assert sorted(type(outcome) for outcome in outcomes if not isinstance(outcome, Conflict)) == [Fresh]
    assert len(outcomes) == 6
    service.finish("p", "POST", "/v1/jobs", "k", 202, {"location": "/v1/jobs/1"}, b"{}")
    assert service.begin("p", "POST", "/v1/jobs", "k", "f" * 64) == Replay(
        202, {"location": "/v1/jobs/1"}, b"{}"
    )


def test_a_file_that_is_being_named_is_not_removed(database: Database) -> None:
    artifacts = MemoryArtifactStore()
    sha256 = artifacts.put(b"weights")
    thread = threading.Thread(target=release, args=(database, artifacts, sha256), daemon=True)
    with database.write() as session:
        assert keep(session, artifacts, b"weights") == sha256
        thread.start()
        waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        while session.scalar(waiting) == 0:
            assert thread.is_alive()
        assert artifacts.exists(sha256)
    thread.join()
    assert not artifacts.exists(sha256)  # no row was added after all
