"""Rows that share parameters, under writers that make and remove them at once, on SQLite and on Postgres."""

import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from services.adaptation import repository
from services.adaptation.records import Adaptation, StoredAdaptation
from services.registry.service import RegistryService
from services.storage import params
from services.storage.artifacts import MemoryArtifactStore
from services.storage.database import Database
from services.storage.migrations import migrate
from services.storage.settings import StorageSettings
from services.storage.tables import AdaptationRow, AdaptedParamsRow
from tests import small_models
from tests.fakes import FakeClock
from tests.postgres import postgres_server

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WRITERS, ROUNDS = 4, 30


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, migrated: Path, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        folder = shutil.copytree(migrated, tmp_path / "data")
        yield from _opened(StorageSettings(data_dir=folder, database_url=None))
        return
    with postgres_server() as url:
        settings = StorageSettings(data_dir=tmp_path, database_url=url)
        migrate(settings)
        yield from _opened(settings)


def _opened(settings: StorageSettings) -> Iterator[Database]:
    database = Database(settings.tables_url)
    registry = RegistryService(database, MemoryArtifactStore(), FakeClock())
    registry.publish("line", small_models.regression_ridge())
    yield database
    database.close()


def _stored(id_: str, digest: str) -> StoredAdaptation:
    made = Adaptation(
        id=id_,
        model="line",
        version=1,
        task="regression",
        classes=None,
        n_support=1,
        support_loss=0.0,
        revision=1,
        options={},
        metadata={},
        created_at=NOW,
        expires_at=None,
    )
    return StoredAdaptation(made, digest)


def _side_by_side(work: list[Callable[[], None]]) -> None:
    """Run each in a thread; fail with the first error of any."""
    errors: list[BaseException] = []

    def run(one: Callable[[], None]) -> None:
        try:
            one()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(one,), daemon=True) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_parameters_are_never_removed_while_they_are_being_named(database: Database) -> None:
    def make_and_remove(writer: int) -> Callable[[], None]:
        def work() -> None:
            for turn in range(ROUNDS):
                stored = _stored(f"adp_{writer}_{turn}", digest="ab" * 32)
                with database.write() as session:
                    repository.insert(session, [(stored, b"params")])
                with database.read() as session:
                    assert params.read(session, [stored.digest]) == {stored.digest: b"params"}
                with database.write() as session:
                    repository.remove(session, stored)

        return work

    def sweep() -> None:
        for _ in range(ROUNDS):
            with database.write() as session:
                repository.remove_unnamed(session, ["ab" * 32])

    _side_by_side([*(make_and_remove(writer) for writer in range(WRITERS)), sweep])
    with database.read() as session:
        for row in (AdaptationRow, AdaptedParamsRow):
            assert session.scalar(select(func.count()).select_from(row)) == 0
