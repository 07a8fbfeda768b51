"""Migrating SQLite: the tables that the code declares, whole or not at all, by one process at a time."""

import multiprocessing
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import NullPool, create_engine, select

from services.storage import params
from services.storage.database import Database
from services.storage.migrations import migrate, upgrade
from services.storage.settings import StorageSettings
from services.storage.tables import AdaptationRow, Row
from services.storage.tensor_file import encode_tensors

FILE = encode_tensors({"weights": np.arange(3, dtype=np.float32)})

REBUILD_PARENT = """
import sqlalchemy as sa
from alembic import op

revision = "test_1"
down_revision = "0007"


def upgrade() -> None:
    with op.batch_alter_table("models", recreate="always") as models:
        models.add_column(sa.Column("note", sa.String(10), nullable=True))
"""

FAIL_HALFWAY = """
import sqlalchemy as sa
from alembic import op

revision = "test_1"
down_revision = "0007"


def upgrade() -> None:
    op.create_table("half", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO half VALUES (1)")
    op.execute("SELECT * FROM nowhere")
"""

ORPHAN = """
from alembic import op

revision = "test_1"
down_revision = "0007"


def upgrade() -> None:
    op.execute("DELETE FROM models")
"""


def _later(tmp_path: Path, source: str) -> list[Path]:
    folder = tmp_path / "versions"
    folder.mkdir()
    (folder / "test_1.py").write_text(source)
    return [folder]


def _file(settings: StorageSettings) -> Path:
    return Path(settings.tables_url.removeprefix("sqlite:///"))


def _fill(settings: StorageSettings) -> None:
    with sqlite3.connect(_file(settings)) as connection:
        connection.execute(
            "INSERT INTO models (name, created_at, last_version) VALUES ('m', '2026-01-01 00:00:00.000000', 1)"
        )
        connection.execute(
            "INSERT INTO model_versions (model, version, artifact_sha256, artifact_bytes, manifest, created_at)"
            " VALUES ('m', 1, 'sha', 10, '{}', '2026-01-01 00:00:00.000000')"
        )
    connection.close()


def _ask(settings: StorageSettings, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(_file(settings))
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_the_migrations_make_the_tables_that_the_code_declares(settings: StorageSettings) -> None:
    migrate(settings)
    engine = create_engine(settings.tables_url, poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Row.metadata) == []


def test_everything_that_is_needed_is_made(settings: StorageSettings) -> None:
    migrate(settings)
    assert settings.artifacts_path.is_dir()
    for name in ("innerloop.db", "jobs.db"):
        connection = sqlite3.connect(settings.data_dir / name)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()


def test_migrating_again_changes_nothing(settings: StorageSettings) -> None:
    migrate(settings)
    _fill(settings)
    migrate(settings)
    assert _ask(settings, "SELECT model FROM model_versions") == [("m",)]


def test_rebuilding_a_parent_table_keeps_its_children(settings: StorageSettings, tmp_path: Path) -> None:
    migrate(settings)
    _fill(settings)
    upgrade(settings.tables_url, more_versions=_later(tmp_path, REBUILD_PARENT))
    assert _ask(settings, "SELECT name, note FROM models") == [("m", None)]
    assert _ask(settings, "SELECT model, version FROM model_versions") == [("m", 1)]


@pytest.mark.parametrize(("source", "error"), [(FAIL_HALFWAY, "nowhere"), (ORPHAN, "without their parent")])
def test_a_failed_migration_leaves_no_trace(
    settings: StorageSettings, tmp_path: Path, source: str, error: str
) -> None:
    migrate(settings)
    _fill(settings)
    with pytest.raises(Exception, match=error):
        upgrade(settings.tables_url, more_versions=_later(tmp_path, source))
    assert _ask(settings, "SELECT version_num FROM alembic_version") == [("0007",)]
    assert _ask(settings, "SELECT name FROM models") == [("m",)]
    assert _ask(settings, "SELECT name FROM sqlite_master WHERE name = 'half'") == []
    database = Database(settings.tables_url)
    database.ping()
    database.close()


def test_processes_may_migrate_at_once(settings: StorageSettings) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=migrate, args=(settings,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert _ask(settings, "SELECT version_num FROM alembic_version") == [("0007",)]


def test_digests_become_bytes_and_keep_what_they_name(settings: StorageSettings) -> None:
    earlier = "0003"
    settings.data_dir.mkdir(exist_ok=True)
    upgrade(settings.tables_url, earlier)
    _fill(settings)
    digest = "ab" * 32
    with sqlite3.connect(_file(settings)) as connection:
        connection.execute("INSERT INTO adapted_params VALUES (?, ?)", (digest, FILE))
        connection.execute(
            "INSERT INTO adaptations VALUES ('adp_1', 'm', 1, ?, 'regression', NULL, 4, 0.5, '{}', '{}', 1,"
            " '2026-01-01 00:00:00.000000', NULL)",
            (digest,),
        )
    connection.close()
    migrate(settings)
    database = Database(settings.tables_url)
    with database.read() as session:
        (made,) = session.scalars(select(AdaptationRow))
        stored = params.read(session, [digest])
    database.close()
    assert (made.id, made.digest, made.n_columns) == ("adp_1", digest, None)
    assert stored == {digest: FILE}
    assert _ask(settings, "SELECT typeof(digest), length(digest) FROM adaptations") == [("blob", 32)]
