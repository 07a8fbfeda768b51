"""A migrated database and a folder of artifacts of its own for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.storage.artifacts import FolderArtifactStore
from services.storage.database import Database
from services.storage.migrations import migrate
from services.storage.settings import StorageSettings
from tests.fakes import FakeClock


@pytest.fixture
def settings(tmp_path: Path) -> StorageSettings:
    return StorageSettings(
        data_dir=tmp_path / "data", database_url=None, jobs_database_url=None, artifact_dir=None
    )


@pytest.fixture
def database(settings: StorageSettings) -> Iterator[Database]:
    migrate(settings)
    database = Database(settings.tables_url)
    yield database
    database.close()


@pytest.fixture
def artifacts(settings: StorageSettings) -> FolderArtifactStore:
    return FolderArtifactStore(settings.artifacts_path)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()
