"""What goes to SQLite's driver directly is what SQLAlchemy would have sent and read."""

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError, OperationalError

from services.errors import Unavailable
from services.storage.compiled import CompiledSelect, Insertion, insert_rows
from services.storage.database import Database
from services.storage.migrations import migrate
from services.storage.settings import StorageSettings
from services.storage.tables import AdaptedParamsRow, ModelRow, ModelVersionRow, ParamsHeaderRow, table_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MODELS, VERSIONS = table_of(ModelRow), table_of(ModelVersionRow)
INSERT_MODEL = MODELS.insert().values({column.name: bindparam(column.name) for column in MODELS.columns})
INSERT_VERSION = VERSIONS.insert().values(
    {column.name: bindparam(column.name) for column in VERSIONS.columns}
)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    settings = StorageSettings(data_dir=tmp_path)
    migrate(settings)
    return Database(settings.tables_url)


def _model(name: str) -> dict[str, object]:
    created_at = NOON.astimezone(timezone(timedelta(hours=5)))
    return {"name": name, "created_at": created_at, "last_version": 0, "retired_revisions": 0}


def _version(number: int, token: str | None = None) -> dict[str, object]:
    return {
        "model": "m",
        "version": number,
        "artifact_sha256": "0" * 64,
        "artifact_bytes": 1 << 40,
        "manifest": {"a": [1, None, "ä"]},
        "created_at": NOON,
        "token": token,
    }


def test_rows_are_what_a_session_finds(database: Database) -> None:
    with database.write() as session:
        insert_rows(session.connection(), [Insertion(INSERT_MODEL, [_model("m"), _model("n")])])
        insert_rows(session.connection(), [Insertion(INSERT_VERSION, [_version(1), _version(2, "token")])])
    with database.read() as session:
        assert session.get_one(ModelRow, "n").created_at == NOON
        first, second = session.get_one(ModelVersionRow, ("m", 1)), session.get_one(ModelVersionRow, ("m", 2))
    assert (first.manifest, first.artifact_bytes, first.token) == ({"a": [1, None, "ä"]}, 1 << 40, None)
    assert second.token == "token"


def test_a_transaction_that_fails_leaves_no_row(database: Database) -> None:
    def write() -> None:
        with database.write() as session:
            insert_rows(
                session.connection(), [Insertion(INSERT_MODEL, [_model("a"), _model("b"), _model("a")])]
            )

    with pytest.raises(IntegrityError):
        write()
    with database.read() as session:
        assert session.scalars(select(ModelRow.name)).all() == []


def test_a_reference_to_nothing_is_refused(database: Database) -> None:
    def write() -> None:
        with database.write() as session:
            insert_rows(session.connection(), [Insertion(INSERT_VERSION, [_version(1)])])

    with pytest.raises(IntegrityError):
        write()


def test_trouble_with_the_file_is_what_sqlalchemy_makes_of_it(database: Database) -> None:
    missing = table_of(ParamsHeaderRow).insert().values(header=bindparam("header"))
    with database.write() as session:
        session.connection().exec_driver_sql("DROP TABLE params_headers")
        with pytest.raises(OperationalError):
            insert_rows(session.connection(), [Insertion(missing, [{"header": b"h"}])])


def test_a_digest_is_read_as_its_digits(database: Database) -> None:
    digest = "ab" * 32
    statement = select(AdaptedParamsRow.digest, AdaptedParamsRow.numbers)
    with database.write() as session:
        session.add(ParamsHeaderRow(id=1, header=b"h", digest="00" * 32))
        session.flush()
        session.add(AdaptedParamsRow(digest=digest, header_id=1, numbers=b"12"))
    with database.read() as session:
        driver = session.connection().connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        compiled = CompiledSelect(statement, session.connection().dialect)
        assert compiled.first(driver, {}) == (digest, b"12")


async def _look_up(database: Database) -> None:
    await database.look_up(select(ModelRow.name))


def test_a_look_up_without_its_file_is_unavailable(tmp_path: Path) -> None:
    missing = Database(f"sqlite:///{tmp_path}/no/such.db")
    with pytest.raises(Unavailable):
        asyncio.run(_look_up(missing))
